"""Which SIMs: ``state=activated place=LE-LOI,NGUYEN-DU list=not_handed_over``. All of it has to hold."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, not_, true

from fleet.account import data_plan_lists
from fleet.account.data_plan_lists import AREA, SCHOOL
from fleet.errors import AccountError
from fleet.models import custody, sims, students
from fleet.sim_states import SimState
from fleet.values import storable
from profiles.errors import meant
from provision.text import printable

_TERM = re.compile(r"([a-z_]+)(!?=)(.*)", re.DOTALL)
_FIELDS = {
    "state": sims.c.state,
    "carrier": sims.c.carrier,
    "quota": sims.c.quota,
    "place": SCHOOL,
    "area": AREA,
    "unit_state": custody.c.state,
    "category": students.c.category,
    "iccid": sims.c.iccid,
}
_KNOWN = (*_FIELDS, "list", "ends_in")


def parsed(conn: Connection, text: str, now: str) -> ColumnElement[bool]:
    """The condition, over :data:`fleet.account.data_plan_lists.JOINED`; of "" all SIMs. AccountError."""
    try:
        words = shlex.split(storable(text))
    except ValueError:
        raise AccountError(f"--where {printable(text)!r} has a quote that is not closed.", "Close it.") from None
    return and_(true(), *(_term(conn, word, now) for word in words))


def _term(conn: Connection, word: str, now: str) -> ColumnElement[bool]:
    found = _TERM.fullmatch(word)
    if not found or not found[3]:
        raise AccountError(f"--where: {printable(word)!r} is not understood.", 'Write it as "state=activated,read".')
    name, sign, values = found[1], found[2], found[3].split(",")
    condition = _holds(conn, name, values, now)
    return condition if sign == "=" else not_(condition)


def _holds(conn: Connection, name: str, values: list[str], now: str) -> ColumnElement[bool]:
    if name == "list":
        known = {one.name: one.where for one in data_plan_lists.lists(conn, now)}
        known["idle"] = data_plan_lists.idle()
        return known[_one_of(values, known, "list of fleet data-plans")]
    if name == "ends_in":
        if not (values[0].isascii() and values[0].isdigit() and len(values) == 1):
            raise AccountError(f"--where: {printable(','.join(values))!r} is no number of days.", "Write ends_in=30.")
        return data_plan_lists.ending(now, int(values[0]))
    if name == "state":
        values = [_one_of([value], list(SimState), "state of a SIM") for value in values]
    if name not in _FIELDS:
        raise AccountError(
            f'--where knows no "{printable(name)}"{meant(name, _KNOWN)}.', f"It knows {', '.join(_KNOWN)}."
        )
    column: ColumnElement[str] = _FIELDS[name]
    return column.in_(values)


def _one_of(values: list[str], known: Iterable[str], what: str) -> str:
    names = [str(name) for name in known]
    if len(values) == 1 and values[0] in names:
        return str(values[0])
    said = ",".join(values)
    raise AccountError(f'"{printable(said)}" is no {what}{meant(said, names)}.', f"Known are {', '.join(names)}.")
