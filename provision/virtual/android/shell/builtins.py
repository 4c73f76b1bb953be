"""Commands that are part of the shell, because they change it."""

from __future__ import annotations

import re
from collections.abc import Callable

from provision.virtual.android.paths import join
from provision.virtual.android.process import Process, decode, read_line
from provision.virtual.android.shell.conditions import test
from provision.virtual.android.shell.parser import parse
from provision.virtual.android.shell.runner import Leave, Shell
from provision.virtual.android.shell.words import SyntaxProblem, unescape

Builtin = Callable[[Shell, Process], int]
_SIGNALS = {"0": "EXIT", "1": "HUP", "2": "INT", "13": "PIPE", "15": "TERM"}


def _echo(_: Shell, process: Process) -> int:
    """mksh's own: backslash escapes count unless ``-E``."""
    words = process.argv[1:]
    newline, escapes = True, True
    while words and len(words[0]) > 1 and words[0][0] == "-" and set(words[0][1:]) <= set("neE"):
        newline = newline and "n" not in words[0]
        escapes = "E" not in words[0]
        words = words[1:]
    text = " ".join(words)
    if escapes:
        before, stop, _after = text.partition("\\c")
        text, newline = unescape(before, octal_needs_zero=True), newline and not stop
    process.say(text + ("\n" if newline else ""))
    return 0


def _cd(shell: Shell, process: Process) -> int:
    words = [word for word in process.argv[1:] if word not in ("-P", "-L", "--")]
    target = words[0] if words else shell.lookup("HOME") or "/"
    target = (shell.lookup("OLDPWD") or "/") if target == "-" else target
    path = join(shell.cwd, target)
    try:
        status = shell.files.stat(path, uid=process.uid)
        shell.files.resolve(path + "/.", uid=process.uid)
    except OSError as error:
        shell.complain(f"cd: {target}: {error.strerror}")
        return 2
    if not status.is_directory:
        shell.complain(f"cd: {target}: Not a directory")
        return 2
    shell.variables["OLDPWD"] = shell.cwd
    shell.cwd = _tidy(path)
    return 0


def _tidy(path: str) -> str:
    done: list[str] = []
    for part in path.split("/"):
        if part == "..":
            done = done[:-1]
        elif part not in ("", "."):
            done.append(part)
    return "/" + "/".join(done)


def _pwd(shell: Shell, process: Process) -> int:
    process.say(f"{shell.cwd}\n")
    return 0


def _leave(shell: Shell, process: Process) -> int:
    kind = process.argv[0]
    default = shell.status if kind in ("exit", "return") else 1
    word = process.argv[1] if len(process.argv) > 1 else str(default)
    if not word.lstrip("-").isdigit():
        shell.complain(f"{kind}: {word}: bad number")
        raise Leave("exit", 1)
    number = int(word)
    raise Leave(kind, number & 255 if kind in ("exit", "return") else max(1, number))


def _export(shell: Shell, process: Process) -> int:
    for word in process.argv[1:]:
        name, equals, value = word.partition("=")
        if equals:
            shell.assign(name, value)
        if name != "-p":
            shell.exported.add(name)
    return 0


def _readonly(shell: Shell, process: Process) -> int:
    for word in process.argv[1:]:
        name, equals, value = word.partition("=")
        if equals:
            shell.assign(name, value)
        shell.read_only.add(name)
    return 0


def _local(shell: Shell, process: Process) -> int:
    for word in process.argv[1:]:
        name, _, value = word.partition("=")
        shell.assign(name, value)
    return 0


def _unset(shell: Shell, process: Process) -> int:
    names = [word for word in process.argv[1:] if word not in ("-v", "-f")]
    for name in names:
        if "-f" in process.argv:
            shell.functions.pop(name, None)
        else:
            shell.variables.pop(name, None)
            shell.exported.discard(name)
    return 0


def _set(shell: Shell, process: Process) -> int:
    words = process.argv[1:]
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        word, words = words[0], words[1:]
        if word == "--":
            shell.positional = words
            return 0
        names = [words.pop(0)] if word[1:] == "o" and words else list(word[1:])
        for name in names:
            option = {"errexit": "e", "nounset": "u", "noglob": "f", "xtrace": "x"}.get(name, name)
            (shell.options.add if word[0] == "-" else shell.options.discard)(option)
    if words:
        shell.positional = words
    return 0


def _shift(shell: Shell, process: Process) -> int:
    count = int(process.argv[1]) if len(process.argv) > 1 and process.argv[1].isdigit() else 1
    if count > len(shell.positional):
        shell.complain("shift: nothing to shift")
        return 1
    shell.positional = shell.positional[count:]
    return 0


def _read(shell: Shell, process: Process) -> int:
    names = [word for word in process.argv[1:] if word != "-r"] or ["REPLY"]
    line, ended = _line(process, raw="-r" in process.argv)
    separators = shell.lookup("IFS")
    blanks = " \t\n" if separators is None else separators
    for number, name in enumerate(names):
        line = line.lstrip(blanks if blanks.strip() == "" else "")
        if number == len(names) - 1:
            shell.assign(name, line.rstrip(blanks) if blanks.strip() == "" else line)
            break
        end = next((at for at, char in enumerate(line) if char in blanks), len(line))
        shell.assign(name, line[:end])
        line = line[end + 1 :]
    return int(ended)


def _line(process: Process, *, raw: bool) -> tuple[str, bool]:
    """One line without its end, and whether the input ended before one. Not raw: a backslash joins lines."""
    text = decode(read_line(process.stdin))
    while not raw and _continues(text):
        text = text[:-2] + decode(read_line(process.stdin))
    ended = not text.endswith("\n")
    text = text.removesuffix("\n")
    return text if raw else re.sub(r"\\(.?)", r"\1", text), ended


def _continues(text: str) -> bool:
    """Whether the line ends with an odd number of backslashes."""
    body = text.removesuffix("\n")
    return body != text and (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _eval(shell: Shell, process: Process) -> int:
    try:
        body = parse(" ".join(process.argv[1:]))
    except SyntaxProblem as problem:
        shell.complain(f"syntax error: {problem}")
        return 1
    return shell.run(body) if body.items else 0


def _source(shell: Shell, process: Process) -> int:
    try:
        body = parse(decode(shell.files.read_bytes(join(shell.cwd, process.argv[1]), uid=process.uid)))
    except OSError as error:
        shell.complain(f".: {process.argv[1]}: {error.strerror}")
        raise Leave("exit", 1) from None
    try:
        return shell.run(body)
    except Leave as leave:
        if leave.kind != "return":
            raise
        return leave.number


def _trap(shell: Shell, process: Process) -> int:
    words = [word for word in process.argv[1:] if word != "--"]
    if len(words) < 2:
        return 0
    for signal in words[1:]:
        name = _SIGNALS.get(signal, signal.removeprefix("SIG"))
        if words[0] == "-":
            shell.traps.pop(name, None)
        else:
            shell.traps[name] = words[0]
    return 0


def _test(shell: Shell, process: Process) -> int:
    return test(shell, process)


def _nothing(status: int) -> Builtin:
    return lambda _shell, _process: status


def _command(shell: Shell, process: Process) -> int:
    """``command -v NAME`` says what NAME is; ``command NAME …`` runs it."""
    words = process.argv[1:]
    if words[:1] not in (["-v"], ["-V"]):
        inner = process.but(argv=words)
        builtin = BUILTINS.get(words[0]) if words else None
        if not words:
            return 0
        return builtin(shell, inner) if builtin else inner.launch(inner, None)
    status = 0
    for name in words[1:]:
        if name in shell.functions or name in BUILTINS:
            process.say(f"{name}\n")
        elif name in process.programs:
            process.say(f"/system/bin/{name}\n")
        else:
            status = 1
    return status


def _exec(_: Shell, process: Process) -> int:
    inner = process.but(argv=process.argv[1:])
    raise Leave("exit", inner.launch(inner, None))


BUILTINS: dict[str, Builtin] = {
    ".": _source,
    ":": _nothing(0),
    "[": _test,
    "break": _leave,
    "cd": _cd,
    "command": _command,
    "continue": _leave,
    "echo": _echo,
    "eval": _eval,
    "exec": _exec,
    "exit": _leave,
    "export": _export,
    "false": _nothing(1),
    "local": _local,
    "pwd": _pwd,
    "read": _read,
    "readonly": _readonly,
    "return": _leave,
    "set": _set,
    "shift": _shift,
    "source": _source,
    "test": _test,
    "trap": _trap,
    "true": _nothing(0),
    "typeset": _local,
    "umask": _nothing(0),
    "unset": _unset,
    "wait": _nothing(0),
}
