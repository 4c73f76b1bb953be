"""What a phone says when it refuses an app, in words for a technician; the texts are in install_errors.yaml.

A new code or text is a new row there, and a case in tests/data/android/install_errors.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from profiles.once import once
from provision.text import printable

Kind = Literal["retry", "operator", "permanent"]

_CODE = re.compile(r"Failure \[\s*((?:INSTALL|DELETE)_[A-Z_]+)")
_MOST_READ = 20_000
_MOST_SHOWN = 300


@dataclass(frozen=True)
class Explained:
    """A refusal. ``code`` is Android's own ("" if it gave none).

    ``kind``: ``retry`` when the same again may work, ``operator`` when a person has to do something on the phone
    first, ``permanent`` when this file will never go on this phone as both are (facts §2.2).
    """

    code: str
    reason: str
    next_action: str
    kind: Kind

    @property
    def retryable(self) -> bool:
        return self.kind == "retry"


@dataclass(frozen=True)
class _Row:
    code: str
    text: re.Pattern[str] | None
    phones: frozenset[str]
    reason: str
    next_action: str
    kind: Kind

    def fits(self, code: str, said: str, phone: frozenset[str]) -> bool:
        if self.phones and not self.phones & phone:
            return False
        return self.code == code if self.text is None else self.text.search(said) is not None


def explain(text: str, *, maker: str, skin: str) -> Explained:
    """The reason behind ``text``, the answer of a phone of this ``maker`` and ``skin`` to an install or uninstall."""
    said = text[:_MOST_READ]
    found = _CODE.search(said)
    code = found[1] if found else ""
    phone = frozenset({maker.casefold(), skin.casefold()})
    for row in _rows():
        if row.fits(code, said, phone):
            return Explained(code, row.reason, row.next_action, row.kind)
    own = _own_words(said)
    return Explained(
        code,
        f"The phone refused the app: {own}" if own else "The phone refused the app without saying why.",
        "Look at its screen for a question; if there is none, restart it and run again.",
        "permanent",
    )


def _own_words(said: str) -> str:
    """The line of the answer that says most: the verdict or the exception, else the first one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = (line for line in lines if line.startswith(("Failure", "Error")) or "Exception:" in line)
    return printable(next(telling, lines[0] if lines else ""))[:_MOST_SHOWN]


@once
def _rows() -> tuple[_Row, ...]:
    path = Path(__file__).with_suffix(".yaml")
    return tuple(_row(row) for row in yaml.safe_load(path.read_text(encoding="utf-8")))


def _row(row: Mapping[str, Any]) -> _Row:
    return _Row(
        code=row.get("code", ""),
        text=re.compile(row["text"], re.MULTILINE) if "text" in row else None,
        phones=frozenset(name.casefold() for name in [*row.get("maker", ()), *row.get("skin", ())]),
        reason=row["reason"],
        next_action=row["next"],
        kind=row["kind"],
    )
