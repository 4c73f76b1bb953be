"""Which students of the registry the rows of a list are: looked up some hundreds at a time, by keyed hashes only.

The vault is opened where hashes leave a doubt, or where what a list says has to be joined with what was known. Nobody
gets to see that, so it is no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, exists, select

from fleet.account.people.identifiers import exact, loose, same_name
from fleet.account.people.pseudonyms import shown
from fleet.account.people.vault import Person, Vault, person_of
from fleet.account.roster.read import COMPARED, by_kind, differ
from fleet.account.roster.rows import Entry
from fleet.account.roster.spool import Sample, mark_of
from fleet.bulk import batches
from fleet.models import student_ids, students, vault

_TOGETHER = 400


class Known(NamedTuple):
    """A student of the registry. ``row`` is that of the table of students; ``mark`` "" where the vault has nothing."""

    student: str
    row: Mapping[str, Any]
    mark: str


class Found(NamedTuple):
    """What becomes of a row: ``known`` is ``None`` of a new student. ``fields``, ``ids`` are those that are new;
    ``person`` is what is to be kept in the vault, ``None`` if that stays. ``why`` says why it cannot be taken."""

    entry: Entry
    student: str
    known: Known | None = None
    fields: Mapping[str, str] = {}
    ids: Mapping[str, str] = {}
    person: Person | None = None
    why: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.fields or self.ids or self.person)


@dataclass
class Matcher:
    """``keys`` are the pseudonyms that the rows of this list would have by themselves, ``crowds`` the phones by which
    nobody is known, ``alike`` sheet and row of who only looks like another row of the list. ``areas`` of schools
    are those of new students of whom the list says none."""

    conn: Connection
    vault: Vault
    keys: Sample
    crowds: frozenset[int]
    alike: Set[tuple[int, int]]
    areas: Mapping[str, str]
    source: str
    claimed: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _last: str = ""

    def find(self, entries: Sequence[Entry]) -> Iterator[Found]:
        """What becomes of each of some rows, which come by their keys."""
        if self.empty:
            yield from (self._new(entry, {}, alike=False) for entry in entries)
            return
        for some in batches(entries, _TOGETHER):
            yield from self._some(some)

    def __post_init__(self) -> None:
        self.empty = not self.conn.scalar(select(exists(select(students.c.student))))

    def _some(self, entries: list[Entry]) -> Iterator[Found]:
        known = self._known({entry.key for entry in entries})
        same = {id(entry) for entry in entries if self._is_same(entry, known.get(entry.key))}
        rest = [entry for entry in entries if id(entry) not in same]
        compared = {hashed for entry in rest for hashed, kind in entry.ids.items() if kind in COMPARED}
        hashes = self._hashes(compared.union(*map(self._phones, rest)))
        known |= self._known({student for found in hashes.values() for student in found} - known.keys())
        kinds = self._kinds(known.keys()) if rest else {}
        for entry in entries:
            if id(entry) in same:
                yield self._compare(entry, known[entry.key], None)
            else:
                yield self._doubtful(entry, hashes, known, kinds)

    def _is_same(self, entry: Entry, known: Known | None) -> bool:
        """Whether the last list said of this student what this one says; then it need not be asked who it is."""
        return known is not None and known.mark == mark(self.vault, entry)

    def _doubtful(
        self,
        entry: Entry,
        hashes: Mapping[str, list[str]],
        known: Mapping[str, Known],
        kinds: Mapping[str, dict[str, set[str]]],
    ) -> Found:
        forgotten = known.get(entry.key)
        if forgotten and forgotten.row["state"] == "forgotten":
            return Found(entry, entry.key, forgotten, why="was forgotten as the family asked; it is not taken again")
        mine = by_kind(entry)
        strong = {kind: set(hashes.get(mine[kind], ())) for kind in ("id", "number") if kind in mine}
        sure = set().union(*strong.values())
        if len(sure) > 1:
            names = " and ".join(shown(student) for student in sorted(sure))
            return Found(entry, entry.key, why=f"is {names} by its numbers: they may be one student, or a number wrong")
        by_number = bool(sure)
        if not sure:
            sure = set(self._alike(entry, mine, hashes, kinds))
        if len(sure) > 1:
            names = " or ".join(shown(student) for student in sorted(sure)[:3])
            return Found(entry, entry.key, why=f"may be {names}: write the student number")
        if not sure:
            return self._new(entry, known, alike=bool(hashes.get(mine.get("birth", ""))))
        student = sure.pop()
        if not by_number and student in self.claimed and differ(mine, self.claimed[student][1]):
            return self._new(entry, known, alike=True)
        return self._claim(entry, known[student], kinds)

    def _alike(
        self,
        entry: Entry,
        mine: dict[str, str],
        hashes: Mapping[str, list[str]],
        kinds: Mapping[str, dict[str, set[str]]],
    ) -> Iterator[str]:
        """Who has this name, birthday and school, or this name and phone, and not another number."""
        born = hashes.get(mine.get("birth", ""), [])
        named = [
            student
            for phone in self._phones(entry)
            for student in hashes.get(phone, ())
            if mine["name"] in kinds[student].get("name", ())
        ]
        for student in dict.fromkeys((*born, *named)):
            theirs = {kind: next(iter(kinds[student].get(kind, ())), "") for kind in ("id", "number")}
            if differ(mine, theirs):
                continue
            person = self._opened(student)
            if person is None or not same_name(person.name, entry.who.name):
                continue
            if student in born or not _two(person.birthday, entry.who.birthday):
                yield student

    def _claim(self, entry: Entry, known: Known, kinds: Mapping[str, dict[str, set[str]]]) -> Found:
        """The row is this student, unless another row of the list is, or it is somebody else with the same number."""
        student = known.student
        if student in self.claimed:
            why = f"is {shown(student)}, as row {self.claimed[student][0]} is"
            return Found(entry, student, known, why=why)
        if student != entry.key and student in self.keys:
            return Found(entry, student, known, why=f"is {shown(student)}, as another row of this list is")
        person = self._opened(student)
        if person and loose(person.name) != loose(entry.who.name) and _two(person.birthday, entry.who.birthday):
            why = f"has a number of {shown(student)}, but another name and birthday: one of the lists is wrong"
            return Found(entry, student, known, why=why)
        self.claimed[student] = (entry.row, by_kind(entry))
        return self._compare(entry, known, kinds[student])

    def _compare(self, entry: Entry, known: Known, kinds: Mapping[str, set[str]] | None) -> Found:
        """``kinds`` ``None``: what the vault has and the hashes are known to be the same."""
        fields = {name: value for name, value in entry.fields.items() if value and known.row[name] != value}
        if known.row["state"] == "left" and entry.fields.get("state") != "left":
            fields["state"] = "enrolled"
        if kinds is None:
            return Found(entry, known.student, known, fields)
        kept = set().union(*kinds.values())
        ids = {hashed: kind for hashed, kind in entry.ids.items() if hashed not in kept}
        before = self._opened(known.student) or Person()
        after = before.with_news(_named_best(before, entry.who))
        return Found(entry, known.student, known, fields, ids, after if after != before else None)

    def _new(self, entry: Entry, known: Mapping[str, Known], *, alike: bool) -> Found:
        student, attempt = entry.key, 0
        while self._is_taken(student, entry, known):
            attempt += 1
            student = self.vault.student_key(entry.strongest, attempt)
        if attempt:
            self._taken.add(student)
        self._last = entry.key
        fields = {"state": "enrolled", "source": self.source, **entry.fields}
        if "area" not in fields and (area := self.areas.get(fields["school"])):
            fields["area"] = area
        ids = entry.ids
        if alike or entry[:2] in self.alike:
            ids = {hashed: "alike" if kind == "birth" else kind for hashed, kind in ids.items()}
        return Found(entry, student, None, fields, ids, entry.who)

    def _is_taken(self, student: str, entry: Entry, known: Mapping[str, Known]) -> bool:
        """Two students may have one pseudonym by themselves: of this list they come one after the other."""
        if student in self._taken or (student == entry.key == self._last):
            return True
        if student != entry.key:
            return student in self.keys or (not self.empty and bool(self._known({student})))
        return student in known

    def _known(self, names: Iterable[str]) -> dict[str, Known]:
        found = {}
        join = students.outerjoin(vault, vault.c.student == students.c.student)
        for some in batches(names, _TOGETHER):
            query = select(students, vault.c.mark).select_from(join).where(students.c.student.in_(some))
            for row in self.conn.execute(query):
                found[row.student] = Known(row.student, dict(row._mapping), row.mark or "")
        return found

    def _hashes(self, hashes: Iterable[str]) -> dict[str, list[str]]:
        """Whose they are."""
        found: dict[str, list[str]] = {}
        for some in batches(hashes, _TOGETHER):
            query = select(student_ids.c.hash, student_ids.c.student).where(student_ids.c.hash.in_(some))
            for hashed, student in self.conn.execute(query):
                found.setdefault(hashed, []).append(student)
        return found

    def _kinds(self, names: Iterable[str]) -> dict[str, dict[str, set[str]]]:
        """All hashes of some students, by kind."""
        found: dict[str, dict[str, set[str]]] = {name: {} for name in names}
        for some in batches(found, _TOGETHER):
            query = select(student_ids.c.student, student_ids.c.kind, student_ids.c.hash)
            for student, kind, hashed in self.conn.execute(query.where(student_ids.c.student.in_(some))):
                found[student].setdefault(kind, set()).add(hashed)
        return found

    def _phones(self, entry: Entry) -> Iterator[str]:
        return (one for one, kind in entry.ids.items() if kind == "phone" and mark_of(one) not in self.crowds)

    def _opened(self, student: str) -> Person | None:
        sealed = self.conn.scalar(select(vault.c.sealed).where(vault.c.student == student))
        return None if sealed is None else person_of(self.vault.unseal(student, sealed))


def mark(vault: Vault, entry: Entry) -> str:
    """By which the same row is known again without opening anything."""
    name, birthday, phones, guardian, address, number = entry.person
    return vault.mark("\0".join((name, birthday, guardian, address, number, *phones, *entry.ids)))


def _two(birthday: str, other: str) -> bool:
    """Whether both are known and are not one; of some only the year is known."""
    return bool(birthday and other) and not birthday.startswith(other) and not other.startswith(birthday)


def _named_best(before: Person, now: Person) -> Person:
    """A name that was typed without its marks is not put in the place of the one that has them."""
    typed_plain = exact(now.name) == loose(now.name) and loose(before.name) == loose(now.name)
    return Person(**{**vars(now), "name": before.name}) if typed_plain else now
