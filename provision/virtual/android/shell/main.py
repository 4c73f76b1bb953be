"""``sh``: a script from ``-c``, from a file, or line by line from the standard input."""

from __future__ import annotations

from provision.virtual.android.paths import join
from provision.virtual.android.process import Process, decode, read_line
from provision.virtual.android.shell import expand
from provision.virtual.android.shell.builtins import BUILTINS
from provision.virtual.android.shell.parser import Parser, parse
from provision.virtual.android.shell.runner import Leave, Shell
from provision.virtual.android.shell.tree import Sequence
from provision.virtual.android.shell.words import SyntaxProblem

ENVIRONMENT = {
    "ANDROID_DATA": "/data",
    "ANDROID_ROOT": "/system",
    "ANDROID_STORAGE": "/storage",
    "EXTERNAL_STORAGE": "/sdcard",
    "HOME": "/",
    "HOSTNAME": "localhost",
    "LOGNAME": "shell",
    "PATH": "/sbin:/system/sbin:/system/bin:/system/xbin:/vendor/bin:/vendor/xbin",
    "SHELL": "/bin/sh",
    "TMPDIR": "/data/local/tmp",
    "USER": "shell",
}


def sh(process: Process) -> int:
    """The program ``sh``."""
    words = process.argv[1:]
    shell = Shell(process, BUILTINS)
    while words and len(words[0]) > 1 and words[0][0] in "-+" and "c" not in words[0] and words[0] != "--":
        shell.options |= set(words[0][1:]) if words[0][0] == "-" else set()
        words = words[1:]
    if words and words[0][0] == "-" and "c" in words[0]:
        shell.options |= set(words[0][1:]) - {"c", "l"}
        return _text(shell, words[1:])
    if words[:1] == ["--"]:
        words = words[1:]
    if words:
        return _file(shell, words)
    shell.place = "<stdin>[1]: "
    return _lines(shell)


def _text(shell: Shell, words: list[str]) -> int:
    if not words:
        shell.complain("-c: argument expected")
        return 1
    shell.name = words[1] if len(words) > 1 else shell.name
    shell.positional = words[2:]
    return _run(shell, words[0])


def _file(shell: Shell, words: list[str]) -> int:
    try:
        text = shell.files.read_bytes(join(shell.cwd, words[0]), uid=shell.process.uid)
    except OSError as error:
        shell.complain(f"{words[0]}: {error.strerror}")
        return 127
    shell.name = words[0]
    shell.positional = words[1:]
    return _run(shell, decode(text))


def _run(shell: Shell, text: str) -> int:
    try:
        body = parse(text)
    except SyntaxProblem as problem:
        shell.complain(f"syntax error: {problem}")
        return 1
    return shell.to_the_end(body)


def _lines(shell: Shell) -> int:
    """Run each command as soon as its last line has come; what commands read from the same input is theirs."""
    number = 0

    def more() -> str:
        nonlocal number
        number += 1
        shell.place = f"<stdin>[{number}]: "
        return decode(read_line(shell.process.stdin))

    script = Parser("", more)
    try:
        while (body := script.command_line()) is not None:
            if not _step(shell, body):
                break
    except SyntaxProblem as problem:
        shell.complain(f"syntax error: {problem}")
        return 1
    return shell.leave()


def _step(shell: Shell, body: Sequence) -> bool:
    """Run one command line; False when it was the last."""
    try:
        shell.run(body)
    except Leave as leave:
        shell.status = leave.number if leave.kind in ("exit", "return") else 0
        return leave.kind not in ("exit", "return")
    except expand.ExpansionProblem as problem:
        shell.complain(str(problem))
        shell.status = 1
        return False
    return True
