"""What a phone says when it refuses, in words for a technician; the texts are in refusals.yaml (facts §1–§4.1).

A new text is a new row there, and a line in tests/data/android/refusals.yaml.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

from profiles.once import once
from provision.model import Cannot, Identity

NO = ("Exception", "Error:", "Failure", "Permission den", "Can't find service")
"""Signs of a refusal in what a command of the phone prints, whatever its exit status (facts §0.4, §2.0)."""

_LIMIT = 20_000


class _Row(NamedTuple):
    text: re.Pattern[str]
    makers: frozenset[str]
    reason: str
    next_action: str


def explain(said: str, identity: Identity) -> tuple[str, str] | None:
    """The reason and the next action ("" if none) behind what the phone ``said``; ``None`` if that is not known."""
    said = said[:_LIMIT]
    for row in _rows():
        if row.makers and identity.maker not in row.makers:
            continue
        if found := row.text.search(said):
            words = {key: word or "" for key, word in found.groupdict().items()}
            return row.reason.format(**words), row.next_action.format(**words)
    return None


def unreadable(what: str, said: str = "", identity: Identity | None = None) -> Cannot:
    """The state of an item whose present value the phone does not tell; ``said`` is its answer, if there was one."""
    known = explain(said, identity) if identity else None
    reason = f": {known[0]}" if known else ""
    return Cannot(f"the phone does not tell {what}{reason}", known[1] if known else "Look on the phone itself.")


@once
def _rows() -> tuple[_Row, ...]:
    rows = yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text(encoding="utf-8"))
    return tuple(
        _Row(re.compile(row["text"]), frozenset(row.get("maker", ())), row["reason"], row.get("next", ""))
        for row in rows
    )
