"""What a row of a list says of a student, as flat text: a million of them are put aside, sorted and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fleet.account.people.vault import Person, Vault, plain

Flat = tuple[str, ...]
"""An :class:`Entry`, or the values of a :class:`Row`, as a plain tuple, which is made in a third of the time."""


class Row(NamedTuple):
    """A row that can be taken. What is not said is "". No value has a character that cannot be seen.

    ``number`` is the number at the school as it is written, ``birthday`` 2012-03-05, ``phones`` are +84912345678 with
    spaces between. ``plain``, ``national`` and ``compared`` are for comparing: name, ID number, number at the school.
    From ``school`` to ``state`` they are columns of the table of students. ``household`` is the number of the household
    with its area, else the first phone.
    """

    sheet: str
    row: str
    name: str
    birthday: str
    phones: str
    guardian: str
    address: str
    number: str
    plain: str
    national: str
    compared: str
    school: str
    area: str
    grade: str
    class_name: str
    category: str
    connection: str
    teacher: str
    state: str
    household: str


class Entry(NamedTuple):
    """A :class:`Row` behind ``key``, the pseudonym that the student has if nothing stands against it."""

    key: str
    sheet: str
    row: str
    name: str
    birthday: str
    phones: str
    guardian: str
    address: str
    number: str
    plain: str
    national: str
    compared: str
    school: str
    area: str
    grade: str
    class_name: str
    category: str
    connection: str
    teacher: str
    state: str
    household: str

    @property
    def where(self) -> tuple[int, int]:
        """Sheet and row."""
        return int(self.sheet), int(self.row)

    @property
    def who(self) -> Person:
        name, birthday, phones, *rest = self[NAME : NAME + 6]
        return Person(name, birthday, tuple(phones.split()), *rest)

    @property
    def plain_person(self) -> bytes:
        """The same, as it is sealed."""
        return plain({**dict(zip(_PERSON, self[NAME:PLAIN], strict=True)), "phones": tuple(self.phones.split())})

    @property
    def fields(self) -> dict[str, str]:
        """Columns of the table of students, only those that the row says; but for the household."""
        return {name: value for name, value in zip(FIELDS, self[SCHOOL:HOUSEHOLD], strict=True) if value}

    @property
    def numbers(self) -> dict[str, str]:
        """What tells students of one list apart, by kind: ID number, number at the school; name, birthday, school."""
        return {kind: text for kind, text in identifiers(self) if kind in _TELLING}


KEY, _, _, NAME, BIRTHDAY, PHONES, GUARDIAN, ADDRESS, NUMBER, PLAIN, NATIONAL, COMPARED, SCHOOL = range(13)
STATE, HOUSEHOLD = Entry._fields.index("state"), Entry._fields.index("household")
FIELDS = Entry._fields[SCHOOL:HOUSEHOLD]
"""The columns of the table of students that a list may say."""

_PERSON = Entry._fields[NAME:PLAIN]
_TELLING = frozenset({"id", "number", "birth"})


class Refused(NamedTuple):
    """A row that cannot be taken: in which column ("" the row as a whole), and why."""

    sheet: int
    row: int
    column: str
    why: str


class Noted(NamedTuple):
    """Something of a row that was not taken, though the row was."""

    sheet: int
    row: int
    column: str
    what: str


def identifiers(entry: Entry | Row) -> Iterator[tuple[str, str]]:
    """Kind and text of all by which the student may be known, the strongest first."""
    if entry.national:
        yield "id", entry.national
    if entry.compared:
        yield "number", f"{entry.school}\0{entry.compared}"
    if entry.birthday:
        yield "birth", f"{entry.plain}\0{entry.birthday}\0{entry.school}"
    yield "name", entry.plain
    for phone in entry.phones.split():
        yield "phone", phone


def strongest(entry: Entry | Row) -> tuple[str, str]:
    """Kind and text of the identifier of which the pseudonym is made."""
    kind, text = next(identifiers(entry))
    return (kind, text) if kind != "name" else ("home", f"{text}\0{entry.phones.split()[0]}")


def keys(vault: Vault, rows: Sequence[Flat]) -> list[str]:
    """The pseudonyms that the students of rows have if nothing stands against it."""
    nationals = [row[NATIONAL - 1] for row in rows]
    if all(nationals):
        return vault.student_keys(vault.hasher("id")(nationals))
    return vault.student_keys(hashes(vault, [strongest(Row._make(row)) for row in rows]))


def marks(vault: Vault, some: Sequence[Flat]) -> list[str]:
    """By which the same rows are known again without opening anything: all but where the students are at school."""
    return vault.hasher("mark")(["\0".join((*one[NAME : SCHOOL + 1], one[HOUSEHOLD])) for one in some])


def households(vault: Vault, some: Sequence[Flat]) -> list[str]:
    """The hashes that siblings share; "" where there is none."""
    texts = [one[HOUSEHOLD] for one in some]
    return hashes(vault, [("phone" if text[:1] == "+" else "household", text) for text in texts])


def all_ids(vault: Vault, some: Sequence[Entry]) -> list[dict[str, str]]:
    """All hashes by which each of them may be known, with their kinds, the strongest first."""
    found: list[dict[str, str]] = [{} for _ in some]
    births = [f"{one[PLAIN]}\0{one[BIRTHDAY]}\0{one[SCHOOL]}" if one[BIRTHDAY] else "" for one in some]
    numbers = [f"{one[SCHOOL]}\0{one[COMPARED]}" if one[COMPARED] else "" for one in some]
    nationals, names = [one[NATIONAL] for one in some], [one[PLAIN] for one in some]
    for kind, texts in (("id", nationals), ("number", numbers), ("birth", births), ("name", names)):
        _put(vault, kind, texts, found)
    phones = [one[PHONES].split() for one in some]
    for at in range(max(map(len, phones), default=0)):
        _put(vault, "phone", [each[at] if at < len(each) else "" for each in phones], found)
    return found


def _put(vault: Vault, kind: str, texts: Sequence[str], found: Sequence[dict[str, str]]) -> None:
    """The hash of each different text: many children have one name."""
    different = dict.fromkeys(texts)
    different.pop("", None)
    known = dict(zip(different, vault.hasher(kind)(different), strict=True))
    for text, ids in zip(texts, found, strict=True):
        if text:
            ids[known[text]] = kind


def hashes(vault: Vault, texts: Iterable[tuple[str, str]]) -> list[str]:
    """The hash of each kind and text; "" of "". Those of one kind at once."""
    texts = list(texts)
    by_kind: dict[str, list[str]] = {}
    for kind, text in texts:
        if text:
            by_kind.setdefault(kind, []).append(text)
    found = {kind: iter(vault.hasher(kind)(some)) for kind, some in by_kind.items()}
    return [next(found[kind]) if text else "" for kind, text in texts]
