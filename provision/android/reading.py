"""What the parsers of phones' answers share: clean text and bounded numbers.

Nothing here raises on noise: what cannot be read is ``None``. And no noise takes long: ``re`` lets no other thread
work while it searches, so a pattern that goes back over a long answer would stop the runs of all other phones. Hence
answers are cut, spaces are looked for within a line, and what may be of any length is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from provision.setting import Answer

_LIMIT = 1 << 18
"""Characters: some three times the longest answer that a parser reads, ``getprop`` of a phone with many services."""

_LONGEST_LINE = 1000


def text(answers: Mapping[str, Answer], name: str) -> str:
    """The answer to the probe ``name`` with plain line ends, cut at 256 Ki characters; "" if there is none."""
    answer = answers.get(name)
    return answer.text[:_LIMIT].replace("\r", "") if answer else ""


def lines(answers: Mapping[str, Answer], name: str) -> Iterator[str]:
    """The lines of that answer without the spaces around them. One that is longer than any we read is left out."""
    return (line.strip() for line in text(answers, name).split("\n") if len(line) <= _LONGEST_LINE)


def number(word: str | None) -> int | None:
    """A whole number of at most 18 digits, or ``None``."""
    found = re.fullmatch(r"\s*(-?[0-9]{1,18})\s*", word or "")
    return int(found[1]) if found else None


def plain(word: str, limit: int = 120) -> str:
    """One line without control characters, for people and for the registry."""
    return "".join(c for c in word[: 4 * limit] if c.isprintable()).strip()[:limit]
