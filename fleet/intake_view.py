"""The last intake of a unit, read from the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from fleet import tags
from fleet.models import intakes, units


@dataclass(frozen=True)
class LastIntake:
    """``unit`` and ``row`` as the tables have them (``row`` is ``None`` without an intake); ``shown`` and
    ``not_shown`` are signs of a reset, by their keys in intake_words.yaml."""

    unit: Mapping[str, Any]
    row: Mapping[str, Any] | None
    shown: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()


def last_intake(conn: Connection, name: str) -> LastIntake:
    """What the registry holds of the last intake of the unit that ``name`` means. Raises UnitError."""
    key = tags.the(conn, name).key
    unit = dict(conn.execute(select(units).where(units.c.key == key)).mappings().one())
    row = conn.execute(select(intakes).where(intakes.c.unit == key)).mappings().one_or_none()
    if row is None:
        return LastIntake(unit, None)
    signs = json.loads(row["reset"])
    return LastIntake(unit, dict(row), tuple(signs.get("shown", ())), tuple(signs.get("not_shown", ())))
