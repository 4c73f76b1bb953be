"""``* ? [ ]``: in ``case``, in ``${x#…}`` and against the names of files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from provision.virtual.android.files import Files
from provision.virtual.android.paths import join

Piece = tuple[str, bool]
"""A piece of text, and whether it is quoted: quoted pieces stand for themselves."""


def is_pattern(pieces: Iterable[Piece]) -> bool:
    return any(not quoted and any(sign in text for sign in "*?[") for text, quoted in pieces)


def to_regex(pieces: Iterable[Piece], *, anything: str = ".", greedy: bool = True) -> str:
    """The regular expression for a pattern; ``anything`` is what one ``?`` matches."""
    signs = [(char, quoted) for text, quoted in pieces for char in text]
    found: list[str] = []
    at = 0
    while at < len(signs):
        char, quoted = signs[at]
        at += 1
        if quoted or char not in "*?[":
            found.append(re.escape(char))
        elif char == "*":
            found.append(f"{anything}*" + ("" if greedy else "?"))
        elif char == "?":
            found.append(anything)
        else:
            bracket, at = _bracket(signs, at)
            found.append(bracket)
    return "".join(found)


def _bracket(signs: list[Piece], at: int) -> tuple[str, int]:
    start = at + (at < len(signs) and signs[at][0] in "!^")
    end = start + 1
    while end < len(signs) and signs[end][0] != "]":
        end += 1
    if end >= len(signs):
        return re.escape("["), at
    inside = "".join(re.escape(char) if quoted or char != "-" else char for char, quoted in signs[start:end])
    return f"[{'^' if start > at else ''}{inside}]", end + 1


def matches(pieces: Iterable[Piece], text: str) -> bool:
    return re.fullmatch(to_regex(pieces), text, re.DOTALL) is not None


def paths(pieces: list[Piece], files: Files, cwd: str) -> list[str]:
    """The files that a pattern names, sorted."""
    parts: list[list[Piece]] = [[]]
    for text, quoted in pieces:
        for number, piece in enumerate(text.split("/")):
            if number:
                parts.append([])
            parts[-1].append((piece, quoted))
    names = ["".join(text for text, _ in part) for part in parts]
    found = [""]
    for number, part in enumerate(parts):
        if is_pattern(part):
            found = [f"{base}{name}" for base in found for name in _names(part, files, join(cwd, base or "."))]
        else:
            found = [base + names[number] for base in found]
        if number < len(parts) - 1:
            found = [f"{path}/" for path in found]
    return sorted(path for path in found if files.exists(join(cwd, path)))


def _names(part: list[Piece], files: Files, directory: str) -> list[str]:
    try:
        names = files.listing(directory)
    except OSError:
        return []
    regex = re.compile(to_regex(part, anything="[^/]"), re.DOTALL)
    hidden = part[0][0].startswith(".")
    return [name for name in names if regex.fullmatch(name) and (hidden or not name.startswith("."))]
