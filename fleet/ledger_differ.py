"""What benches that could not know of each other said differently, found when their events come together.

Only what new events are about is looked at, so that it is told once, and a merge of little does not read everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select

from fleet.bulk import batches
from fleet.ledger import End
from fleet.models import events, units
from provision.text import printable

_AT_ONCE = 2000
_SHOWN = 10

_SAID = {
    "unit.received": ("batch", "{} was received with {}; with {} now."),
    "place.set": ("kind", "The place {} was said to be of kind {}; of kind {} now."),
    "batch.set": ("donor", "The batch {} was said to be of donor {}; of {} now."),
}
"""Of these kinds of events: what has to be the same whoever says it, and how it is told where it is not."""


def told(conn: Connection, before: Mapping[str, End], after: Mapping[str, End]) -> tuple[str, ...]:
    """In sentences: one serial in two batches, a place of two kinds, a batch of two donors, and labels that mean
    another unit now. ``before`` and ``after``: where the chains ended."""
    starts = {bench: before[bench].seq if bench in before else 0 for bench in after}
    grown = [bench for bench, seq in starts.items() if after[bench].seq > seq]
    if not grown:
        return ()
    new = or_(*(and_(events.c.bench == bench, events.c.seq > starts[bench]) for bench in grown))
    found = [_cut(_two_ways(conn, new, kind)) for kind in _SAID]
    return tuple(sentence for some in (*found, _cut(_moved_labels(conn, new))) for sentence in some)


def _of_new(new: ColumnElement[bool], kind: str) -> Select[tuple[str]]:
    """The subjects of new events of that kind."""
    return select(events.c.subject).where(new, events.c.kind == kind)


def _two_ways(conn: Connection, new: ColumnElement[bool], kind: str) -> Iterator[str]:
    """Subjects of which the last word of one bench is not that of another."""
    name, sentence = _SAID[kind]
    mine = (events.c.kind == kind, events.c.subject.in_(_of_new(new, kind)))
    often = select(events.c.subject).where(*mine).group_by(events.c.subject)
    often = often.having(func.count(events.c.bench.distinct()) > 1)
    query = select(events.c.subject, events.c.bench, events.c.body).where(
        events.c.kind == kind, events.c.subject.in_(often)
    )
    said: dict[str, dict[str, str]] = {}
    for subject, bench, body in conn.execute(
        query.order_by(events.c.subject, events.c.at, events.c.bench, events.c.seq)
    ):
        last = said.setdefault(subject, {})
        last.pop(bench, None)
        last[bench] = str(json.loads(body)[name])
    for subject, last in said.items():
        if len(ways := list(dict.fromkeys(last.values()))) > 1:
            yield sentence.format(
                printable(subject), " and ".join(map(printable, ways)), printable([*last.values()][-1])
            )


def _moved_labels(conn: Connection, new: ColumnElement[bool]) -> Iterator[str]:
    """Labels that were given to a unit which has another tag now, and that mean another unit."""
    now = literal('%"tag":"').concat(units.c.tag).concat('"%')
    query = (
        select(units.c.key, units.c.tag, events.c.body)
        .join_from(events, units, units.c.key == events.c.subject)
        .where(events.c.kind == "unit.tagged", events.c.subject.in_(_of_new(new, "unit.tagged")))
        .where(events.c.body.not_like(now))
        .order_by(units.c.key, events.c.at)
    )
    had = {(str(json.loads(row.body)["tag"]), row.key): row.tag for row in conn.execute(query)}
    whose = _whose(conn, {tag for tag, _ in had})
    for (tag, key), other in had.items():
        if tag in whose:
            yield f"The label {tag} was that of {printable(key)}, now {other}, and means {printable(whose[tag])} now."


def _whose(conn: Connection, tags: Iterable[str]) -> dict[str, str]:
    """Which units have these tags."""
    found: dict[str, str] = {}
    for some in batches(sorted(tags), _AT_ONCE):
        query = select(units.c.tag, units.c.key).where(units.c.tag.in_(some))
        found |= {row.tag: row.key for row in conn.execute(query.order_by(units.c.key.desc()))}
    return found


def _cut(sentences: Iterator[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    more = 0
    for number, sentence in enumerate(sentences):
        if number < _SHOWN:
            yield sentence
        else:
            more += 1
    if more:
        yield f"And {more} more such."
