"""Who may do what: the permissions that shell holds, and the kinds of permission that an app may ask for (§1)."""

from __future__ import annotations

from enum import Enum
from functools import cache
from importlib import resources
from typing import Any

import yaml


class Kind(Enum):
    """What a phone makes of a permission name."""

    UNKNOWN = "unknown"
    FIXED = "fixed"
    ROLE = "role"
    DEVELOPMENT = "development"
    DANGEROUS = "dangerous"


@cache
def table() -> dict[str, Any]:
    """permissions.yaml as it stands."""
    text = resources.files("provision.virtual.android").joinpath("permissions.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def shell_holds(permission: str, api: int, switches: dict[str, bool]) -> bool:
    """Whether uid 2000 holds ``android.permission.<permission>`` on this API level, with the vendor's switches so."""
    first, last = table()["shell"].get(permission, (1, 0))
    withheld = any(not on and permission in table()["withheld"].get(switch, ()) for switch, on in switches.items())
    return first <= api <= last and not withheld


def kind(permission: str, api: int) -> Kind:
    """The kind of a permission, given by its full name, on this API level."""
    rows = table()
    if permission in rows["dangerous"]:
        return Kind.DANGEROUS if rows["dangerous"][permission] <= api else Kind.UNKNOWN
    if permission in rows["development"]:
        return Kind.DEVELOPMENT
    if permission in rows["role"]:
        return Kind.ROLE if api >= 31 else Kind.FIXED
    return Kind.FIXED if permission in rows["fixed"] else Kind.UNKNOWN
