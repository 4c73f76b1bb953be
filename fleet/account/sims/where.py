"""Which SIMs, in the language of ``fleet status --where``: ``state=activated and place in (LE-LOI, NGUYEN-DU)``.

A list of ``fleet data-plans`` is said by its name: ``not_handed_over and carrier=viettel``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, true

from fleet import iccid
from fleet.account.filters.parse import AllOf, AnyOf, Compare, FilterError, Flag, Not, Tree, Value, parse
from fleet.account.sims import data_plan_lists
from fleet.account.sims.data_plan_lists import AREA, PLACE, SCHOOL
from fleet.models import custody, sims, students, units
from fleet.sim_states import SimState
from fleet.values import storable
from profiles.errors import meant

_FIELDS: Mapping[str, ColumnElement[str]] = {
    "iccid": sims.c.iccid,
    "number": func.coalesce(sims.c.msisdn, ""),
    "state": sims.c.state,
    "carrier": sims.c.carrier,
    "quota": sims.c.quota,
    "unit": func.coalesce(units.c.tag, ""),
    "unit_state": func.coalesce(custody.c.state, ""),
    "student": func.coalesce(sims.c.student, ""),
    "place": PLACE,
    "school": SCHOOL,
    "area": AREA,
    "category": func.coalesce(students.c.category, ""),
}
_KEPT: Mapping[str, Callable[[str], str]] = {
    "iccid": lambda said: iccid.normal(said) or said,
    "unit": str.upper,
    "place": str.upper,
    "school": str.upper,
    "student": lambda said: said.upper().replace("-", ""),
}
"""Values in the form in which they are kept."""

_MOST_DAYS = 3660


def parsed(conn: Connection, text: str, now: str) -> ColumnElement[bool]:
    """The condition, over :data:`fleet.account.sims.data_plan_lists.JOINED`; of "" all SIMs. FilterError."""
    if not text.strip():
        return true()
    lists = {one.name: one.where for one in data_plan_lists.lists(conn, now)}
    return _Reading(storable(text), now, {**lists, "idle": data_plan_lists.idle()}).holds(parse(storable(text)))


@dataclass(frozen=True)
class _Reading:
    text: str
    now: str
    lists: Mapping[str, ColumnElement[bool]]

    def holds(self, tree: Tree) -> ColumnElement[bool]:
        match tree:
            case AllOf(parts):
                return and_(*map(self.holds, parts))
            case AnyOf(parts):
                return or_(*map(self.holds, parts))
            case Not(inner):
                return not_(self.holds(inner))
            case Flag(name, at):
                if name not in self.lists:
                    raise self._wrong(at, f'there is no list "{name}"{meant(name, self.lists)}')
                return func.coalesce(self.lists[name], False)
            case Compare():
                return self._compared(tree)
        raise TypeError(tree)

    def _compared(self, said: Compare) -> ColumnElement[bool]:
        if said.field == "ends_in":
            return data_plan_lists.ending(self.now, self._days(said))
        column = _FIELDS.get(said.field)
        if column is None:
            raise self._wrong(said.at, f'there is no field "{said.field}"{meant(said.field, (*_FIELDS, "ends_in"))}')
        values = [self._kept(said.field, value) for value in said.values]
        match said.op:
            case "=" | "in":
                return column.in_(values)
            case "!=":
                return column.not_in(values)
            case "~":
                return column.contains(values[0], autoescape=True)
        raise self._wrong(said.at, f"{said.field} is compared by =, !=, ~ or in")

    def _kept(self, field: str, value: Value) -> str:
        if field == "state":
            return self._word(value, [str(state) for state in SimState])
        return _KEPT.get(field, str)(value.text)

    def _word(self, value: Value, known: Iterable[str]) -> str:
        if value.text not in known:
            raise self._wrong(value.at, f"a SIM is never {value.text}{meant(value.text, known)}")
        return value.text

    def _days(self, said: Compare) -> int:
        text = said.values[0].text
        if said.op not in ("=", "<=") or not (text.isascii() and text.isdigit() and int(text) <= _MOST_DAYS):
            raise self._wrong(said.at, "write ends_in=30: so many days")
        return int(text)

    def _wrong(self, at: int, message: str) -> FilterError:
        return FilterError(self.text, at, message)
