"""The words in which custody is recorded: custody_words.yaml."""

from __future__ import annotations

from pathlib import Path

from fleet.errors import CustodyError
from profiles.errors import meant
from profiles.once import once
from provision.text import printable

FILE = Path(__file__).with_name("words.yaml")

_NAMES = {"roles": "who may take a device", "conditions": "a condition", "faults": "a fault", "refusals": "a reason"}


@once
def _all() -> dict[str, tuple[str, ...]]:
    import yaml

    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {kind: tuple(found[kind]) for kind in _NAMES}


def known(kind: str) -> tuple[str, ...]:
    """All words of a kind: roles, conditions, faults, refusals."""
    return _all()[kind]


def checked(kind: str, word: str) -> str:
    """The word as it is kept, whatever its capitals. CustodyError, with the nearest one, when it is none of ours."""
    by_fold = {one.casefold(): one for one in known(kind)}
    typed = " ".join(word.replace("_", " ").split()).casefold()
    if typed in by_fold:
        return by_fold[typed]
    raise CustodyError(
        f'"{printable(word)}" is not {_NAMES[kind]}{meant(typed, by_fold)}.', f"Known are: {', '.join(known(kind))}."
    )
