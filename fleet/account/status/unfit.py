"""Units that are not to be given to anybody, by the rules of health that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, select

from fleet.account.status import alarms
from fleet.account.status.health_rules import Rules, rules_of
from fleet.home import Home

Unfit = Mapping[str, tuple[str, ...]]
"""By key of the unit, why it is not."""


def unfit(conn: Connection, home: Home, now: str, only: str | None = None) -> Unfit:
    """Every unit that is not, or the one of the key ``only``, by the rules of this home. ProfileError for mistakes in
    them."""
    return by_rules(conn, rules_of(home), now, only)


def by_rules(conn: Connection, rules: Rules, now: str, only: str | None = None) -> Unfit:
    """The same by ``rules``."""
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules.values():
        if rule.unfit:
            frame = replace(alarms.asked(conn, rules, rule.filter, rule.tree, now), only=only).frame()
            for key in conn.scalars(select(frame.key).select_from(frame.source).where(frame.where)):
                found[key] = (*found.get(key, ()), rule.means("en"))
    return found
