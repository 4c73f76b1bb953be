"""Is it a phone, and in which state does it show itself on the bus? The knowledge is in phones.yaml."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Mode(NamedTuple):
    """What a phone shows of itself that ``door`` (adb or usbmuxd) does not list, and the one next action."""

    what: str
    next_action: str
    door: str = "adb"


def mode_of(ids: str, product: str, interfaces: Collection[str]) -> Mode | None:
    """The mode of a phone with these ids ("04e8:6860") and interfaces ("ff/42/01"); None for what is no phone."""
    known = _known()
    rows: list[dict[str, str]] = [row for row in known["ids"] if row["id"] == ids]
    rows += [row for row in known["modes"] if row["interface"] in interfaces]
    vendor = ids.partition(":")[0]
    if vendor == known["apple"]["vendor"]:
        rows = [row for row in rows if "id" in row] or [known["apple"]] * is_apple(ids, product)
    elif vendor in known["vendors"] and not any(kind.startswith(tuple(known["not_phones"])) for kind in interfaces):
        rows.append(known["other" if interfaces else "no_interfaces"])
    return Mode(rows[0]["what"], rows[0]["next"], rows[0].get("door", "adb")) if rows else None


def is_apple(ids: str, product: str) -> bool:
    """Whether it is an iPhone or iPad that runs iOS; Apple's other things have the same vendor id."""
    apple = _known()["apple"]
    return ids.partition(":")[0] == apple["vendor"] and product.startswith(tuple(apple["names"]))


def maker(vendor: str) -> str:
    """The phone maker with this vendor id, "" for any other."""
    name: str = _known()["vendors"].get(vendor, "")
    return name


@cache
def _known() -> dict[str, Any]:
    known: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("phones.yaml").read_text(encoding="utf-8"))
    return known
