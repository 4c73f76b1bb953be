"""The other applets: printf, sleep, date, id, uname, basename, dirname, which, env, xargs, …"""

from __future__ import annotations

import re
import time

from provision.virtual.android.process import Process, decode
from provision.virtual.android.shell.words import unescape
from provision.virtual.android.toybox.common import Usage, at, clock, complain, options, whole

_CONVERSION = re.compile(r"%(?:%|([-+ 0#]*)(\*|\d*)(?:\.(\d+))?([diouxXscbq]))")
_GROUPS = (
    "1004(input),1007(log),1011(adb),1015(sdcard_rw),1028(sdcard_r),3001(net_bt_admin),3002(net_bt),3003(inet),"
    "3006(net_bw_stats),3009(readproc),3011(uhid)"
)
_KERNELS = {0: "3.18.66", 26: "4.4.78", 28: "4.9.112", 29: "4.14.117", 30: "4.19.113", 31: "5.4.147", 33: "5.10.136"}


def echo(process: Process) -> int:
    """toybox's own, for ``xargs echo`` and the like; the shell has another."""
    words, newline, escapes = process.argv[1:], True, False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        newline = newline and "n" not in words[0]
        escapes = "e" in words[0]
        words = words[1:]
    text = " ".join(words)
    process.say((unescape(text, octal_needs_zero=True) if escapes else text) + ("\n" if newline else ""))
    return 0


def printf(process: Process) -> int:
    if len(process.argv) < 2:
        raise Usage('Needs 1 argument (see "printf --help")')
    template, *words = process.argv[1:]
    template = unescape(template)
    failed: list[str] = []
    while True:
        taken = len(words)
        process.say(_printed(template, words, failed))
        if not words or len(words) == taken:
            break
    for word in failed:
        complain(process, f"{word}: not a number")
    return int(bool(failed))


def _printed(template: str, words: list[str], failed: list[str]) -> str:
    def convert(found: re.Match[str]) -> str:
        if found.group() == "%%":
            return "%"
        flags, width, precision, letter = found.groups()
        width = (words.pop(0) if words else "0") if width == "*" else width
        word = words.pop(0) if words else ""
        if letter in "sbcq":
            text = unescape(word, octal_needs_zero=True) if letter == "b" else word[:1] if letter == "c" else word
            text = text[: int(precision)] if precision else text
            return text.ljust(int(width or 0)) if "-" in flags else text.rjust(int(width or 0))
        try:
            number = int(word or "0", 0) if not re.fullmatch(r"-?0[0-7]+", word) else int(word, 8)
        except ValueError:
            failed.append(word)
            number = 0
        style = f"%{flags}{width}{'.' + precision if precision else ''}{letter.replace('u', 'd').replace('i', 'd')}"
        return style % number

    return _CONVERSION.sub(convert, template)


def sleep(process: Process) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    for word in options(process, "", least=1).words:
        found = re.fullmatch(r"([0-9.]+)([smhd]?)", word)
        if not found:
            raise Usage(f"bad time '{word}'")
        time.sleep(float(found.group(1)) * units[found.group(2) or "s"])
    return 0


def date(process: Process) -> int:
    """``+FORMAT``, ``-u``, ``-d @SECONDS``; the phone's clock and zone."""
    given = options(process, "uR", "dr")
    process = process.but(env={**process.env, "TZ": "UTC"}) if "u" in given else process
    text = given.values.get("d", "")
    if text and not re.fullmatch(r"@[0-9.]+", text):
        raise Usage(f"bad date '{text}'")
    seconds = float(text[1:]) if text else process.phone.now().timestamp()
    now = clock(process, seconds)
    words = [word for word in given.words if word.startswith("+")]
    if len(words) < len(given.words):
        return complain(process, "cannot set date: Operation not permitted")
    style = words[0][1:] if words else "%a %b %e %H:%M:%S %Z %Y"
    style = style.replace("%s", str(int(seconds))).replace("%N", f"{int(seconds % 1 * 1e9):09d}")
    process.say(now.strftime(style) + "\n")
    return 0


def id_(process: Process) -> int:
    given = options(process, "unGgrZ")
    if "u" in given or "g" in given:
        process.say("shell\n" if "n" in given else f"{process.uid}\n")
    elif "G" in given:
        process.say("2000 " + " ".join(re.findall(r"\d{4}", _GROUPS)) + "\n")
    else:
        process.say(f"uid=2000(shell) gid=2000(shell) groups=2000(shell),{_GROUPS} context=u:r:shell:s0\n")
    return 0


def whoami(process: Process) -> int:
    process.say("shell\n")
    return 0


def uname(process: Process) -> int:
    given = options(process, "asnrvmo")
    release = next(
        (kernel for api, kernel in sorted(_KERNELS.items(), reverse=True) if api <= process.phone.api), "3.10"
    )
    machine = "aarch64" if "64" in process.phone.properties.get("ro.product.cpu.abi", "arm64") else "armv8l"
    values = {"s": "Linux", "n": "localhost", "r": release, "v": "#1 SMP PREEMPT", "m": machine}
    wanted = "snrvm" if "a" in given else given.flags or "s"
    process.say(" ".join(values[flag] for flag in "snrvm" if flag in wanted) + "\n")
    return 0


def basename(process: Process) -> int:
    words = options(process, "a", "s", least=1).words
    base = words[0].rstrip("/").rpartition("/")[2] or "/"
    suffix = words[1] if len(words) > 1 else ""
    process.say((base.removesuffix(suffix) if suffix != base else base) + "\n")
    return 0


def dirname(process: Process) -> int:
    for word in options(process, "", least=1).words:
        head = word.rstrip("/").rpartition("/")
        process.say((head[0].rstrip("/") or ("/" if head[1] or word.startswith("/") else ".")) + "\n")
    return 0


def which(process: Process) -> int:
    status = 0
    for word in options(process, "a", least=1).words:
        if word in process.programs:
            process.say(f"/system/bin/{word}\n")
        else:
            status = 1
    return status


def env(process: Process) -> int:
    words, variables = process.argv[1:], dict(process.env)
    while words and (words[0] in ("-i", "-u") or "=" in words[0]):
        word = words.pop(0)
        if word == "-i":
            variables.clear()
        elif word == "-u":
            variables.pop(words.pop(0), None)
        else:
            key, _, value = word.partition("=")
            variables[key] = value
    if words:
        inner = process.but(argv=words, env=variables)
        return inner.launch(inner)
    process.say("".join(f"{key}={value}\n" for key, value in variables.items()))
    return 0


def xargs(process: Process) -> int:
    """``-0 -n NUM -r`` and a command. toybox has no ``-I``."""
    given, rest = {}, process.argv[1:]
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word[:2] in ("-n", "-P", "-s"):
            given[word[:2]] = word[2:] or (rest.pop(0) if rest else "")
        elif set(word[1:]) <= set("0rt"):
            given |= {f"-{flag}": "" for flag in word[1:]}
        else:
            raise Usage(f"Unknown option '{word[1:]}'")
    found = _items(decode(whole(process, "-")), nul="-0" in given)
    if not found and "-r" in given:
        return 0
    size = int(given.get("-n") or len(found) or 1)
    failed = False
    for start in range(0, max(1, len(found)), size):
        inner = process.but(argv=[*(rest or ["echo"]), *found[start : start + size]])
        failed = inner.launch(inner) != 0 or failed
    return 123 if failed else 0


def _items(text: str, *, nul: bool) -> list[str]:
    if nul:
        return [item for item in text.split("\0") if item]
    found = re.findall(r"(?:\"[^\"\n]*\"|'[^'\n]*'|\\.|[^\s\"'\\])+", text)
    return [
        re.sub(r"\"([^\"]*)\"|'([^']*)'|\\(.)", lambda m: m.group(1) or m.group(2) or m.group(3) or "", i)
        for i in found
    ]


def seq(process: Process) -> int:
    numbers = [int(word) for word in options(process, "", least=1).words]
    first, step = (numbers[0], numbers[1]) if len(numbers) == 3 else (numbers[0] if len(numbers) == 2 else 1, 1)
    process.say("".join(f"{number}\n" for number in range(first, numbers[-1] + (1 if step > 0 else -1), step)))
    return 0


def tee(process: Process) -> int:
    given = options(process, "ai")
    files = [process.phone.files.create(at(process, word), append="a" in given) for word in given.words]
    while part := process.stdin.read(65536):
        process.out.write(part)
        for file in files:
            file.write(part)
    for file in files:
        file.close()
    return 0


def readlink(process: Process) -> int:
    given = options(process, "fnemq", least=1)
    for word in given.words:
        if "f" in given or "e" in given:
            process.say(process.phone.files.resolve(at(process, word)) + "\n")
            continue
        try:
            process.say(process.phone.files.readlink(at(process, word)) + "\n")
        except OSError:
            return 1
    return 0


def realpath(process: Process) -> int:
    for word in options(process, "fne", least=1).words:
        process.say(process.phone.files.resolve(at(process, word)) + "\n")
    return 0
