"""The one read of a contact: an enrolment that lives, what is known of its phone, what it should have and do.

Each thread of the server keeps a connection: to make one takes longer than the read. What it depends on beside the
enrolment, the pushes that stand, is read anew every two seconds at most, for all contacts together.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Executable, Row, Select, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from fleet.db import shown, snapshot
from fleet.db_errors import told
from fleet.errors import RegistryError
from fleet.models import agent_contacts, agents, orders, units
from fleet.remote.agents import quota, wanted
from fleet.remote.agents.rates import Lately
from fleet.remote.agents.reports import Phone
from fleet.remote.agents.stamps import History, Sent, history, sent
from fleet.units import Registry
from profiles.errors import SchoolbagError

LOG = logging.getLogger(__name__)
_STANDS = 2.0
_SAID = 60.0
_NAMED = 500


@dataclass(frozen=True)
class Order:
    """What the unit is ordered to do: kind, text, state (open or begun) and since when, as in the table of orders."""

    id: str
    kind: str
    text: str
    state: str
    changed: str


@dataclass(frozen=True)
class Known:
    """An enrolment that lives, by its (hashed) number; the columns of its contacts are "" or ``None`` before the first.

    ``wanted`` is the digest of what it should have; ``enrolled`` of what it was set up with, ``enrolled_at`` when.
    ``quota``: bytes that its SIM has a day, where that is known.
    """

    number: str
    unit: str
    enrolled: str
    enrolled_at: str
    wanted: str
    history: History
    phone: Phone
    seen_at: str
    home_at: str | None
    fetched: str | None
    fetched_at: str
    confirmed: str | None
    told_at: str
    told: tuple[Any, ...]
    drift: tuple[str, ...]
    orders: tuple[Order, ...]
    quota: int | None

    @property
    def digests(self) -> tuple[str, ...]:
        """Of every configuration that it may have, the one it should have first."""
        return tuple(dict.fromkeys(one for one in (self.wanted, self.fetched, self.enrolled) if one))


@dataclass(frozen=True)
class Standing:
    """What stands for all contacts for a moment: the pushes, the queries that go with them, what tells
    that another one is ``going``, all that were ever ``sent``, and until when (monotonic seconds)."""

    pushes: wanted.Standing
    one: Select[Any]
    some: Select[Any]
    going: tuple[tuple[Any, ...], ...]
    sent: tuple[Sent, ...]
    until: float


@dataclass
class Reader:
    """``home``: whether pushes are looked at; at a bench it counts what the bench sets up. For any thread."""

    registry: Registry
    home: bool
    _local: threading.local = field(default_factory=threading.local)
    _standing: Standing | None = None
    _alone: threading.Lock = field(default_factory=threading.Lock)
    _open: list[Connection] = field(default_factory=list)
    _said: Lately = field(default_factory=lambda: Lately(_SAID))

    def one(self, number: str) -> Known | None:
        """The enrolment with this (hashed) number; ``None`` when there is none, or it is dead. RegistryError."""
        standing = self.standing()
        rows = self._ask(standing.one, {"number": number})
        return _known(rows, standing, datetime.now(UTC)) if rows else None

    def some(self, numbers: Iterable[str]) -> dict[str, Known]:
        """Those of these that live, by their numbers."""
        standing = self.standing()
        wanted_ = list(numbers)
        found: dict[str, list[Row[Any]]] = {}
        for at in range(0, len(wanted_), _NAMED):
            rows = self._ask(standing.some, {"numbers": wanted_[at : at + _NAMED]})
            for row in rows:
                found.setdefault(row.number, []).append(row)
        now = datetime.now(UTC)
        return {number: _known(rows, standing, now) for number, rows in found.items()}

    def orders(self) -> frozenset[tuple[str, str]]:
        """Unit and id of every order that is open now."""
        query = select(orders.c.unit, orders.c.order_id).where(orders.c.state == "open")
        return frozenset((row.unit, row.order_id) for row in self._ask(query, {}))

    def counted_orders(self) -> tuple[int, str]:
        """How many orders are open, and when one was changed last: cheaper to ask than :meth:`orders`."""
        query = select(func.count().label("open"), func.max(orders.c.changed).label("newest")).where(
            orders.c.state == "open"
        )
        (row,) = self._ask(query, {})
        return row.open, row.newest or ""

    def standing(self) -> Standing:
        """The pushes as they stood a moment ago."""
        found = self._standing
        if found is None or found.until < time.monotonic():
            with self._alone:
                found = self._standing
                if found is None or found.until < time.monotonic():
                    found = self._standing = self._anew(found)
        return found

    def _anew(self, before: Standing | None) -> Standing:
        """As it was where it cannot be read: a file of the home may be wrong, and phones ask all the same."""
        try:
            return self._stands()
        except SchoolbagError as error:
            if before is None:
                raise
            if self._said.first(str(error)):
                LOG.warning("%s", error)
            return replace(before, until=time.monotonic() + _STANDS)

    def close(self) -> None:
        """Give the connections back."""
        for conn in self._open:
            with suppress(SQLAlchemyError):
                conn.close()

    def _stands(self) -> Standing:
        until = time.monotonic() + _STANDS
        if not self.home:
            return _standing(wanted.Standing(()), (), until)
        with snapshot(self.registry.engine) as conn:
            pushes = wanted.read(conn, self.registry.home)
            same = self._standing is not None and self._standing.going == _going(pushes)
            return _standing(pushes, self._standing.sent if self._standing and same else sent(conn), until)

    def _ask(self, query: Executable, values: dict[str, Any]) -> Sequence[Row[Any]]:
        """Once more by a new connection where the one at hand is broken: the database was started anew."""
        try:
            return self._asked(query, values)
        except RegistryError:
            return self._asked(query, values)

    def _asked(self, query: Executable, values: dict[str, Any]) -> Sequence[Row[Any]]:
        engine = self.registry.engine
        with told(shown(engine.url)):
            conn = self._connection()
            try:
                rows = conn.execute(query, values).all()
                conn.rollback()
            except BaseException:
                self._drop(conn)
                raise
        return rows

    def _connection(self) -> Connection:
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            engine = self.registry.engine
            if engine.dialect.name == "postgresql":  # one statement is one moment: nothing has to begin or end
                engine = engine.execution_options(isolation_level="AUTOCOMMIT", writing="beside")
            conn = self._local.conn = engine.connect()
            self._open.append(conn)
        return conn

    def _drop(self, conn: Connection) -> None:
        self._local.conn = None
        self._open.remove(conn)
        with suppress(SQLAlchemyError):
            conn.invalidate()
        with suppress(SQLAlchemyError):
            conn.close()


def _going(pushes: wanted.Standing) -> tuple[tuple[Any, ...], ...]:
    return tuple((one.push.name, one.push.state.value, one.push.wave, one.push.changed) for one in pushes.pushes)


def _standing(pushes: wanted.Standing, every: tuple[Sent, ...], until: float) -> Standing:
    query = _query(pushes)
    one = query.where(agents.c.number == bindparam("number"))
    some = query.where(agents.c.number.in_(bindparam("numbers", expanding=True)))
    return Standing(pushes, one, some, _going(pushes), every, until)


def _query(pushes: wanted.Standing) -> Select[Any]:
    mine = (orders.c.unit == agents.c.unit) & (orders.c.number == agents.c.number)
    source = (
        agents.outerjoin(agent_contacts, agent_contacts.c.number == agents.c.number)
        .outerjoin(units, units.c.key == agents.c.unit)
        .outerjoin(orders, mine & orders.c.state.in_(("open", "begun")))
    )
    contact = [one for one in agent_contacts.c if one.name not in ("number", "unit")]
    return (
        select(
            *(agents.c.number, agents.c.unit, agents.c.digest),
            *contact,
            *(units.c.serial, units.c.model, units.c.imei, units.c.facts),
            *(orders.c.order_id, orders.c.kind, orders.c.text, orders.c.state, orders.c.changed),
            *wanted.columns(pushes),
            *quota.columns(),
        )
        .select_from(source)
        .where(agents.c.ended_at.is_(None))
    )


def _known(rows: Sequence[Row[Any]], standing: Standing, now: datetime) -> Known:
    row = rows[0]
    should = wanted.of(standing.pushes, row, now)
    return Known(
        number=row.number,
        unit=row.unit,
        enrolled=row.digest,
        enrolled_at=row.wanted_at,
        wanted=should.digest,
        history=history(row.digest, row.wanted_at, row.wanted_profile, should.push, standing.sent),
        phone=Phone(_api(row.facts), row.serial or "", row.model or "", row.imei or ""),
        seen_at=row.seen_at or "",
        home_at=row.home_at,
        fetched=row.fetched,
        fetched_at=row.fetched_at or "",
        confirmed=row.confirmed,
        told_at=row.told_at or "",
        told=(row.owner, row.battery_level, row.iccid, row.missing, row.drift),
        drift=tuple(json.loads(row.drift)) if row.drift and row.drift != "[]" else (),
        quota=quota.of(row),
        orders=tuple(sorted((_order(one) for one in rows if one.order_id), key=_age)),
    )


def _order(row: Row[Any]) -> Order:
    return Order(row.order_id, row.kind, row.text, row.state, row.changed)


_age: Callable[[Order], tuple[str, str]] = lambda one: (one.changed, one.id)  # noqa: E731


def _api(facts: str | None) -> int:
    """What a bench read; 0 where none did yet."""
    api = json.loads(facts).get("api") if facts else None
    return api if isinstance(api, int) else 0
