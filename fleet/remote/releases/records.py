"""The releases that the registry knows: which numbers were given, what for, by whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from fleet.ledger import Ledger
from fleet.models import releases
from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import Manifest


@dataclass(frozen=True)
class Record:
    """``digest`` is that of the manifest; ``profiles`` name to digest; ``bytes`` of all contents, each counted once."""

    number: int
    digest: str
    note: str
    profiles: Mapping[str, str]
    files: int
    bytes: int
    at: str
    actor: str


def every(conn: Connection) -> Iterator[Record]:
    """All of them, newest first."""
    yield from map(_record, conn.execute(select(releases).order_by(releases.c.number.desc())))


def one(conn: Connection, number: int) -> Record:
    """The release of this number. ReleaseError when there is none."""
    row = conn.execute(select(releases).where(releases.c.number == number)).one_or_none()
    if row is None:
        raise ReleaseError(f"There is no release {number}.", "fleet release list shows those that there are.")
    return _record(row)


def last(conn: Connection) -> int:
    """The highest number that was given; 0 before the first."""
    return conn.scalar(select(func.max(releases.c.number))) or 0


def add(conn: Connection, ledger: Ledger, manifest: Manifest) -> None:
    """Record a release that was just built."""
    body: dict[str, Any] = {
        "v": 1,
        "number": manifest.number,
        "digest": manifest.digest,
        "note": manifest.note,
        "profiles": dict(manifest.profiles),
        "files": len(manifest.files),
        "bytes": sum(manifest.blobs.values()),
    }
    ledger.append(conn, "release.set", str(manifest.number), body)


def _record(row: Row[Any]) -> Record:
    told = {name: value for name, value in row._mapping.items() if name not in ("release", "profiles")}
    return Record(profiles=json.loads(row.profiles), **told)
