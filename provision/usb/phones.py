"""Is it a phone, and in which state does it show itself on the bus? The knowledge is in phones.yaml."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Mode(NamedTuple):
    """What a phone that adb does not list shows of itself, and the one next action."""

    what: str
    next_action: str


def mode_of(ids: str, product: str, interfaces: Collection[str]) -> Mode | None:
    """The mode of a phone with these ids ("04e8:6860") and interfaces ("ff/42/01"); None for what is no phone."""
    known = _known()
    rows: list[dict[str, str]] = [row for row in known["ids"] if row["id"] == ids]
    rows += [row for row in known["modes"] if row["interface"] in interfaces]
    vendor = ids.partition(":")[0]
    apple = known["apple"]
    if vendor == apple["vendor"]:
        rows = [apple] if product.startswith(tuple(apple["names"])) else []
    elif vendor in known["vendors"] and not any(kind.startswith(tuple(known["not_phones"])) for kind in interfaces):
        rows.append(known["other" if interfaces else "no_interfaces"])
    return Mode(rows[0]["what"], rows[0]["next"]) if rows else None


def maker(vendor: str) -> str:
    """The phone maker with this vendor id, "" for any other."""
    name: str = _known()["vendors"].get(vendor, "")
    return name


@cache
def _known() -> dict[str, Any]:
    known: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("phones.yaml").read_text(encoding="utf-8"))
    return known
