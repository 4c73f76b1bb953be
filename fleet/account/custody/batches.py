"""Batches: what a donor gave at once, and how many units the donor's papers speak of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from fleet.errors import AccountError
from fleet.ledger import Ledger
from fleet.models import batches
from fleet.values import storable
from profiles.errors import meant
from provision.text import printable

_MOST = 64
_TAKEN = "unrecorded"
"""What the origin of a unit is called that is in no batch."""


@dataclass(frozen=True)
class Batch:
    """``announced`` ``None``: nobody said how many there are to be."""

    batch: str
    donor: str
    announced: int | None


def checked(name: str) -> str:
    """The name as it is kept. AccountError when it cannot be one."""
    kept = storable(" ".join(name.split()))
    if not kept or len(kept) > _MOST or not kept.isprintable() or kept == _TAKEN:
        raise AccountError(f"{printable(name)!r} cannot be the name of a batch.", "Write a short one, such as VNPT-1.")
    return kept


def find(conn: Connection, name: str) -> Batch | None:
    row = conn.execute(
        select(batches.c.batch, batches.c.donor, batches.c.announced).where(batches.c.batch == name)
    ).one_or_none()
    return Batch(*row) if row else None


def wanted(conn: Connection, name: str, donor: str | None, announced: int | None, listed: int | None = None) -> Batch:
    """The batch as it is to be: what is not said stays. ``listed``: how many a new one is taken to announce when nobody
    says. AccountError when a new one has no donor."""
    batch = checked(name)
    before = find(conn, batch)
    if before is None and donor is None:
        known = conn.scalars(select(batches.c.batch)).all()
        raise AccountError(
            f"There is no batch {printable(batch)}{meant(batch, known)}.", "A new one needs --donor NAME."
        )
    return Batch(
        batch,
        storable(donor.strip()) if donor is not None else before.donor if before else "",
        announced if announced is not None else before.announced if before else listed,
    )


def put(conn: Connection, ledger: Ledger, batch: Batch) -> bool:
    """Add or change it; whether anything changed."""
    if find(conn, batch.batch) == batch:
        return False
    ledger.append(conn, "batch.set", batch.batch, {"v": 1, "donor": batch.donor, "announced": batch.announced})
    return True
