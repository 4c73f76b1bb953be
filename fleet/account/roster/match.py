"""Which students of the registry the rows of a list are, looked up many at a time, by keyed hashes only.

The vault is opened where hashes leave a doubt, or where what a list says has to be joined with what was known. Nobody
gets to see that, so it is no event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, exists, select

from fleet.account.people.identifiers import exact, loose, same_name
from fleet.account.people.pseudonyms import shown
from fleet.account.people.vault import Person, Vault, person_of
from fleet.account.roster.doubles import Marks, mark_of
from fleet.account.roster.entries import (
    FIELDS,
    HOUSEHOLD,
    KEY,
    SCHOOL,
    STATE,
    Entry,
    Flat,
    all_ids,
    households,
    marks,
    strongest,
)
from fleet.account.roster.read import differ
from fleet.bulk import batches, read_joined
from fleet.models import student_ids, students, vault

_TOGETHER = 400
_AT_ONCE = 5000
_COMPARED = frozenset({"id", "number", "birth"})
_ROWS = select(
    students.c.student, vault.c.mark, *(students.c[name] for name in (*FIELDS, "household", "source"))
).join_from(students, vault, vault.c.student == students.c.student, isouter=True)
"""A student, as far as it is compared with a row of a list: the columns of an entry in their order."""


class Known(NamedTuple):
    """A student of the registry. ``row`` is that of the table of students; ``mark`` "" where the vault has nothing."""

    student: str
    row: Mapping[str, Any]
    mark: str


class Found(NamedTuple):
    """What becomes of a row: ``known`` is ``None`` of a new student. ``fields``, ``ids`` are those that are new;
    ``person`` is what is to be kept in the vault of one who is known, ``None`` if that stays. ``why`` says why it
    cannot be taken."""

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
    are those of new students of whom the list says none.

    ``unchanged`` counts the rows that say nothing new; ``seen``, by school, the students of this source and school who
    were found so far.
    """

    conn: Connection
    vault: Vault
    keys: Callable[[], Marks]
    crowds: frozenset[int]
    alike: Set[tuple[int, int]]
    areas: Mapping[str, str]
    source: str
    claimed: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    unchanged: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    _taken: set[str] = field(default_factory=set)
    _last: str = ""

    def __post_init__(self) -> None:
        self.empty = not self.conn.scalar(select(exists(select(students.c.student))))

    def find(self, entries: Sequence[Flat]) -> Iterator[Found]:
        """What becomes of each of some rows, which come by their keys; of those that say nothing new, nothing."""
        if self.empty:
            for new in batches(map(Entry._make, entries), _AT_ONCE):
                for entry, ids, shared in self._with_hashes(new):
                    yield self._new(entry, ids, shared, {}, alike=False)
            return
        for some in batches(entries, _AT_ONCE):
            for rest in batches(map(Entry._make, self._not_the_same(some)), _TOGETHER):
                yield from self._some(rest)

    def _not_the_same(self, some: Sequence[Flat]) -> list[Flat]:
        """Those of whom the last list did not say what this one says. Most of a list are asked after but here."""
        known = {row[0]: row for row in read_joined(self.conn, _ROWS, students.c.student, [one[KEY] for one in some])}
        rest = []
        for one, said in zip(some, marks(self.vault, some), strict=True):
            row = known.get(one[KEY])
            if row is not None and row[1] == said and _says_nothing_new(row, one):
                self.unchanged += 1
                if row[-1] == self.source:
                    self.seen[row[2]] += row[-3] == "enrolled"
            else:
                rest.append(one)
        return rest

    def _with_hashes(self, some: Sequence[Entry]) -> Iterator[tuple[Entry, dict[str, str], str]]:
        """Each with all its hashes, and that of its household."""
        return zip(some, all_ids(self.vault, some), households(self.vault, some), strict=True)

    def _some(self, entries: list[Entry]) -> Iterator[Found]:
        known = self._known({entry.key for entry in entries})
        told = zip(entries, marks(self.vault, entries), strict=True)
        same = {entry.key for entry, said in told if (was := known.get(entry.key)) and was.mark == said}
        rest = {
            entry.where: ids for entry, ids, _ in self._with_hashes([one for one in entries if one.key not in same])
        }
        compared = {hashed for ids in rest.values() for hashed, kind in ids.items() if kind in _COMPARED}
        phones = (self._phones(entry, rest[entry.where]) for entry in entries if entry.where in rest)
        hashes = self._hashes(compared.union(*phones))
        known |= self._known({student for found in hashes.values() for student in found} - known.keys())
        kinds = self._kinds(known.keys()) if rest else {}
        for entry, shared in zip(entries, households(self.vault, entries), strict=True):
            if entry.where in rest:
                yield self._doubtful(entry, rest[entry.where], shared, hashes, known, kinds)
            else:
                yield self._compare(entry, {}, shared, known[entry.key], None)

    def _doubtful(
        self,
        entry: Entry,
        ids: dict[str, str],
        shared: str,
        hashes: Mapping[str, list[str]],
        known: Mapping[str, Known],
        kinds: Mapping[str, dict[str, set[str]]],
    ) -> Found:
        forgotten = known.get(entry.key)
        if forgotten and forgotten.row["state"] == "forgotten":
            return Found(entry, entry.key, forgotten, why="was forgotten as the family asked; it is not taken again")
        mine = by_kind(ids)
        strong = {kind: set(hashes.get(mine[kind], ())) for kind in ("id", "number") if kind in mine}
        sure = set().union(*strong.values())
        if len(sure) > 1:
            names = " and ".join(shown(student) for student in sorted(sure))
            return Found(entry, entry.key, why=f"is {names} by its numbers: they may be one student, or a number wrong")
        by_number = bool(sure)
        if not sure:
            sure = set(self._alike(entry, ids, mine, hashes, kinds))
        if len(sure) > 1:
            names = " or ".join(shown(student) for student in sorted(sure)[:3])
            return Found(entry, entry.key, why=f"may be {names}: write the student number")
        if not sure:
            return self._new(entry, ids, shared, known, alike=bool(hashes.get(mine.get("birth", ""))))
        student = sure.pop()
        if not by_number and student in self.claimed and differ(mine, self.claimed[student][1]):
            return self._new(entry, ids, shared, known, alike=True)
        return self._claim(entry, ids, shared, known[student], kinds)

    def _alike(
        self,
        entry: Entry,
        ids: dict[str, str],
        mine: dict[str, str],
        hashes: Mapping[str, list[str]],
        kinds: Mapping[str, dict[str, set[str]]],
    ) -> list[str]:
        """Who has this name, birthday and school, else this name and phone, and not another number."""
        born = hashes.get(mine.get("birth", ""), [])
        named = [
            student
            for phone in self._phones(entry, ids)
            for student in hashes.get(phone, ())
            if mine["name"] in kinds[student].get("name", ())
        ]
        found = []
        for student in dict.fromkeys((*born, *named)):
            theirs = {kind: next(iter(kinds[student].get(kind, ())), "") for kind in ("id", "number")}
            if differ(mine, theirs):
                continue
            person = self._opened(student)
            if person is None or not same_name(person.name, entry.name):
                continue
            if student in born or not _two(person.birthday, entry.birthday):
                found.append(student)
        return [student for student in found if student in born] or found

    def _claim(
        self, entry: Entry, ids: dict[str, str], shared: str, known: Known, kinds: Mapping[str, dict[str, set[str]]]
    ) -> Found:
        """The row is this student, unless another row of the list is, or it is somebody else with the same number."""
        student = known.student
        if student in self.claimed:
            why = f"is {shown(student)}, as row {self.claimed[student][0]} is"
            return Found(entry, student, known, why=why)
        if student != entry.key and student in self.keys():
            return Found(entry, student, known, why=f"is {shown(student)}, as another row of this list is")
        person = self._opened(student)
        if person and loose(person.name) != loose(entry.name) and _two(person.birthday, entry.birthday):
            why = f"has a number of {shown(student)}, but another name and birthday: one of the lists is wrong"
            return Found(entry, student, known, why=why)
        self.claimed[student] = (int(entry.row), by_kind(ids))
        return self._compare(entry, ids, shared, known, kinds[student])

    def _compare(
        self,
        entry: Entry,
        ids: dict[str, str],
        shared: str,
        known: Known,
        kinds: Mapping[str, set[str]] | None,
    ) -> Found:
        """``kinds`` ``None``: what the vault has and the hashes are known to be the same."""
        said = {**entry.fields, "household": shared}
        fields = {name: value for name, value in said.items() if value and known.row[name] != value}
        if known.row["source"] == self.source:
            self.seen[known.row["school"]] += known.row["state"] == "enrolled"
        if known.row["state"] == "left" and entry.state != "left":
            fields["state"] = "enrolled"
        if kinds is None:
            return Found(entry, known.student, known, fields)
        kept = set().union(*kinds.values())
        ids = {hashed: kind for hashed, kind in ids.items() if hashed not in kept}
        before = self._opened(known.student) or Person()
        after = before.with_news(_named_best(before, entry.who))
        return Found(entry, known.student, known, fields, ids, after if after != before else None)

    def _new(self, entry: Entry, ids: dict[str, str], shared: str, known: Mapping[str, Known], *, alike: bool) -> Found:
        student, attempt = entry.key, 0
        while self._is_taken(student, entry, known):
            attempt += 1
            student = self.vault.student_key(self.vault.hashed(*strongest(entry)), attempt)
        if attempt:
            self._taken.add(student)
        self._last = entry.key
        fields = {"state": "enrolled", "source": self.source, **entry.fields}
        if shared:
            fields["household"] = shared
        if not entry.area and (area := self.areas.get(entry.school)):
            fields["area"] = area
        if alike or entry.where in self.alike:
            ids = {hashed: "alike" if kind == "birth" else kind for hashed, kind in ids.items()}
        return Found(entry, student, None, fields, ids)

    def _is_taken(self, student: str, entry: Entry, known: Mapping[str, Known]) -> bool:
        """Two students may have one pseudonym by themselves: of this list they come one after the other."""
        if student in self._taken or (student == entry.key == self._last):
            return True
        if student != entry.key:
            return student in self.keys() or (not self.empty and bool(self._known({student})))
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

    def _phones(self, entry: Entry, ids: Mapping[str, str]) -> Iterator[str]:
        """The hashes of phones by which somebody may be known."""
        hashed = (one for one, kind in ids.items() if kind == "phone")
        said = dict.fromkeys(entry.phones.split())
        return (one for one, phone in zip(hashed, said, strict=True) if mark_of(phone) not in self.crowds)

    def _opened(self, student: str) -> Person | None:
        sealed = self.conn.scalar(select(vault.c.sealed).where(vault.c.student == student))
        return None if sealed is None else person_of(self.vault.unseal(student, sealed))


def _says_nothing_new(row: Sequence[Any], one: Flat) -> bool:
    if row[-3] != (one[STATE] or "enrolled") or (one[HOUSEHOLD] and not row[-2]):
        return False
    was, said = row[2:-3], one[SCHOOL:STATE]
    return was == said or all(not new or new == old for new, old in zip(said, was, strict=True))


def by_kind(ids: Mapping[str, str]) -> dict[str, str]:
    """The hash of each kind, of which there is one."""
    return {kind: hashed for hashed, kind in ids.items()}


def _two(birthday: str, other: str) -> bool:
    """Whether both are known and are not one; of some only the year is known."""
    return bool(birthday and other) and not birthday.startswith(other) and not other.startswith(birthday)


def _named_best(before: Person, now: Person) -> Person:
    """A name that was typed without its marks is not put in the place of the one that has them."""
    typed_plain = exact(now.name) == loose(now.name) and loose(before.name) == loose(now.name)
    return Person(**{**vars(now), "name": before.name}) if typed_plain else now
