"""Where units are counted so that the fewest rows are read: in a tally, among SIMs, or in the tables of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, distinct, func, literal_column

from fleet.account.filters.fields import FIELDS, OF_STUDENT
from fleet.account.filters.leaves import is_none, needs_row
from fleet.account.filters.parse import AllOf, Compare, Flag, Tree, leaves
from fleet.account.filters.sql import Asked, Condition, Frame
from fleet.models import custody, places, sims, tallies, units
from fleet.tallies import TALLIES, Tally

_OF_COLUMN: Mapping[Column[str], Tally] = {column: tally for tally in TALLIES.values() for column in tally.columns}
_ANY = TALLIES["verdict"]
"""The smallest."""


def narrowest(asked: Asked, *columns: Column[str]) -> Frame:
    """Where the units are counted that fit, by ``columns`` of units or custody. A unit has no key in a tally."""
    tree = asked.whole
    if asked.only is None:
        if tally := _tally(tree, columns):
            return _of_tally(asked, tally)
        if tree is not None and not columns and (parts := _said_of_one_sim(tree)):
            return _of_sims(asked, parts)
    return asked.frame(*{column.table for column in columns})


def _tally(tree: Tree | None, columns: Sequence[Column[str]]) -> Tally | None:
    """The one that has all these columns, and all that the filter asks."""
    found = {_OF_COLUMN.get(column) for column in columns}
    for leaf in leaves(tree) if tree is not None else ():
        if leaf.field != "state":
            found.add(_of_leaf(leaf))
    if len(found) > 1:
        return None
    return found.pop() if found else _ANY


def _of_leaf(leaf: Compare | Flag) -> Tally | None:
    known = FIELDS[leaf.field]
    if leaf.field in OF_STUDENT:
        return None
    column = custody.c.place if known.table is places else known.column
    tally = None if column is None else _OF_COLUMN.get(column)
    if tally and tally.there and not (isinstance(leaf, Compare) and all(map(is_none, leaf.values))):
        return None
    return tally


def _of_tally(asked: Asked, tally: Tally) -> Frame:
    stands: dict[Column[str], ColumnElement[Any]] = {units.c.state: tallies.c.state}
    for column, here in zip(tally.columns, (tallies.c.a, tallies.c.b), strict=False):
        stands[column] = func.nullif(here, literal_column("''")) if column.nullable else here
    said = [tallies.c.tally == tally.name]
    if asked.whole is not None:
        said.append(Condition(asked, tallies.c.a, stands).of(asked.whole))
    return Frame(tallies, tallies.c.a, tallies.c.state, and_(*said), func.sum(tallies.c.units), stands)


def _said_of_one_sim(tree: Tree) -> Sequence[Compare | Flag]:
    """The parts of a filter that asks nothing but states, and SIMs, all of it of one and the same; else nothing."""
    parts = tree.parts if isinstance(tree, AllOf) else (tree,)
    leaf_parts = [one for one in parts if isinstance(one, Compare | Flag)]
    about = [one for one in leaf_parts if FIELDS[one.field].table is sims]
    states = [one for one in leaf_parts if one.field == "state"]
    whole = len(about) + len(states) == len(parts) and any(map(needs_row, about))
    return leaf_parts if whole and not any(_asks_none(one) for one in leaf_parts) else ()


def _asks_none(leaf: Compare | Flag) -> bool:
    return isinstance(leaf, Compare) and any(map(is_none, leaf.values))


def _of_sims(asked: Asked, parts: Sequence[Compare | Flag]) -> Frame:
    condition = Condition(asked, sims.c.unit, {units.c.state: sims.c.unit_state})
    said = and_(sims.c.unit_state.is_not(None), condition.of_row(parts))
    return Frame(sims, sims.c.unit, sims.c.unit_state, said, func.count(distinct(sims.c.unit)))
