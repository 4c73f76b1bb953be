"""How many units each rule of health tells of, and which rules tell of one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Table, case, func, literal, select, union_all

from fleet.account.filters.counting import narrowest
from fleet.account.filters.fields import SEVERAL
from fleet.account.filters.leaves import Clause
from fleet.account.filters.parse import Tree
from fleet.account.filters.sql import Asked, Frame, both, needs_row_of, newest_digests, tables
from fleet.account.status.health_rules import Rules
from fleet.models import agent_contacts

Numbers = Mapping[str, int]
"""Units by the name of the rule that tells of them."""

_RANK = {"critical": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Alarm:
    """``units`` have it. ``counts``: they are enough for ``fleet status --check``."""

    name: str
    severity: str
    units: int
    meaning: str
    next_action: str
    counts: bool


def asked(conn: Connection, rules: Rules, text: str, tree: Tree | None, now: str) -> Asked:
    """The filter with all that its words may refer to."""
    trees = {name: rule.tree for name, rule in rules.items()}
    return Asked(text, tree, now, newest_digests(conn), trees)


def numbers(conn: Connection, within: Asked) -> Numbers:
    """How many units of ``within`` each rule tells of: each is counted where that takes least."""
    frames = {name: narrowest(both(within, rule)) for name, rule in _possible(conn, within.alarms).items()}
    return _counts(conn, dict.fromkeys(within.alarms, 0), frames)


def of_one_row(within: Asked, *wanted: Table) -> tuple[Frame, Mapping[str, Clause]]:
    """Those rules of which the row of a unit tells, as conditions, and the frame of the filter with that row in it."""
    rules = {name: tree for name, tree in within.alarms.items() if tables(tree).isdisjoint(SEVERAL)}
    frame = within.frame(*wanted, *(table for tree in rules.values() for table in tables(tree)))
    condition = frame.condition(within, sought=True)
    return frame, {name: condition.of(tree) for name, tree in rules.items()}


def of_several(conn: Connection, within: Asked) -> Numbers:
    """The numbers of the others: if ``within`` fits few units all in one pass over these, else each from what fits
    elsewhere."""
    rules = {name: tree for name, tree in within.alarms.items() if not tables(tree).isdisjoint(SEVERAL)}
    possible, found = _possible(conn, rules), dict.fromkeys(rules, 0)
    if not within.few:
        return _counts(conn, found, {name: both(within, tree).frame() for name, tree in possible.items()})
    return {**found, **(_in_one_pass(conn, within, possible) if possible else {})}


def _possible(conn: Connection, rules: Mapping[str, Tree]) -> Mapping[str, Tree]:
    """Those that may tell of any unit: what agents have to have told, none has where none ever came. To put a question
    takes longer than to answer it then."""
    home = {name for name, tree in rules.items() if needs_row_of(tree, agent_contacts)}
    if not home or conn.execute(select(agent_contacts.c.number).limit(1)).first():
        return rules
    return {name: tree for name, tree in rules.items() if name not in home}


def _in_one_pass(conn: Connection, within: Asked, rules: Mapping[str, Tree]) -> Numbers:
    """What fits few units is looked at once for all rules."""
    frame = within.frame(*(table for tree in rules.values() for table in tables(tree) if table not in SEVERAL))
    condition = frame.condition(within, sought=True)
    sums = [func.sum(case((condition.of(tree), 1), else_=0)) for tree in rules.values()]
    row = conn.execute(select(*sums).select_from(frame.source).where(frame.where)).one()
    return {name: int(number or 0) for name, number in zip(rules, row, strict=True)}


def _counts(conn: Connection, found: Numbers, frames: Mapping[str, Frame]) -> Numbers:
    """What is ``found``, and what is counted in ``frames``."""
    if not frames:
        return found
    queries = [frame.count().add_columns(literal(name)) for name, frame in frames.items()]
    return {**found, **{name: number for number, name in conn.execute(union_all(*queries))}}


def told(rules: Rules, found: Numbers, total: int, language: str) -> tuple[Alarm, ...]:
    """The rules that tell of any of ``total`` units: the worst first, then the most frequent."""
    listed = [
        Alarm(
            name,
            rules[name].severity,
            number,
            rules[name].means(language),
            rules[name].next_action[language],
            rules[name].counts(number, total),
        )
        for name, number in found.items()
        if number
    ]
    return tuple(sorted(listed, key=lambda one: (_RANK[one.severity], -one.units, one.name)))


def of_unit(conn: Connection, rules: Rules, key: str, now: str, language: str) -> tuple[Alarm, ...]:
    """What is wrong with one unit."""
    within = replace(asked(conn, rules, "", None, now), only=key)
    possible = _possible(conn, within.alarms)
    return told(rules, _in_one_pass(conn, within, possible) if possible else {}, 1, language)


def severity_of(found: tuple[Alarm, ...]) -> str:
    """The worst of those that count: critical, warning or fine."""
    counted = [one.severity for one in found if one.counts and one.severity != "note"]
    return min(counted, key=_RANK.__getitem__, default="fine")
