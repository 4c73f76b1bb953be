"""Lists of students as cases: read, planned, applied and looked at in a registry of their own."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from fleet.account.custody import places
from fleet.account.people.dates import Order
from fleet.account.people.vault import Person, the_vault
from fleet.account.roster.read import Request, gathered
from fleet.account.roster.schools import Schools, only
from fleet.account.roster.taking_over import Report, applied, planned
from fleet.db import snapshot, transaction
from fleet.models import students, vault
from fleet.units import Registry

TODAY = date(2025, 3, 1)
DATA = Path(__file__).parents[1] / "data" / "roster"


def bring(registry: Registry, file: Path, *, apply: bool = True, source: str = "roster", **options: Any) -> Report:
    """Import ``file``: what ``fleet roster import`` does, on a day that does not change."""
    with snapshot(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        known = places.listed(conn)
        if options.get("school"):
            options["school"] = only(known, options["school"])
    if "dates" in options:
        options["first"] = Order(options.pop("dates"))
    schools = Schools(known)
    with gathered(Request(file, TODAY, **options), keys, schools) as found:
        if not apply:
            with snapshot(registry.engine) as conn:
                return planned(conn, keys, found, schools, source)
        with transaction(registry.engine) as conn:
            return applied(conn, registry.ledger, keys, found, schools, source)


def people(registry: Registry) -> dict[str, tuple[dict[str, Any], Person]]:
    """Everybody, by pseudonym: the row of the table, and what the vault has."""
    found = {}
    with snapshot(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        query = select(students, vault.c.sealed).join_from(students, vault, vault.c.student == students.c.student)
        for row in conn.execute(query):
            said = keys.unseal(row.student, row.sealed)
            person = Person(**{**said, "phones": tuple(said.get("phones", ()))})
            found[row.student] = (dict(row._mapping), person)
    return found


def told(report: Report) -> dict[str, Any]:
    """A report as a case file writes it: only what is not zero or empty."""
    several = len(report.sheets) > 1
    counted = ("new", "changed", "unchanged", "back", "left", "others", "crowded")
    numbers = {name: getattr(report, name) for name in counted}
    lists = {
        "refused": [_line(report, one.sheet, one.row, one.column, one.why, several) for one in report.refused],
        "notes": [_line(report, one.sheet, one.row, one.column, one.what, several) for one in report.notes],
        "schools": [f"{one.place}: {one.name}{one.near}" for one in report.schools],
        "unread": list(report.unread),
        "unknown": [name for table in report.tables for name in table.columns.unknown],
    }
    return {name: value for name, value in {**numbers, **lists, "encoding": report.encoding}.items() if value}


def _line(report: Report, sheet: int, row: int, column: str, why: str, several: bool) -> str:
    where = f"{report.sheets[sheet]} {row}" if several else str(row)
    return f"{where} {column}: {why}".replace(" :", ":")


def listed(registry: Registry) -> list[str]:
    """Everybody as a case file writes them, in the order of names."""
    lines = []
    for row, person in people(registry).values():
        said = [person.name, person.birthday, " ".join(person.phones), person.number, person.guardian, person.address]
        said += [row[name] for name in ("school", "area", "grade", "class_name", "category", "connection")]
        lines.append(" | ".join(part for part in said if part and part != "unknown"))
    return sorted(lines)
