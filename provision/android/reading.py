"""What the parsers of phones' answers share: clean text and bounded numbers.

Nothing here raises on noise: what cannot be read is ``None``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from provision.setting import Answer

_LIMIT = 1 << 20


def text(answers: Mapping[str, Answer], name: str) -> str:
    """The answer to the probe ``name`` with plain line ends, cut at 1 Mi characters; "" if there is none."""
    answer = answers.get(name)
    return answer.text[:_LIMIT].replace("\r", "") if answer else ""


def number(word: str | None) -> int | None:
    """A whole number of at most 18 digits, or ``None``."""
    found = re.fullmatch(r"\s*(-?[0-9]{1,18})\s*", word or "")
    return int(found[1]) if found else None


def plain(word: str, limit: int = 120) -> str:
    """One line without control characters, for people and for the registry."""
    return "".join(c for c in word[: 4 * limit] if c.isprintable()).strip()[:limit]
