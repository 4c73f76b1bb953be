"""A unit comes back from a student: its kit piece by piece beside what went out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from fleet.account.custody import kit as custody_kit
from fleet.account.custody import steps as custody_steps
from fleet.account.custody import when
from fleet.account.custody import words as custody_words
from fleet.account.custody.kit import Kit
from fleet.account.custody.steps import Going, Moved
from fleet.bulk import batches
from fleet.db import transaction
from fleet.errors import CustodyError
from fleet.models import acceptances
from fleet.units import Registry

_AT_ONCE = 2000


@dataclass(frozen=True)
class Returned:
    """``missing``: pieces that went out and did not come back. ``strangers``: pieces that never went out."""

    moved: Moved
    kit: Kit
    missing: Kit
    strangers: tuple[str, ...]


def take_back(
    registry: Registry,
    names: Sequence[str],
    place: str,
    kit: Kit | None,
    condition: str,
    *,
    without: Kit | None = None,
    on: str = "",
) -> tuple[Returned, ...]:
    """The units that are named come back to ``place``. ``kit`` ``None``: each with all that went out with it, but for
    the pieces ``without``. ``on``: the day on which they came, where that was earlier.

    What is missing is recorded, and stops nothing. Raises as :func:`custody_steps.do` does.
    """
    if kit is not None and not any(kit.values()):
        raise CustodyError(
            "It cannot come back without --kit or --complete.", "Say what came back, such as --kit device=1."
        )
    condition = custody_words.checked("conditions", condition)
    with transaction(registry.engine) as conn:
        said = {"place": place, "kit": "said below", "condition": condition}
        going = custody_steps.plan(conn, "return", names, said)
        day = when.day(on, registry.ledger.clock()) if on else None
        came = [{"on": day.after(one.held.since, one.held.shown)} if day else {} for one in going]
        went = _went(conn, [one.held.key for one in going])
        done = tuple(_returned(one, went.get(one.held.key, {}), kit, without or {}) for one in going)
        bodies = (
            one.body("return", {"condition": condition, "kit": {**back.kit}, "missing": {**back.missing}, **at})
            for one, back, at in zip(going, done, came, strict=True)
        )
        happened = (("unit.custody", one.held.key, body) for one, body in zip(going, bodies, strict=True))
        registry.ledger.append_many(conn, happened)
    return done


def _returned(going: Going, went: Kit, kit: Kit | None, without: Kit) -> Returned:
    if strange := custody_kit.strangers(went, without):
        raise CustodyError(f"{going.held.shown} never had {', '.join(strange)}.", f"It had {custody_kit.words(went)}.")
    left = {piece: number - without.get(piece, 0) for piece, number in went.items()}
    came = {piece: number for piece, number in (left if kit is None else kit).items() if number > 0}
    return Returned(going.moved("return"), came, custody_kit.missing(went, came), custody_kit.strangers(went, came))


def _went(conn: Connection, keys: Sequence[str]) -> Mapping[str, Kit]:
    """What went out with each unit that is out."""
    found: dict[str, Kit] = {}
    for some in batches(keys, _AT_ONCE):
        mine = acceptances.c.unit.in_(some) & acceptances.c.returned_at.is_(None)
        query = select(acceptances.c.unit, acceptances.c.kit).where(mine).order_by(acceptances.c.at)
        found.update({row.unit: json.loads(row.kit) for row in conn.execute(query)})
    return found
