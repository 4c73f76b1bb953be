"""Projections made anew from the ledger, subject by subject.

The events of a subject are taken in one order wherever they are replayed: each chain's in the order of the chain,
several chains' by the time of their next event. As an event changes rows of its own subject only (fleet.rows), nothing
else matters, and what benches brought that were offline is put right by making anew the subjects that it concerns.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from sqlalchemy import ColumnElement, Connection, select

from fleet.bulk import streamed
from fleet.ledger import event_of
from fleet.models import events
from fleet.projections import project_afresh
from fleet.values import Event

_AT_ONCE, _MOST_BYTES = 5000, 16 * 2**20
"""Events whose rows are in memory at once and what their bodies take, or those of one subject, if they are more."""

_READ = 50
"""Events that are read at once: one may have a megabyte."""


def replay(source: Connection, target: Connection) -> int:
    """Make all projections in ``target``, whose tables are there and empty, from the ledger of ``source``.

    Returns how many events there were.
    """
    return sum(_project(target, _histories(source), empty=True))


def project_again(conn: Connection, concerned: ColumnElement[bool], *, empty: bool = False) -> int:
    """Make anew what follows from the events of those subjects that ``concerned`` picks by some event of theirs.

    ``empty``: there are no projections yet. Returns how many events those subjects have.
    """
    subjects = select(events.c.subject).where(concerned)
    return sum(_project(conn, _histories(conn, events.c.subject.in_(subjects)), empty=empty))


def _project(conn: Connection, histories: Iterable[list[Event]], *, empty: bool) -> Iterator[int]:
    waiting: list[Event] = []
    weight = 0
    for history in histories:
        waiting += history
        weight += sum(len(event.body) for event in history)
        if len(waiting) >= _AT_ONCE or weight >= _MOST_BYTES:
            project_afresh(conn, waiting, empty=empty)
            yield len(waiting)
            waiting, weight = [], 0
    project_afresh(conn, waiting, empty=empty)
    yield len(waiting)


def _histories(conn: Connection, *wanted: ColumnElement[bool]) -> Iterator[list[Event]]:
    """All events of one subject after the other."""
    query = select(events).where(*wanted).order_by(events.c.subject, events.c.bench, events.c.seq)
    for _, mine in groupby(streamed(conn, query, _READ), attrgetter("subject")):
        chains = [[event_of(row) for row in chain] for _, chain in groupby(mine, attrgetter("bench"))]
        yield list(heapq.merge(*chains, key=attrgetter("at", "bench"))) if len(chains) > 1 else chains[0]
