"""``sed``: ``s/…/…/[gip N] d p q = y``, addresses ``N $ /re/`` and ranges; ``-n -e -E -i``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from provision.virtual.android.process import Process, encode
from provision.virtual.android.toybox.common import Usage, at, each_file, lines, options
from provision.virtual.android.toybox.text import to_python

_ADDRESS = re.compile(r"\s*(?:(\d+|\$)|/((?:\\.|[^/\\])*)/)")


@dataclass
class _Step:
    addresses: list[str | re.Pattern[str]]
    negated: bool
    letter: str
    regex: re.Pattern[str] | None = None
    new: str = ""
    every: bool = False
    nth: int = 1
    prints: bool = False
    inside: bool = field(default=False)


def sed(process: Process) -> int:
    """The program ``sed``."""
    argv, scripts = _scripts(process.argv)
    given = options(process.but(argv=argv), "nErsz")
    in_place = "-i" in process.argv
    words = given.words
    if not scripts:
        if not words:
            raise Usage("no pattern")
        scripts, words = [words[0]], words[1:]
    steps = _parse("\n".join(scripts), extended="E" in given or "r" in given)

    def work(word: str) -> None:
        rows = lines(process, word)
        text = _edit(steps, rows, quiet="n" in given)
        if in_place:
            process.phone.files.write_bytes(at(process, word), encode(text), uid=process.uid)
        else:
            process.say(text)

    return each_file(process, words, work)


def _scripts(argv: list[str]) -> tuple[list[str], list[str]]:
    """``-e SCRIPT`` may come several times; ``-i`` takes no value here."""
    kept, scripts, words = [argv[0]], [], list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "-e" and words:
            scripts.append(words.pop(0))
        elif word == "-ne" and words:
            kept.append("-n")
            scripts.append(words.pop(0))
        elif word != "-i":
            kept.append(word)
    return kept, scripts


def _parse(text: str, *, extended: bool) -> list[_Step]:
    steps: list[_Step] = []
    while text.strip(" \t\n;"):
        text = text.lstrip(" \t\n;")
        addresses: list[str | re.Pattern[str]] = []
        while len(addresses) < 2 and (found := _ADDRESS.match(text)):
            number, pattern = found.groups()
            addresses.append(number or _regex(pattern, extended))
            text = text[found.end() :].lstrip()
            if not text.startswith(","):
                break
            text = text[1:]
        negated = text.startswith("!")
        text = text.lstrip("! ")
        letter, text = text[:1], text[1:]
        step = _Step(addresses, negated, letter)
        if letter in ("s", "y") and letter:
            text = _substitution(step, text, extended)
        elif letter not in ("d", "p", "q", "="):
            raise Usage(f"bad pattern '{letter}{text}'")
        steps.append(step)
    return steps


def _regex(pattern: str, extended: bool, flags: int = 0) -> re.Pattern[str]:
    try:
        return re.compile(to_python(pattern, extended=extended), flags)
    except re.error as error:
        raise Usage(f"bad regex: {error}") from None


def _substitution(step: _Step, text: str, extended: bool) -> str:
    sign, parts, rest = text[:1], [], text[1:]
    for _ in range(2):
        part = re.match(rf"((?:\\.|[^\\{re.escape(sign)}])*){re.escape(sign)}", rest, re.DOTALL) if sign else None
        if part is None:
            raise Usage(f"bad pattern '{step.letter}{text}'")
        parts.append(part.group(1).replace("\\" + sign, sign))
        rest = rest[part.end() :]
    flags = re.match(r"[gipI0-9]*", rest)
    letters = flags.group() if flags else ""
    if step.letter == "y":
        step.new = "\0".join(parts)
        return rest
    step.regex = _regex(parts[0], extended, re.IGNORECASE if "i" in letters.lower() else 0)
    step.new = parts[1]
    step.every = "g" in letters
    step.prints = "p" in letters
    step.nth = int("".join(sign for sign in letters if sign.isdigit()) or 1)
    return rest[len(letters) :]


def _edit(steps: list[_Step], rows: list[str], *, quiet: bool) -> str:
    found: list[str] = []
    for number, row in enumerate(rows, 1):
        text, kept, stop = row, True, False
        for step in steps:
            if _applies(step, number, text, number == len(rows)) == step.negated:
                continue
            text, more = _apply(step, text, number)
            found += more
            kept = step.letter != "d"
            stop = step.letter == "q"
            if not kept or stop:
                break
        if kept and not quiet:
            found.append(text)
        if stop:
            break
    return "".join(row + "\n" for row in found)


def _applies(step: _Step, number: int, text: str, last: bool) -> bool:
    if not step.addresses:
        return True

    def is_at(address: str | re.Pattern[str]) -> bool:
        if isinstance(address, re.Pattern):
            return address.search(text) is not None
        return last if address == "$" else number == int(address)

    if len(step.addresses) < 2:
        return is_at(step.addresses[0])
    first, second = step.addresses
    if not step.inside:
        step.inside = is_at(first)
        over = isinstance(second, str) and second != "$" and number >= int(second)
        found, step.inside = step.inside, step.inside and not over
        return found
    step.inside = not is_at(second)
    return True


def _apply(step: _Step, text: str, number: int) -> tuple[str, list[str]]:
    if step.letter == "p":
        return text, [text]
    if step.letter == "=":
        return text, [str(number)]
    if step.letter == "y":
        old, _, new = step.new.partition("\0")
        return text.translate(str.maketrans(old, new)), []
    if step.letter == "s" and step.regex is not None:
        changed, times = _substituted(step, step.regex, text)
        return changed, [changed] if step.prints and times else []
    return text, []


def _substituted(step: _Step, regex: re.Pattern[str], text: str) -> tuple[str, int]:
    if not regex.search(text):
        return text, 0
    seen = 0
    done = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal seen, done
        seen += 1
        if seen < step.nth or (seen > step.nth and not step.every):
            return found.group()
        done += 1
        return re.sub(
            r"\\(.)|&",
            lambda sign: _inserted(found, sign.group(1)),
            step.new,
            flags=re.DOTALL,
        )

    return regex.sub(replace, text), done


def _inserted(found: re.Match[str], escaped: str | None) -> str:
    if escaped is None or escaped == "0":
        return found.group()
    if escaped.isdigit():
        return found.group(int(escaped)) or ""
    return {"n": "\n", "t": "\t"}.get(escaped, escaped)
