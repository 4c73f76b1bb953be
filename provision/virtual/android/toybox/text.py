"""Applets that work on text: cat, head, tail, wc, cut, tr, sort, uniq, grep, and the check sums."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from provision.virtual.android.process import Process, decode, encode
from provision.virtual.android.shell.words import unescape
from provision.virtual.android.toybox.common import (
    Options,
    Usage,
    complain,
    each_file,
    lines,
    name,
    options,
    pieces,
    whole,
)


def cat(process: Process) -> int:
    given = options(process, "uetv")

    def work(word: str) -> None:
        for part in pieces(process, word):
            process.out.write(part)

    return each_file(process, given.words, work)


def _count(given: Options) -> str:
    text = given.values.get("n", "10")
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        raise Usage(f"not integer: {text}")
    return text


def _old_style(process: Process) -> Process:
    """``head -5`` means ``head -n 5``."""
    return process.but(argv=[re.sub(r"^-([0-9]+)$", r"-n\1", word) for word in process.argv])


def head(process: Process) -> int:
    process = _old_style(process)
    given = options(process, "qv", "nc")
    number = int(given.values.get("c") or _count(given))

    def work(word: str) -> None:
        _title(process, given, word)
        left = number
        for part in pieces(process, word):
            if "c" in given.values:
                process.out.write(part[:left])
                left -= len(part)
            else:
                rows = part.split(b"\n")
                end = sum(len(row) + 1 for row in rows[:left])
                process.out.write(part[:end])
                left -= len(rows) - 1
            if left <= 0:
                return

    return each_file(process, given.words, work)


def _title(process: Process, given: Options, word: str) -> None:
    if ("v" in given or len(given.words) > 1) and "q" not in given:
        process.say(f"{'' if word is given.words[0] else chr(10)}==> {word} <==\n")


def tail(process: Process) -> int:
    process = _old_style(process)
    given = options(process, "qvf", "nc")
    text = given.values.get("c") or _count(given)

    def work(word: str) -> None:
        _title(process, given, word)
        data = whole(process, word)
        if "c" in given.values:
            process.out.write(data[int(text) - 1 :] if text[0] == "+" else data[-abs(int(text)) :])
            return
        rows = data.splitlines(keepends=True) if b"\r" not in data else [row + b"\n" for row in data.split(b"\n")]
        process.out.write(b"".join(rows[int(text) - 1 :] if text[0] == "+" else rows[-abs(int(text)) :]))

    return each_file(process, given.words, work)


def wc(process: Process) -> int:
    given = options(process, "lwcm")
    totals = [0, 0, 0]
    wanted = [number for number, flag in enumerate("lwc") if flag in given or (flag == "c" and "m" in given)]

    def say(counts: list[int], word: str) -> None:
        shown = [counts[number] for number in wanted or (0, 1, 2)]
        process.say(" ".join([str(count) for count in shown] + ([word] if word != "-" else [])) + "\n")

    def work(word: str) -> None:
        data = whole(process, word)
        size = len(decode(data)) if "m" in given else len(data)
        counts = [data.count(b"\n"), len(data.split()), size]
        totals[:] = [total + count for total, count in zip(totals, counts, strict=True)]
        say(counts, word)

    status = each_file(process, given.words, work)
    if len(given.words) > 1:
        say(totals, "total")
    return status


def _ranges(text: str) -> Callable[[int], bool]:
    """Whether a number, from 1, is in ``1,3-5,7-``."""
    spans = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        spans.append((int(first or 1), int(last) if last else (1 << 30 if dash else int(first))))
    return lambda number: any(first <= number <= last for first, last in spans)


def cut(process: Process) -> int:
    given = options(process, "sn", "dfcbO")
    which = next((flag for flag in "fcb" if flag in given.values), None)
    if which is None:
        raise Usage("Needs -fFcCb")
    wanted = _ranges(given.values[which])
    between = given.values.get("d", "\t")

    def work(word: str) -> None:
        for line in lines(process, word):
            if which != "f":
                process.say("".join(char for at, char in enumerate(line, 1) if wanted(at)) + "\n")
            elif between in line:
                process.say(between.join(part for at, part in enumerate(line.split(between), 1) if wanted(at)) + "\n")
            elif "s" not in given:
                process.say(line + "\n")

    return each_file(process, given.words, work)


_CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \\t\\n\\r\\f\\v",
    "blank": " \\t",
    "xdigit": "0-9A-Fa-f",
    "punct": "!-/:-@\\[-`{-~",
}


def _signs(text: str) -> list[str]:
    """The characters of a ``tr`` set: ranges, classes, escapes."""
    for word, signs in _CLASSES.items():
        text = text.replace(f"[:{word}:]", signs)
    text = unescape(text)
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            found += [chr(code) for code in range(ord(text[at]), ord(text[at + 2]) + 1)]
            at += 3
        else:
            found.append(text[at])
            at += 1
    return found


def tr(process: Process) -> int:
    given = options(process, "dscC", least=1)
    first = _signs(given.words[0])
    second = _signs(given.words[1]) if len(given.words) > 1 else []
    text = decode(whole(process, "-"))
    inverted = "c" in given or "C" in given
    table = dict(zip(first, second + second[-1:] * (len(first) - len(second)), strict=False))
    found: list[str] = []
    for char in text:
        inside = (char in table or char in first) != inverted
        if inside and "d" in given:
            continue
        new = char
        if inside and second:
            new = second[-1] if inverted else table[char]
        squeezed = set(second or (set() if inverted else first))
        if "s" in given and found[-1:] == [new] and (new in squeezed or (inverted and inside)):
            continue
        found.append(new)
    process.say("".join(found))
    return 0


def sort(process: Process) -> int:
    given = options(process, "rnubfzV", "kto")
    rows: list[str] = []
    status = each_file(process, given.words, lambda word: rows.extend(lines(process, word)))

    def key(row: str) -> tuple[float, bytes]:
        part = row
        if "k" in given.values:
            column = int(re.split(r"[^0-9]", given.values["k"])[0] or 1)
            columns = row.split(given.values.get("t"))
            part = columns[column - 1] if column <= len(columns) else ""
        number = re.match(r"\s*-?[0-9.]+", part) if "n" in given else None
        text = part.lower() if "f" in given else part
        return (float(number.group()) if number else 0.0), b"" if "n" in given else encode(text)

    rows.sort(key=lambda row: (key(row), encode(row)), reverse="r" in given)
    if "u" in given:
        rows = list(dict.fromkeys(rows))
    process.say("".join(row + "\n" for row in rows))
    return status


def uniq(process: Process) -> int:
    given = options(process, "cdui", "fs")
    groups: list[list[str]] = []
    for line in lines(process, given.words[0] if given.words else "-"):
        if groups and groups[-1][0] == line:
            groups[-1].append(line)
        else:
            groups.append([line])
    for group in groups:
        if ("d" in given and len(group) < 2) or ("u" in given and len(group) > 1):
            continue
        process.say((f"{len(group):7} " if "c" in given else "") + group[0] + "\n")
    return 0


def to_python(pattern: str, *, extended: bool) -> str:
    """A POSIX regular expression in Python's spelling. Basic ones have ``\\(`` for ``(`` and no ``+ ? |``."""
    for word, signs in _CLASSES.items():
        pattern = pattern.replace(f"[:{word}:]", signs)
    if extended:
        return pattern
    found, at = "", 0
    while at < len(pattern):
        char, pair = pattern[at], pattern[at : at + 2]
        if char == "[":
            end = pattern.find("]", at + 2)
            found += pattern[at : end + 1] if end > 0 else "\\["
            at = end + 1 if end > 0 else at + 1
            continue
        if len(pair) == 2 and char == "\\":
            found += pair[1] if pair[1] in "(){}" else pair
            at += 2
            continue
        plain = char in "(){}|+?" or (char == "*" and found in ("", "^", "("))
        found += "\\" + char if plain else char
        at += 1
    return found


def grep(process: Process) -> int:
    """``-E -F -o -q -v -i -c -n -l -L -h -H -s -w -x -a -m NUM -r -e PATTERN``."""
    given = options(process, "EFoqvicnlLhHswxarRG", "em", least=0)
    words = list(given.words)
    if "e" in given.values:
        patterns = [given.values["e"]]
    elif words:
        patterns = words.pop(0).split("\n")
    else:
        raise Usage("no REGEX")
    regex = _compiled(patterns, given, extended="E" in given or name(process) == "egrep", fixed="F" in given)
    if "r" in given or "R" in given:
        words = _below(process, words or ["."])
    hits = 0
    failed: list[str] = []
    for word in words or ["-"]:
        try:
            hits += _grep_file(process, given, regex, word, titled=len(words) > 1 or "H" in given or "r" in given)
        except OSError as error:
            failed.append(word)
            if "s" not in given:
                complain(process, f"{word}: {error.strerror}")
        if hits and "q" in given:
            return 0
    return 2 if failed else int(hits == 0)


def _compiled(patterns: list[str], given: Options, *, extended: bool, fixed: bool) -> re.Pattern[str]:
    parts = [re.escape(one) if fixed else to_python(one, extended=extended) for one in patterns]
    text = "|".join(f"(?:{part})" for part in parts)
    text = rf"(?<!\w)(?:{text})(?!\w)" if "w" in given else f"^(?:{text})$" if "x" in given else text
    try:
        return re.compile(text, re.IGNORECASE if "i" in given else 0)
    except re.error as error:
        raise Usage(f"bad REGEX: {error}") from None


def _below(process: Process, words: list[str]) -> list[str]:
    found = []
    for word in words:
        walked = [
            f"{word.rstrip('/')}{path[len(base) :]}"
            for base in [_base(process, word)]
            for path in _files(process, base)
        ]
        found += walked or [word]
    return found


def _base(process: Process, word: str) -> str:
    return (word if word.startswith("/") else f"{process.cwd.rstrip('/')}/{word}").rstrip("/")


def _files(process: Process, base: str) -> list[str]:
    return [path for path, status in process.phone.files.walk(base, uid=process.uid) if status.is_regular]


def _grep_file(process: Process, given: Options, regex: re.Pattern[str], word: str, *, titled: bool) -> int:
    title = f"{word if word != '-' else '(standard input)'}:" if titled and "h" not in given else ""
    quiet = any(flag in given for flag in "qclL")
    search, inverted = regex.search, "v" in given  # noise is hundreds of thousands of lines
    hits = 0
    for number, line in enumerate(lines(process, word), 1):
        if bool(search(line)) == inverted:
            continue
        hits += 1
        prefix = title + (f"{number}:" if "n" in given else "")
        if not quiet:
            shown = [found.group() for found in regex.finditer(line) if found.group()] if "o" in given else [line]
            process.say("".join(f"{prefix}{text}\n" for text in shown))
        if "q" in given or hits >= int(given.values.get("m", 1 << 30)):
            break
    if "c" in given:
        process.say(f"{title}{hits}\n")
    if ("l" in given and hits) or ("L" in given and not hits):
        process.say(f"{word if word != '-' else '(standard input)'}\n")
    return hits


def check_sum(algorithm: str) -> Callable[[Process], int]:
    """``md5sum`` and its like: ``-b`` prints only the sums, ``-c`` checks a list of them."""

    def digest(process: Process, word: str) -> str:
        found = hashlib.new(algorithm)
        for part in pieces(process, word):
            found.update(part)
        return found.hexdigest()

    def run(process: Process) -> int:
        given = options(process, "bcs")
        if "c" in given:
            return _check(process, given, digest)
        return each_file(
            process,
            given.words,
            lambda word: process.say(digest(process, word) + ("" if "b" in given else f"  {word}") + "\n"),
        )

    return run


def _check(process: Process, given: Options, digest: Callable[[Process, str], str]) -> int:
    status = 0

    def work(listed: str) -> None:
        nonlocal status
        for line in lines(process, listed):
            wanted, _, word = line.partition("  ")
            try:
                same = digest(process, word) == wanted
            except OSError as error:
                same = False
                complain(process, f"{word}: {error.strerror}")
            if "s" not in given:
                process.say(f"{word}: {'OK' if same else 'FAILED'}\n")
            status = status or int(not same)

    return each_file(process, given.words, work) or status
