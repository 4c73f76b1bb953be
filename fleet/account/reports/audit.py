"""The list that auditors ask for: every device, every loan of it, its line and plan (FCC 47 CFR 54.516 and its kin).

A row per loan; a device that was never handed over has one, too. Students are pseudonyms, or names where somebody said
why: then each reading is an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from fleet.account.filters.sql import Asked
from fleet.account.people.vault import Vault, person_of
from fleet.account.status.unit_words import student
from fleet.bulk import batches, streamed
from fleet.ledger import Ledger
from fleet.models import acceptances, custody, holdings, sims, units, vault
from fleet.values import storable

_CHUNK = 500
HEAD = (
    *("make", "model", "serial", "imei", "tag", "state", "place", "batch", "received"),
    *("person", "taken_by", "loaned", "returned", "lost", "condition", "condition_returned"),
    *("sim", "line", "operator", "plan", "plan_days", "plan_ends", "last_use"),
)


class Names:
    """The names of students, read from the vault for a reason that the ledger tells."""

    def __init__(self, conn: Connection, ledger: Ledger, opened: Vault, why: str) -> None:
        self._conn, self._ledger, self._vault, self._why = conn, ledger, opened, storable(why)
        self._told: set[str] = set()

    def of(self, keys: Sequence[str]) -> Mapping[str, str]:
        """By pseudonym; who is not in the vault any more is left out. VaultError."""
        query = select(vault.c.student, vault.c.sealed).where(vault.c.student.in_(keys))
        found = {key: person_of(self._vault.unseal(key, sealed)).name for key, sealed in self._conn.execute(query)}
        news = sorted(found.keys() - self._told)
        self._ledger.append_many(self._conn, (("vault.read", key, {"v": 1, "why": self._why}) for key in news))
        self._told |= found.keys()
        return found


def rows(conn: Connection, within: Asked, names: Names | None = None) -> Iterator[tuple[Any, ...]]:
    """In the order of :data:`HEAD`; days are UTC. With ``names``, ``person`` is the name where it is known."""
    for chunk in batches(streamed(conn, _query(within)), _CHUNK):
        keys = sorted({row.student for row in chunk if row.student})
        called = names.of(keys) if names and keys else {}
        for row in chunk:
            person = called.get(row.student) or student(row.student) if row.student else ""
            yield tuple(
                _cell(name, person if name == "person" else value) for name, value in zip(HEAD, row, strict=False)
            )


_DAYS = frozenset({"received", "loaned", "returned", "lost", "plan_ends", "last_use"})


def _cell(name: str, value: Any) -> Any:
    if name in _DAYS:
        return (value or "")[:10]
    return value.replace("_", " ") if name == "state" else value


def _query(within: Asked) -> Any:
    """The last two columns are not of :data:`HEAD`: who it is, and the order."""
    frame = within.frame(units, custody)
    losses = select(func.max(holdings.c.since)).where(holdings.c.unit == units.c.key, holdings.c.step == "lose")
    lost = losses.correlate(units).scalar_subquery()
    first = select(func.min(sims.c.iccid)).where(sims.c.unit == units.c.key).correlate(units).scalar_subquery()
    source = frame.source.outerjoin(acceptances, acceptances.c.unit == units.c.key).outerjoin(
        sims, sims.c.iccid == first
    )
    columns = (
        *(units.c.maker, units.c.model, units.c.serial, units.c.imei, units.c.tag, units.c.state),
        *(custody.c.place, custody.c.batch, custody.c.received_at),
        *(acceptances.c.student.label("person"), acceptances.c.taken_by, acceptances.c.at, acceptances.c.returned_at),
        *(lost.label("lost"), acceptances.c.condition, acceptances.c.returned_condition),
        *(sims.c.iccid, sims.c.msisdn, sims.c.carrier, sims.c.quota, sims.c.days, sims.c.ends_at, sims.c.used_at),
        acceptances.c.student.label("student"),
    )
    return select(*columns).select_from(source).where(frame.where).order_by(units.c.key, acceptances.c.at)
