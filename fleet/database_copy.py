"""Backups of the registry: one file, the same for every database, so that what SQLite kept PostgreSQL can restore.

It is an export of the whole ledger (fleet.ledger_file) with the health readings and the vault's encrypted rows; all
other tables follow from it. The keys are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, exists, select

from fleet.db import transaction
from fleet.errors import FileError, RegistryError
from fleet.home import Home
from fleet.ledger import chain_ends
from fleet.ledger_export import export
from fleet.ledger_file import Header, check
from fleet.ledger_merge import merge
from fleet.ledger_vaults import Keys
from fleet.models import events, health, vault


@dataclass(frozen=True)
class Restored:
    """``new_bench``: this bench goes on with a chain of its own."""

    events: int
    health: int
    names: int
    new_bench: bool


def backup(conn: Connection, path: Path, at: str) -> Header:
    """Write the whole registry to ``path`` and read it back; FileError when it is not what was written."""
    written = export(conn, path, at, names=True)
    if check(path) != written:
        raise FileError(f"{path} is not what was written.", "Make another backup, on another disk.")
    return written


def restore(engine: Engine, home: Home, path: Path, at: str) -> Restored:
    """Fill an empty registry from a backup. RegistryError when there is something in it.

    A chain may have gone on after the backup, on a registry that is lost or is not: so that it never forks, this bench
    begins another one if it has an event in the backup.
    """
    with transaction(engine) as conn:
        if any(conn.scalar(select(exists().select_from(table))) for table in (events, health, vault)):
            raise RegistryError(
                "There is something in this registry already; nothing was restored.",
                "Name an empty one with --database or --home, or join both: 'fleet ledger merge FILE'.",
            )
        found = merge(conn, [path], at, keys=Keys(backup=True))
        mine = home.bench().id in chain_ends(conn)
        if mine:
            home.begin_anew()
    return Restored(found.events, found.health, found.names, mine)
