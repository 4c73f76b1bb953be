"""SIMs, and what became of operators' files, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.account.sims.importing import Imported
from fleet.account.sims.operator_answers import Answered
from fleet.account.sims.sheets import Refused
from fleet.account.sims.usage import Used
from fleet.account.sims.view import SimView
from fleet.sim_states import words
from provision.screen import table, text
from provision.text import amount, counted, local_time, sentence

_ROWS = 20


def listed(count: int, found: Sequence[Mapping[str, Any]]) -> Iterable[RenderableType]:
    if not found:
        yield Text("No such SIM.")
        return
    yield lines(found, "plan", "ends_at")
    if count > len(found):
        yield Text(f"The first {len(found)} of {count} SIMs; --limit shows more.")


def lines(found: Sequence[Mapping[str, Any]], *more: str) -> Table:
    """A line per SIM; ``more``: further columns, of days or moments, or its ``plan``."""
    grid = table("ICCID", "STATE", "UNIT", "STUDENT", "PLACE", *(name.replace("_at", "").upper() for name in more))
    for column in (0, 3, *([-1] if more else [])):
        grid.columns[column].no_wrap = True
    for one in found:
        cells = (one["iccid"], words(one["state"] or ""), one["unit"], student(one["student"]), one["place"])
        told = (plan(one) if name == "plan" else day(one[name]) for name in more)
        grid.add_row(*(text(cell or "") for cell in (*cells, *told)))
    return grid


def plan(sim: Mapping[str, Any]) -> str:
    """What the operator gives with it: 4 GB/day, 90 days."""
    return ", ".join(part for part in (sim["quota"], counted(sim["days"], "day") if sim["days"] else "") if part)


def student(key: str | None) -> str:
    """A pseudonym as it is written for people: S-XXXXXXXXX."""
    return f"{key[0]}-{key[1:]}" if key else ""


def day(at: str | None) -> str:
    """The day of a moment, in the time of this computer; days stay as they are."""
    return (local_time(at)[:10] if "T" in at else at) if at else ""


def shown(found: SimView) -> Iterable[RenderableType]:
    sim = found.sim
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    rows = {
        "ICCID": sim["iccid"],
        "Number": sim["msisdn"],
        "Operator": sim["carrier"],
        "Data plan": plan(sim),
        "State": f"{words(sim['state'])} since {local_time(sim['since'])}",
        "In": found.unit,
        "Read in": found.read_in,
        "Student": student(sim["student"]),
        "Place": found.place,
        "School": found.school if found.school != found.place else "",
        "Activated": day(sim["activated_at"]),
        "Accepted": day(sim["accepted_at"]),
        "Ends": day(sim["ends_at"]),
        "Last used": sim["used_at"],
        "Used": ", ".join(f"{month}: {amount(size)}" for month, size in found.usage.items()),
    }
    for name, value in rows.items():
        if value:
            grid.add_row(Text(name, "bold"), text(value))
    yield grid
    for remark in found.remarks:
        yield text(remark, "yellow")
    yield Text()
    history = table("WHEN", "WHO", "WHAT")
    history.columns[0].no_wrap = True
    for line in found.history:
        history.add_row(text(local_time(line.at)), text(line.actor), text(line.what))
    yield history


def imported(told: Imported, *, applied: bool) -> Iterable[RenderableType]:
    numbers = f"{told.new} new, {told.changed} changed, {told.unchanged} unchanged, {len(told.refused)} refused"
    yield Text(f"{counted(told.rows, 'row')}: {numbers}.")
    if told.unread:
        yield text(f"Columns that say nothing known: {', '.join(told.unread)}", "yellow")
    if told.freed:
        yield Text(f"{counted(told.freed, 'number')} taken from SIMs that ended.")
    yield from refusals(told.refused)
    yield from _end(told.new + told.changed, applied)


def used(told: Used, idle: int, *, applied: bool) -> Iterable[RenderableType]:
    numbers = f"{told.counted} counted, {told.unchanged} counted before, {len(told.refused)} refused"
    yield Text(f"{counted(told.rows, 'row')}: {numbers}.")
    if told.through:
        yield Text(f"{counted(told.sims, 'SIM')}; the file reaches to {told.through}.")
    if idle:
        yield Text(f"{counted(idle, 'SIM')} idle: not used for 60 days. fleet data-plans --idle lists all.")
    yield from refusals(told.refused)
    yield from _end(told.counted, applied)


def answered(told: Answered, *, applied: bool) -> Iterable[RenderableType]:
    answers = ", ".join(f"{count} {words(status)}" for status, count in sorted(told.statuses.items())) or "none new"
    yield Text(f"{counted(told.rows, 'row')}: {answers}; {told.unchanged} unchanged, {len(told.refused)} refused.")
    yield from refusals(told.problems, "The operator did not do it")
    yield from refusals(told.refused)
    yield from _end(sum(told.statuses.values()), applied)


def refusals(found: Sequence[Refused], title: str = "Refused") -> Iterable[RenderableType]:
    """Row by row, the first of them."""
    if not found:
        return
    yield Text(f"{title}:", "yellow")
    for one in sorted(found, key=lambda one: one.row)[:_ROWS]:
        yield text(f"  row {one.row}: {f'{one.what} ' if one.what else ''}{sentence(one.why)}")
    if len(found) > _ROWS:
        yield Text(f"  and {len(found) - _ROWS} more; --json lists all.")


def _end(changes: int, applied: bool) -> Iterable[RenderableType]:
    if not changes:
        yield Text("Nothing new to take over.")
    elif applied:
        yield Text("Taken over.")
    else:
        yield Text("Nothing was written; --apply takes it over.")
