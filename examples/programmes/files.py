"""What a school, a donor and an operator would send of a generated world, in their encodings and with their headings.

Beside these ``students.csv``, ``schools.csv`` and ``story.csv``, in plain UTF-8: who they are, and what happened in the
weeks before today.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from examples.programmes.people import windows_1258
from examples.programmes.world import Happening, Student, World

Rows = Iterable[Sequence[Any]]


def write(world: World, folder: Path) -> None:
    """All files; the same world gives the same texts."""
    folder.mkdir(parents=True, exist_ok=True)
    told = world.told
    everybody = [*world.students, *world.later]
    _table(folder / told["files"]["roster"], _roster(world, world.students), told)
    _table(folder / told["files"]["later"], _roster(world, everybody, _left(world)), told)
    _table(folder / told["files"]["donor"], _donor(world), told)
    _table(folder / told["files"]["sims"], _sims(world), told)
    _plain(folder / "students.csv", [_names(Student), *(astuple(one) for one in everybody)])
    _plain(folder / "story.csv", [_names(Happening), *(astuple(one) for one in world.story)])
    _plain(folder / "schools.csv", [("code", "name", "area"), *((code, *rest) for code, rest in world.schools.items())])


def _left(world: World) -> set[str]:
    """Who is at no school any more; where lists tell it, also some of whom nobody has said it before."""
    known = {one.student for one in world.story}
    others = [one.number for one in world.students if one.number not in known]
    gone = set(others[::20]) if "status" in world.told else set()
    return gone | {one.student for one in world.story if one.what == "leave"}


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _roster(world: World, students: Sequence[Student], left: Collection[str] = ()) -> Rows:
    """Who has ``left`` is in no list that does not say so of each."""
    told = world.told
    words = told.get("status")
    yield [told["title"]]
    yield told["headings"]["roster"]
    for number, student in enumerate((one for one in students if words or one.number not in left), 1):
        row = asdict(student) | ({"status": words[student.number in left]} if words else {})
        row |= {
            "row": number,
            "school": world.schools[student.school][0],
            "born": student.born.strftime(told["dates"]),
            "grade": told["grade"].format(student.grade),
            "category": told["categories"][student.category][1],
            "connection": told["connections"][student.connection][1],
            "phone": int(student.phone),  # as Excel takes it
        }
        yield [row[name] for name in told["columns"]]


def _donor(world: World) -> Rows:
    yield world.told["headings"]["donor"]
    for one in world.devices:
        yield [one.tag, one.maker, one.model, one.serial, one.imei]


def _sims(world: World) -> Rows:
    yield world.told["headings"]["sims"]
    for number, one in enumerate(world.sims, 1):
        yield [number, one.iccid, one.msisdn, one.quota, one.days]


def _table(file: Path, rows: Rows, told: Any) -> None:
    """XLSX; or CSV as this country's programs write it."""
    if file.suffix == ".xlsx":
        book = Workbook(write_only=True)
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(list(row))
        book.save(file)
        return
    text = io.StringIO()
    csv.writer(text, delimiter=told["delimiter"]).writerows(rows)
    plain = text.getvalue()
    file.write_bytes(windows_1258(plain) if told["encoding"] == "windows-1258" else plain.encode(told["encoding"]))


def _plain(file: Path, rows: Rows) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
