"""A student, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.account.people.pseudonyms import shown
from fleet.account.people.students import Line, StudentView
from fleet.account.people.vault import Person
from provision.screen import table, text
from provision.text import local_time


def student(found: StudentView, person: Person | None) -> Iterable[RenderableType]:
    """``person``: what the vault has, for who asked for it."""
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    row = found.student
    rows = {
        "Student": shown(row["student"]),
        **(_who(person) if person else {}),
        "State": row["state"],
        "School": " ".join(part for part in (row["school"], row["class_name"]) if part),
        "Grade": row["grade"],
        "Area": row["area"],
        "Category": row["category"].replace("_", " "),
        "At home": row["connection"],
        "Same home": ", ".join(shown(other) for other in found.others),
        "Teacher": row["teacher"],
        "List": row["source"],
    }
    theirs: dict[str, list[str]] = {}
    for one in found.units:
        what = "Holds" if one["holds"] else "Lost" if one["state"] == "lost" else "Is due"
        theirs.setdefault(what, []).append(f"{one['unit']}, {one['state'].replace('_', ' ')} {_since(one)}")
    for card in found.sims:
        parts = (card["iccid"], card["carrier"], card["state"].replace("_", " "))
        theirs.setdefault("SIM", []).append(", ".join(part for part in parts if part))
    for name, values in {**{name: [value] for name, value in rows.items() if value}, **theirs}.items():
        for value in values:
            grid.add_row(Text(name, "bold"), text(value))
    yield grid
    yield Text()
    history = table("WHEN", "WHO", "WHAT")
    history.columns[0].no_wrap = True
    for event in found.history:
        history.add_row(text(local_time(event.at)), text(event.actor), text(event.what))
    yield history


def _since(unit: Mapping[str, Any]) -> str:
    return f"since {local_time(unit['since'])}"


def _who(person: Person) -> dict[str, str]:
    return {
        "Name": person.name,
        "Birthday": person.birthday,
        "Number": person.number,
        "Guardian": person.guardian,
        "Phone": ", ".join(person.phones),
        "Address": person.address,
    }


def lines(found: Sequence[Line]) -> Iterable[RenderableType]:
    """Those who were found, without their names."""
    if not found:
        yield Text("Nobody of that name or phone.")
        return
    grid = table("STUDENT", "SCHOOL", "CLASS", "STATE")
    for one in found:
        grid.add_row(text(shown(one.student)), text(one.school), text(one.class_name or one.grade), text(one.state))
    yield grid
