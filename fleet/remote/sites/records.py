"""The sites that the hub knows: where each is, what it should have, what it said it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from fleet.ledger import Ledger
from fleet.models import sites
from fleet.remote.errors import SiteError
from fleet.remote.wire.address import Address, HostKey, parse, parse_key
from fleet.values import Json
from profiles.errors import meant
from provision.text import printable

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Site:
    """``bench``: whose chain comes from there, "" until it was reached. ``wanted`` and ``reported`` are numbers of
    releases, ``digest`` that of the reported one; ``None`` where nothing was."""

    name: str
    address: Address
    key: HostKey
    bench: str
    since: str
    removed: bool
    wanted: int | None
    reported: int | None
    digest: str | None
    reported_at: str | None


def checked(name: str) -> str:
    """A name that a site may have. SiteError for any other."""
    if not _NAME.fullmatch(name):
        raise SiteError(
            f"{printable(name)!r} cannot be the name of a site.", "Small letters, digits and dashes: district-5"
        )
    return name


def every(conn: Connection, *, removed: bool = False) -> Iterator[Site]:
    """All that are in use, or all that ever were, by name."""
    query = select(sites).order_by(sites.c.site)
    for row in conn.execute(query if removed else query.where(sites.c.removed_at.is_(None))):
        yield _site(row)


def one(conn: Connection, name: str) -> Site:
    """The site of this name that is in use. SiteError when there is none, with the name that may be meant."""
    row = conn.execute(select(sites).where(sites.c.site == name, sites.c.removed_at.is_(None))).one_or_none()
    if row is None:
        names = conn.scalars(select(sites.c.site).where(sites.c.removed_at.is_(None)))
        raise SiteError(
            f"There is no site {printable(name)!r}{meant(name, names)}.", "fleet site list shows those that there are."
        )
    return _site(row)


def chosen(conn: Connection, names: Iterable[str]) -> list[Site]:
    """The sites of these names, or all where none is named. SiteError names the first that is unknown."""
    named = list(dict.fromkeys(names))
    return [one(conn, name) for name in named] if named else list(every(conn))


def put(conn: Connection, ledger: Ledger, name: str, address: Address, key: HostKey) -> None:
    """Note where a site is. What was noted already makes no event."""
    before = conn.execute(select(sites).where(sites.c.site == name)).one_or_none()
    fields: dict[str, Json] = {"address": str(address), "host_key": str(key)}
    if before and not before.removed_at and (before.address, before.host_key) == (str(address), str(key)):
        return
    ledger.append(conn, "site.set", name, {"v": 1, "fields": fields})


def met(conn: Connection, ledger: Ledger, name: str, bench: str) -> None:
    """Note whose chain comes from there. SiteError when it is ours, that of another site, or another than it
    was."""
    if bench == ledger.bench.id:
        raise SiteError(
            f"{name} says that it is this hub.", "If its home was copied from here, delete bench.json in the copy."
        )
    row = conn.execute(select(sites).where(sites.c.bench == bench, sites.c.removed_at.is_(None))).first()
    mine = one(conn, name)
    if row is not None and row.site != name:
        raise SiteError(
            f"{name} is the same bench as site {row.site}.",
            "One computer is one site. If its home was copied, delete bench.json in the copy.",
        )
    if mine.bench and mine.bench != bench:
        raise SiteError(
            f"{name} is not the bench that it was: its home is another one.",
            f"If the computer was set up anew: fleet site remove {name}, then add it under another name.",
        )
    if mine.bench != bench:
        ledger.append(conn, "site.set", name, {"v": 1, "fields": {"bench": bench}})


def remove(conn: Connection, ledger: Ledger, name: str) -> None:
    """Nothing is sent there from now on."""
    one(conn, name)
    ledger.append(conn, "site.removed", name, {"v": 1})


def want(conn: Connection, ledger: Ledger, name: str, release: int) -> None:
    """The release that the site should have from now on. Wanting the same makes no event."""
    if one(conn, name).wanted != release:
        ledger.append(conn, "site.wanted", name, {"v": 1, "release": release})


def reported(conn: Connection, ledger: Ledger, name: str, release: int | None, digest: str | None) -> None:
    """What the site says is in force there. Saying the same again makes no event."""
    before = one(conn, name)
    if (before.reported, before.digest) != (release, digest) or before.reported_at is None:
        ledger.append(conn, "site.reported", name, {"v": 1, "release": release, "digest": digest})


def _site(row: Row[Any]) -> Site:
    return Site(
        name=row.site,
        address=parse(row.address),
        key=parse_key(row.host_key),
        bench=row.bench or "",
        since=row.since,
        removed=row.removed_at is not None,
        wanted=row.wanted,
        reported=row.reported,
        digest=row.reported_digest,
        reported_at=row.reported_at,
    )
