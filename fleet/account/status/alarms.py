"""How many units each rule of health tells of, and which rules tell of one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, case, func, literal, select, union_all

from fleet.account.filters.parse import Tree
from fleet.account.filters.sql import Asked, newest_digests
from fleet.account.status.health_rules import Rules
from fleet.models import custody, units

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


def alarms(conn: Connection, rules: Rules, within: Asked, total: int, language: str) -> tuple[Alarm, ...]:
    """The rules that tell of any of the ``total`` units of ``within``: the worst first, then the most frequent."""
    found = _counted(conn, rules, within)
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
    return alarms(conn, rules, replace(asked(conn, rules, "", None, now), only=key), 1, language)


def _counted(conn: Connection, rules: Rules, within: Asked) -> Mapping[str, int]:
    """Of all units each rule is counted in an index of its own; of those that a filter fits, all in one pass."""
    if not rules:
        return {}
    if within.tree is not None:
        frame = within.frame(units, custody)
        sums = [func.sum(case((frame.clause(rule.tree), 1), else_=0)).label(name) for name, rule in rules.items()]
        row = conn.execute(select(*sums).select_from(frame.source).where(frame.where)).one()
        return {name: int(number or 0) for name, number in zip(rules, row, strict=True)}
    queries = []
    for name, rule in rules.items():
        frame = replace(within, text=rule.filter, tree=rule.tree).frame()
        queries.append(frame.count().add_columns(literal(name)))
    return {name: number for number, name in conn.execute(union_all(*queries))}


def severity_of(found: tuple[Alarm, ...]) -> str:
    """The worst of those that count: critical, warning or fine."""
    counted = [one.severity for one in found if one.counts and one.severity != "note"]
    return min(counted, key=_RANK.__getitem__, default="fine")
