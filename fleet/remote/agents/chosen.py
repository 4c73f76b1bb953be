"""Which enrolments a push by way of agents means, as conditions for the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from fleet.account.filters.sql import Asked
from fleet.home import Home
from fleet.models import agent_contacts, agents, units
from fleet.remote.waves import meant
from fleet.remote.waves.kept import Push

OUTSIDE = ("in_transit", "at_school", "with_student", "in_repair", "lost")
"""Where units are that have left their bench."""

WITH_CONTACTS = agents.outerjoin(agent_contacts, agent_contacts.c.number == agents.c.number)


@dataclass(frozen=True)
class Chosen:
    """Of the units ``within`` (None: all) those that were set up with a profile of ``digests``, by name; with whichever
    where ``profile`` is the one for all. Who was set up with a digest of ``later`` was so after the push began."""

    digests: Mapping[str, str]
    profile: str
    within: Asked | None
    later: frozenset[str] = frozenset()

    def alive(self) -> ColumnElement[bool]:
        """Whose agent lives, and has a profile that fits; wherever the unit is."""
        lives = agents.c.ended_at.is_(None)
        return lives if self.profile else and_(lives, agents.c.profile.in_(sorted(self.digests)))

    def now(self) -> ColumnElement[bool]:
        """Who is meant, as things are now."""
        return and_(self.alive(), self._fits(agents.c.unit))

    def of(self, push: Push) -> ColumnElement[bool]:
        """Who is meant by a push that began already, or fetched it and is not meant any more."""
        mine = or_(self._fits(agents.c.unit), self.fetched())
        return and_(self.alive(), agents.c.at <= push.at, agents.c.digest.not_in(sorted(self.later)), mine)

    def without_agent(self) -> ColumnElement[bool]:
        """Of units: Android, left its bench, and no agent of it lives."""
        living = select(agents.c.unit).where(agents.c.ended_at.is_(None))
        outside = and_(units.c.platform == "android", units.c.state.in_(OUTSIDE))
        return and_(outside, units.c.key.not_in(living), self._fits(units.c.key))

    def digest(self) -> ColumnElement[str]:
        """The digest that each should have."""
        if self.profile:
            return literal(self.digests[self.profile])
        return case({name: literal(digest) for name, digest in self.digests.items()}, value=agents.c.profile)

    def fetched(self) -> ColumnElement[bool]:
        """Who fetched it, and nothing since."""
        return func.coalesce(agent_contacts.c.fetched == self.digest(), literal(value=False))

    def confirmed(self) -> ColumnElement[bool]:
        """Whose agent told, after it fetched it, that it is carried out."""
        carried_out = func.coalesce(agent_contacts.c.confirmed == self.digest(), literal(value=False))
        return and_(self.fetched(), carried_out)

    def _fits(self, key: ColumnElement[str]) -> ColumnElement[bool]:
        if self.within is None:
            return literal(value=True)
        frame = self.within.frame(units)
        return key.in_(select(frame.key).select_from(frame.source).where(frame.where).correlate(None))


def chosen(conn: Connection, home: Home, push: Push) -> Chosen:
    """Whom this push means. FilterError when its filter cannot be asked any more."""
    made = meant.made(conn)
    digests, later = made[push.release].profiles, meant.made_after(made.values(), push.at)
    return Chosen(digests, push.rules.profile, meant.within(conn, home, push.rules.where), later)


def count(conn: Connection, *, where: ColumnElement[bool]) -> int:
    """How many enrolments."""
    query: Select[Any] = select(func.count()).select_from(WITH_CONTACTS).where(where)
    return conn.scalar(query) or 0
