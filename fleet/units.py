"""The registry as a bench uses it: what is known of a device before a run, and what the run says after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, select

from fleet import check_ins, runs, sim_reading, tags
from fleet.check_ins import CheckIn
from fleet.db import PATIENCE, database_of, snapshot, transaction, writing
from fleet.errors import UnitError
from fleet.home import Home, actor_of
from fleet.ledger import Clock, Ledger
from fleet.models import seals, units
from fleet.values import Json
from provision.model import Facts, Identity, Report, Unit
from provision.progress import now
from provision.text import printable

if TYPE_CHECKING:
    from profiles.schema import DataPlan


@dataclass(frozen=True)
class Registry:
    """Open for writing. Every method is one transaction on a connection of its own: call them from any thread.

    They raise RegistryError, and UnitError for names that do not fit.
    """

    home: Home
    engine: Engine
    ledger: Ledger
    seal_key: bytes
    ignored: frozenset[str]

    def unit_for(self, identity: Identity, *, tag_prefix: str | None = None) -> Unit:
        """What is known of a device that was just attached.

        With ``tag_prefix`` a device without a tag is given the next free one, and is a unit from then on; without it
        nothing is written. A device on the ignore list is never tagged.
        """
        key = runs.key_of(identity.platform, identity.serial)
        ignored = identity.serial in self.ignored
        with snapshot(self.engine) as conn:
            unit = self._known(conn, key, ignored)
        if tag_prefix is None or unit.tag or ignored:
            return unit
        with transaction(self.engine) as conn:
            self._add(conn, key, identity)
            if not self._known(conn, key, ignored).tag:
                self._tag(conn, key, tags.next_free(conn, tag_prefix))
            return self._known(conn, key, ignored)

    def record(self, report: Report, identity: Identity | None = None, plan: DataPlan | None = None) -> None:
        """Keep what a run says (:class:`CheckIn`): its event, what follows from it, and the health reading, all or
        nothing. What concerns no unit that anybody could name is not written."""
        told = CheckIn(report, identity, plan)
        if told.who:
            self.record_many((told,))

    def record_many(self, said: Iterable[CheckIn]) -> int:
        """The same for many, in their order: all of them or none. How many of them concerned a unit."""
        with transaction(self.engine) as conn:
            return check_ins.record(conn, self.ledger, said)

    def look(self, identity: Identity, facts: Facts, body: Callable[[Connection, str], dict[str, Json]]) -> str:
        """Keep what an intake says: its event, what follows from it, and the health reading, all or nothing.

        ``body`` gives the body of ``unit.intake`` by what the registry holds at that moment; an error in it keeps
        nothing. Returns the key of the unit.
        """
        key = runs.key_of(identity.platform, identity.serial)
        with transaction(self.engine) as conn:
            self._add(conn, key, identity)
            event = self.ledger.append(conn, "unit.intake", key, body(conn, key))
            sim_reading.take_over(conn, self.ledger, (key,))
            check_ins.measure(conn, self.ledger, ((key, event.at, facts.health),))
        return key

    def tag(self, name: str, tag: str) -> str:
        """Give the unit that ``name`` means a tag; the tag as it is kept. Nothing happens when it has it already."""
        wanted = tags.checked(tag)
        with transaction(self.engine) as conn:
            unit = tags.the(conn, name)
            others = [other for other in tags.find(conn, wanted) if other.key != unit.key]
            if others:
                raise UnitError(
                    f"{wanted} is already a name of {others[0].shown}.",
                    f"Choose another tag; {printable(unit.serial)} keeps {unit.tag or 'none'}.",
                )
            if unit.tag != wanted:
                self._tag(conn, unit.key, wanted)
        return wanted

    def resolve(self, name: str) -> tuple[tags.Named, ...]:
        """Every unit that a tag or serial may mean: none, the one, or the candidates."""
        with snapshot(self.engine) as conn:
            return tags.find(conn, name)

    def serial_of(self, name: str) -> str | None:
        """The serial of the one unit that ``name`` means, if there is exactly one."""
        found = self.resolve(name)
        return found[0].serial if len(found) == 1 else None

    def last_seen(self, name: str) -> str | None:
        """When the one unit that ``name`` means was last at a bench (UTC), if there is exactly one."""
        with snapshot(self.engine) as conn:
            found = tags.find(conn, name)
            return (
                conn.scalar(select(units.c.last_seen).where(units.c.key == found[0].key)) if len(found) == 1 else None
            )

    def _known(self, conn: Connection, key: str, ignored: bool) -> Unit:
        tag = conn.scalar(select(units.c.tag).where(units.c.key == key))
        sealed = conn.execute(select(seals.c.item, seals.c.sealed).where(seals.c.unit == key)).all()
        return Unit(tag=tag, ignored=ignored, sealed={row.item: row.sealed for row in sealed}, seal_key=self.seal_key)

    def _add(self, conn: Connection, key: str, identity: Identity) -> None:
        for happening in check_ins.newcomers(conn, self.ledger, {key: identity}):
            self.ledger.append(conn, *happening)

    def _tag(self, conn: Connection, key: str, tag: str) -> None:
        was = conn.scalar(select(units.c.tag).where(units.c.key == key))
        self.ledger.append(conn, "unit.tagged", key, {"v": 1, "tag": tag, "was": was})


@contextmanager
def open_registry(
    home: Home, database: str | None, actor: str | None, *, clock: Clock = now, patience: float = PATIENCE
) -> Iterator[Registry]:
    """The registry, made or upgraded if need be. ``database`` and ``actor`` are what the command line says of them.

    ``patience``: seconds that one writer waits for another. Raises HomeError and RegistryError.
    """
    bench = home.bench()
    key = home.seal_key()
    with writing(database_of(database, home), patience=patience) as engine:
        yield Registry(home, engine, Ledger(bench, actor_of(actor), clock), key, home.ignored())
