"""A push by way of agents begins: its waves are thresholds on the numbers of enrolments, so no unit is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, func, not_, select

from fleet.account.filters.parse import FilterError
from fleet.bulk import streamed
from fleet.home import Home
from fleet.ledger import Ledger
from fleet.models import agents, units
from fleet.remote.agents import stands
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen, chosen, count
from fleet.remote.errors import PushError
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import Rules, ends
from provision.text import counted

_LAST = "f" * 64
"""No number is above it: the last wave has whoever comes to be meant later, too."""


def begin(conn: Connection, ledger: Ledger, home: Home, release: int, rules: Rules, mine: Chosen) -> Push:
    """Record a push to the enrolments that ``mine`` means. The same again goes on with the one there.

    A push that is not over, but has no unit left that this one has not, is replaced. PushError when it has, and when
    no unit is meant.
    """
    waves = ends(rules.waves, number_of(conn, mine))
    if not waves:
        raise PushError("No unit that is meant has an agent that lives.", _hint(conn, mine))
    for one in kept.active(conn, Via.AGENT):
        if one.release == release and replace(one.rules, thresholds=()) == rules:
            kept.change(conn, ledger, one, State.RUNNING, "")
            return kept.one_of(conn, one.name)
    number = kept.next_number(conn)
    _replace(conn, ledger, home, f"push-{number}", mine)
    rules = replace(rules, thresholds=thresholds(conn, mine, waves, datetime.now(UTC)))
    body: dict[str, Any] = {"v": 1, "state": State.RUNNING.value, "why": "", "number": number, "release": release}
    body |= {"via": Via.AGENT.value, "rules": rules.told(), "sites": {}, "clock": ledger.clock()}
    ledger.append(conn, "push.set", f"push-{number}", body)
    return kept.one_of(conn, f"push-{number}")


def number_of(conn: Connection, mine: Chosen) -> int:
    """How many enrolments are meant."""
    return conn.scalar(select(func.count()).select_from(agents).where(mine.now())) or 0


def without_agent(conn: Connection, mine: Chosen) -> int:
    """How many units left their bench, and no agent of theirs lives: only a bench reaches them."""
    return conn.scalar(select(func.count()).select_from(units).where(mine.without_agent())) or 0


def thresholds(conn: Connection, mine: Chosen, waves: Sequence[int], now: datetime) -> tuple[str, ...]:
    """The number of the last enrolment of each wave, of which ``waves`` says how many have it then.

    Each wave but the last is longer where it has to be, up to where the next one was to end, so that it has its share
    of the units that came within a day: nobody learns anything from a first one that is in stock. Two passes along the
    numbers, the second up to the end of the last wave but one.
    """
    if not waves[:-1]:
        return (_LAST,)
    lately = and_(mine.now(), stands.seen_lately(now))
    awake = count(conn, where=lately)
    ended = set(waves[:-1])
    every = select(agents.c.number).where(mine.now()).order_by(agents.c.number).limit(max(ended))
    ends_at = [row.number for place, row in enumerate(streamed(conn, every), 1) if place in ended]
    found = []
    for end, at, after in zip(waves, ends_at, [*ends_at[1:], _LAST], strict=False):
        share = -(-end * awake // waves[-1])
        first = select(agents.c.number).select_from(WITH_CONTACTS).where(lately, agents.c.number < after)
        mine_of_it = first.order_by(agents.c.number).limit(share).subquery()
        found.append(max(at, conn.scalar(select(func.max(mine_of_it.c.number))) or ""))
    return (*found, _LAST)


def _hint(conn: Connection, mine: Chosen) -> str:
    left = without_agent(conn, mine)
    if not left:
        return "Benches set up agents: owner in the profile. fleet unit list --where shows which units fit a filter."
    return f"{counted(left, 'unit')} left the bench without one: what a profile asks of an owner takes a bench there."


def _replace(conn: Connection, ledger: Ledger, home: Home, name: str, mine: Chosen) -> None:
    """End those before it of which all units that are left are in this one, too."""
    for one in kept.active(conn, Via.AGENT):
        try:
            other = chosen(conn, home, one)
        except FilterError:  # it means nobody any more
            kept.change(conn, ledger, one, State.ABORTED, f"replaced by {name}")
            continue
        left = and_(other.of(one), not_(other.confirmed()))
        both = count(conn, where=and_(left, mine.now()))
        more = count(conn, where=left) - both
        if both and more:
            raise PushError(
                f"{one.name}, of release {one.release}, is not over: {counted(more, 'unit')} that are still to come "
                f"are not in this one, and {both} are in both.",
                f"Wait, mean those units, too, or end it: fleet push abort {one.name}",
            )
        if not more:
            kept.change(conn, ledger, one, State.ABORTED, f"replaced by {name}")
