"""What an iPhone says when it refuses an app, in words for a technician; the texts are in install_errors.yaml.

A new error or code is a new row there, and a case in tests/data/ios/install_errors.yaml.
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

_CODE = re.compile(r"0x[0-9a-fA-F]{8}(?![0-9a-fA-F])")
_MOST_READ = 20_000
_MOST_SHOWN = 300


@dataclass(frozen=True)
class Explained:
    """A refusal. ``code`` is the device's own: a number as ``0xe8008015``, else the name of the error.

    ``kind``: ``retry`` when the same again may work, ``operator`` when a person has to do something first,
    ``permanent`` when this file will never go on this device as both are.
    """

    code: str
    reason: str
    next_action: str
    kind: Kind


@dataclass(frozen=True)
class _Row:
    code: str
    error: str
    text: re.Pattern[str] | None
    reason: str
    next_action: str
    kind: Kind

    def fits(self, code: str, error: str, said: str) -> bool:
        if self.text is not None:
            return self.text.search(said) is not None
        return (self.code or self.error) == (code if self.code else error)


def explain(error: str, description: str = "", detail: object = None) -> Explained:
    """The reason behind a refusal of installation_proxy: its ``Error``, ``ErrorDescription`` and ``ErrorDetail``.

    The detail is the same number as that in the description, where there is one, as a signed integer.
    """
    error, said = error[:_MOST_SHOWN], description[:_MOST_READ]
    code = _code(said, detail)
    for row in _rows():
        if row.fits(code, error, said):
            return Explained(code or error, row.reason, row.next_action, row.kind)
    own = printable(f"{error}: {said}".strip(": "))[:_MOST_SHOWN]
    return Explained(
        code or error,
        f"The device refused the app: {own}" if own else "The device refused the app without saying why.",
        "Look at its screen for a question; if there is none, restart it and run again.",
        "permanent",
    )


def _code(said: str, detail: object) -> str:
    if found := _CODE.search(said):
        return found[0].lower()
    if isinstance(detail, int) and not isinstance(detail, bool) and -(1 << 31) <= detail < 0:
        return f"0x{detail & 0xFFFFFFFF:08x}"
    return ""


@once
def _rows() -> tuple[_Row, ...]:
    path = Path(__file__).with_suffix(".yaml")
    return tuple(_row(row) for row in yaml.safe_load(path.read_text(encoding="utf-8")))


def _row(row: Mapping[str, Any]) -> _Row:
    return _Row(
        code=row.get("code", ""),
        error=row.get("error", ""),
        text=re.compile(row["text"]) if "text" in row else None,
        reason=row["reason"],
        next_action=row["next"],
        kind=row["kind"],
    )
