"""Taking over a list of students: what would change is worked out first, and what was worked out is what is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, func, select

from fleet.account.custody import places
from fleet.account.custody.places import Place
from fleet.account.people.identifiers import exact, loose
from fleet.account.people.students import freed
from fleet.account.people.vault import Person, Vault
from fleet.account.roster.doubles import mark_of
from fleet.account.roster.entries import HOUSEHOLD, SCHOOL, Flat, Noted, Refused, marks
from fleet.account.roster.match import Found, Matcher
from fleet.account.roster.read import Gathered, Table
from fleet.account.roster.schools import Schools
from fleet.bulk import batches, delete_rows, insert_values, update_rows
from fleet.ledger import Happening, Ledger
from fleet.models import student_ids, students, vault
from fleet.values import Json, storable

SHOWN = 1000
"""Students that a report names; the rest is counted."""

_TOGETHER = 2000
_NAMED = 400
_VAULT = ("student", "sealed", "mark")


@dataclass(frozen=True)
class NewSchool:
    """A school that the list adds to the places; ``near`` names the known one that may have been meant."""

    place: str
    name: str
    area: str
    near: str


@dataclass
class Report:
    """What a list changes, or did change. ``new + changed + unchanged + refused`` are the rows with students.

    ``back`` of the changed had left before, ``left`` of the new and changed are at no school any more. ``missing`` are
    students of this source and these schools that are not in the list: nothing becomes of them by that alone;
    ``missing_count`` counts those that are not named here, too.
    ``crowds`` are phone or household numbers that more students share than one home has, ``crowded`` the students: no
    household is made of these. ``sheets`` are the names by which rows are told.
    """

    source: str
    tables: tuple[Table, ...] = ()
    encoding: str = ""
    unread: tuple[str, ...] = ()
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    back: int = 0
    left: int = 0
    others: int = 0
    refused: list[Refused] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    note_counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    schools: tuple[NewSchool, ...] = ()
    crowds: int = 0
    crowded: int = 0
    missing: tuple[str, ...] = ()
    missing_count: int = 0
    sheets: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.new or self.changed)


def planned(conn: Connection, keys: Vault, found: Gathered, schools: Schools, source: str) -> Report:
    """What the list would change. Nothing is written."""
    keys.agree(conn)
    report = _begun(found, schools, source)
    for _ in _decided(conn, keys, found, schools, report, counting=True):
        pass
    return report


def applied(conn: Connection, ledger: Ledger, keys: Vault, found: Gathered, schools: Schools, source: str) -> Report:
    """Change what the list changes, in the transaction of ``conn``."""
    report = _begun(found, schools, source)
    keys.announce(conn, ledger)
    with _bulk(conn):
        ledger.append_many(conn, _happenings(conn, keys, found, schools, report))
    return report


def _begun(found: Gathered, schools: Schools, source: str) -> Report:
    new = (NewSchool(one.place, one.name, one.area, schools.near(one)) for one in _new_schools(found, schools))
    return Report(
        source=source,
        tables=tuple(table for table in found.tables if table),
        encoding=found.encoding,
        unread=tuple(found.unread),
        others=found.others,
        refused=sorted(found.refused),
        notes=found.notes,
        note_counts=found.note_counts,
        schools=tuple(new),
        crowds=len(found.crowds),
        sheets=tuple(table.sheet if table else "" for table in found.tables),
    )


def _new_schools(found: Gathered, schools: Schools) -> list[Place]:
    """Not those that only rows name which cannot be taken."""
    return [place for code, place in schools.new.items() if code in found.schools]


def _decided(
    conn: Connection, keys: Vault, found: Gathered, schools: Schools, report: Report, *, counting: bool = False
) -> Iterator[Found]:
    """What becomes of each row that can be taken; the report is filled on the way, and complete at the end.

    ``counting``: nothing is to be written, so where everybody is new nobody has to be looked at.
    """
    matcher = Matcher(conn, keys, lambda: found.keys, found.crowds, found.alike, schools.areas(), report.source)
    if counting and matcher.empty and not found.crowds:
        report.new, report.left = found.taken, found.left
        return
    before = {} if matcher.empty else _enrolled(conn, report.source)
    out = {(str(one.sheet), str(one.row)) for one in found.refused}
    named: set[str] = set()
    for entries in found.spool.sorted():
        taken = [one for one in entries if one[1:3] not in out] if out else entries
        if found.crowds:
            report.crowded += sum(mark_of(one[HOUSEHOLD]) in found.crowds for one in taken)
            taken = [_without_crowd(one, found.crowds) for one in taken]
        named.update({one[SCHOOL] for one in taken})
        for one in matcher.find(taken):
            if _count(one, report):
                yield one
    report.unchanged += matcher.unchanged
    report.refused.sort()
    fewer = {school for school in named if before.get(school, 0) > matcher.seen[school]}
    _find_missing(conn, found, matcher, fewer, report)


def _enrolled(conn: Connection, source: str) -> dict[str, int]:
    """How many students of this source there are, by school, before anything is changed."""
    mine = (students.c.source == source) & (students.c.state == "enrolled")
    query = select(students.c.school, func.count().label("n")).where(mine).group_by(students.c.school)
    return {row.school: row.n for row in conn.execute(query)}


def _without_crowd(one: Flat, crowds: Set[int]) -> Flat:
    """A phone that forty children share is the school's, and forty are no household, whatever number they have."""
    return (*one[:HOUSEHOLD], "") if one[HOUSEHOLD] and mark_of(one[HOUSEHOLD]) in crowds else one


def _count(one: Found, report: Report) -> bool:
    """Whether something is to be written."""
    if one.why:
        report.refused.append(Refused(*one.entry.where, "", one.why))
        return False
    if one.known is None:
        report.new += 1
    elif one.changed:
        report.changed += 1
        report.back += one.fields.get("state") == "enrolled"
    else:
        report.unchanged += 1
    report.left += one.fields.get("state") == "left"
    return one.known is None or one.changed


def _find_missing(conn: Connection, found: Gathered, matcher: Matcher, schools: set[str], report: Report) -> None:
    """Students whom this source named before at these schools, and now does not."""
    missing: list[str] = []
    mine = (students.c.source == report.source) & (students.c.state == "enrolled")
    for some in batches(sorted(schools), _NAMED):
        query = select(students.c.student).where(mine, students.c.school.in_(some))
        for student in conn.scalars(query):
            if student not in found.keys and student not in matcher.claimed:
                report.missing_count += 1
                missing += [student] * (len(missing) < SHOWN)
    report.missing = tuple(missing)


def _happenings(
    conn: Connection, keys: Vault, found: Gathered, schools: Schools, report: Report
) -> Iterator[Happening]:
    there = {place.place for place in places.listed(conn)}
    for place in _new_schools(found, schools):
        if place.place in there:
            continue  # somebody else added it meanwhile
        said: dict[str, Json] = {"name": storable(place.name), "kind": place.kind, "area": storable(place.area)}
        yield "place.set", place.place, {"v": 1, **said}
    kept = _Kept(conn, keys)
    for one in _decided(conn, keys, found, schools, report):
        kept.keep(one)
        yield "student.set", one.student, {"v": 1, "fields": {**one.fields}, "ids": {**one.ids}}
        if one.known and one.fields.get("state") == "left":
            yield from (happening for happening, _ in freed(conn, one.student, "left"))
    kept.write()
    _keep_teachers(conn, keys, found.teachers)


def _keep_teachers(conn: Connection, keys: Vault, teachers: Mapping[str, str]) -> None:
    """Their names, for whoever has to call them. One that is known is not written over by one without marks."""
    known: set[str] = set()
    for some in batches(teachers, _NAMED):
        known.update(conn.scalars(select(vault.c.student).where(vault.c.student.in_(some))))
    for teacher, name in teachers.items():
        if teacher not in known or exact(name) != loose(name):
            keys.put(conn, teacher, Person(name=name))


@dataclass
class _Kept:
    """What goes into the vault, some thousands at once."""

    conn: Connection
    keys: Vault
    _waiting: list[Found] = field(default_factory=list)

    def keep(self, one: Found) -> None:
        self._waiting.append(one)
        if len(self._waiting) >= _TOGETHER:
            self.write()

    def write(self) -> None:
        told = zip(self._waiting, marks(self.keys, [one.entry for one in self._waiting]), strict=True)
        rows, same = [], []
        for one, said in told:
            if one.known is None or one.person:
                plain = one.person.plain() if one.person else one.entry.plain_person
                rows.append((one.student, self.keys.seal(one.student, plain), said))
            else:
                same.append({"student": one.student, "mark": said})
        old = ({"student": one.student} for one in self._waiting if one.known and one.person)
        delete_rows(self.conn, vault, list(old))
        insert_values(self.conn, vault, _VAULT, rows)
        update_rows(self.conn, vault, same, ("mark",))
        self._waiting = []


@contextmanager
def _bulk(conn: Connection) -> Iterator[None]:
    """Into an empty table rows go three times as fast when its indexes are made at the end, all at once."""
    if conn.scalar(select(exists(select(students.c.student)))):
        yield
        return
    indexes = sorted(students.indexes | student_ids.indexes, key=lambda index: str(index.name))
    for index in indexes:
        index.drop(conn)
    yield
    for index in indexes:
        index.create(conn)
