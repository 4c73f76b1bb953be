"""What a row of a list says of a student, checked cell by cell. Nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from fleet.account.people import identifiers
from fleet.account.people.dates import Order, birthday
from fleet.account.people.identifiers import Unusable, exact, folded, loose, spelled
from fleet.account.people.phones import phones
from fleet.account.people.vault import Vault
from fleet.account.roster import columns as roster_columns
from fleet.account.roster.columns import Columns
from fleet.account.roster.entries import Noted, Refused, Row
from fleet.account.roster.schools import Schools
from fleet.account.sheets.lines import Line

LONGEST = 200
_SPARE = frozenset({"phone", "guardian", "address", "teacher", "connection", "category", "status"})
"""A child without these is a child all the same: what cannot be used of them is noted and left out."""

_TELLING = ("name", "family_name", "given_name", "birthday", "national_id", "number", "phone")
"""A row that has none of these says nothing of a student."""

_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
_GRADE = re.compile(r"(?:lop|khoi|grade|class|form|year)?\s*(\d{1,2})(?![\d])")
_HAN_GRADES = {word: str(n) for n, word in enumerate("一二三四五六七八九", start=1)}
_HAN_STAGES = {"初": 6, "高": 9}
_CODE_OF_TEACHER = re.compile(r"[A-Za-z]{0,4}-?\d[\w.-]{0,15}\Z")


@dataclass
class Reader:
    """Reads the rows of one sheet. ``school`` is the code for all rows ("" the column says it).

    ``teachers`` are the names that were read, by pseudonym, in the spelling with most marks.
    """

    vault: Vault
    columns: Columns
    sheet: int
    schools: Schools
    region: str
    today: date
    first: Order
    school: str = ""
    from_1904: bool = False
    noted: list[Noted] = field(default_factory=list)
    teachers: dict[str, str] = field(default_factory=dict)
    _column: str = ""

    def read(self, line: Line) -> Row | Refused | None:
        """``None``: the row is no student (a sum, a signature, the header once more)."""
        self._column = ""
        try:
            if line.broken:
                raise Unusable(line.broken)
            said = self._said(line)
            if not said or self._is_no_student(said, line.cells):
                return None
            return self._row(line.number, said)
        except Unusable as error:
            return Refused(self.sheet, line.number, self._column, str(error))

    def _said(self, line: Line) -> dict[str, str]:
        """The cells that say something, by what they are."""
        said = {}
        cells, width = line.cells, len(line.cells)
        for what, places in self.columns.places.items():
            if len(places) == 1:
                text = cells[places[0]].strip() if places[0] < width else ""
            else:
                text = " / ".join(text for place in places if place < width and (text := cells[place].strip()))
            if text and (text[0] in "=#" or len(text) > LONGEST):
                text = self._checked(line.number, what, text)
            if text:
                said[what] = text
        return said

    def _checked(self, row: int, what: str, text: str) -> str:
        """What a cell holds that is no plain text; "" where the student can do without it."""
        try:
            text = self._computed(text)
            if len(text) > LONGEST:
                raise Unusable(f"has {len(text)} characters")
        except Unusable as error:
            self._column = what
            if what not in _SPARE:
                raise
            self.noted.append(Noted(self.sheet, row, what, str(error)))
            return ""
        return text

    def _computed(self, text: str) -> str:
        """A text behind = as programs write it to keep zeros: ="0912…". Any other formula is not run."""
        if kept := re.fullmatch(r'="([^"]*)"', text):
            return kept[1]
        if text.startswith("="):
            raise Unusable("is a formula without a value: save the file in a spreadsheet program, or write the value")
        if text.upper() in _ERRORS:
            raise Unusable(f"is an error of the spreadsheet: {text}")
        return text

    def _is_no_student(self, said: dict[str, str], cells: list[str]) -> bool:
        if self.columns.repeated(cells) or not any(what in said for what in _TELLING):
            return True
        named = "name" in said and ("birthday" in said or "national_id" in said or "number" in said)
        return not named and roster_columns.is_footer(cells)

    def _row(self, row: int, said: dict[str, str]) -> Row:
        name = self._name(said)
        area = spelled(said.get("area", ""))
        school = self._school(said, area)
        national = self._of("national_id", said, lambda text: identifiers.national_id(text, self.region))
        number = self._of("number", said, identifiers.school_number)
        born = self._birthday(said, national)
        numbers = self._phones(row, said)
        if not (national or number or born or numbers):
            self._column = "birthday"
            raise Unusable("is missing, and so are ID number, student number and phone: nobody can tell who this is")
        fields = self._fields(row, said, school, area)
        household = household_of(area or school, said["household"]) if "household" in said else "".join(numbers[:1])
        guardian, address = spelled(said.get("guardian", "")), spelled(said.get("address", ""))
        person = (name, born, " ".join(numbers), guardian, address, number and spelled(said["number"]))
        return Row._make((str(self.sheet), str(row), *person, loose(name), national, number, *fields, household))

    def _name(self, said: dict[str, str]) -> str:
        self._column = "name"
        if "name" in said:
            return identifiers.name(said["name"])
        family, given = said.get("family_name", ""), said.get("given_name", "")
        if not family or not given:
            raise Unusable("is missing")
        return identifiers.name(f"{family} {given}")

    def _school(self, said: dict[str, str], area: str) -> str:
        if self.school:
            return self.school
        self._column = "school" if "school" in said else "school_code"
        if not (said.keys() & {"school", "school_code"}):
            self._column = "school"
            raise Unusable("is missing: fill the column, or pass --school CODE")
        return self.schools.code(said.get("school", ""), said.get("school_code", ""), area)

    def _of(self, what: str, said: dict[str, str], read: Callable[[str], str]) -> str:
        self._column = what
        return read(said[what]) if what in said else ""

    def _birthday(self, said: dict[str, str], national: str) -> str:
        self._column = "birthday"
        by_number = identifiers.born(national, self.region)
        if "birthday" not in said:
            return by_number
        found = birthday(said["birthday"], self.first, self.today, from_1904=self.from_1904)
        if by_number and not by_number.startswith(found):
            raise Unusable("is not that of the ID number")
        return by_number or found

    def _phones(self, row: int, said: dict[str, str]) -> tuple[str, ...]:
        if "phone" not in said:
            return ()
        try:
            return phones(said["phone"], self.region)
        except Unusable as error:
            self.noted.append(Noted(self.sheet, row, "phone", str(error)))
            return ()

    def _fields(self, row: int, said: dict[str, str], school: str, area: str) -> tuple[str, ...]:
        class_name = class_of(said.get("class_name", ""))
        found = {"connection": "", "state": ""}
        for what, column, meaning, words in _OF_WORDS:
            if what in said and not (word := meaning(said[what])):
                told = f"is not understood: write {words}, or add the word to roster/words.yaml"
                self.noted.append(Noted(self.sheet, row, what, told))
            elif what in said:
                found[column] = word
        kind = category(said["category"]) if "category" in said else ""
        teacher = self.teacher(school, said.get("teacher", ""))
        level = grade(said.get("grade", "") or class_name)
        return (school, area, level, class_name, kind, found["connection"], teacher, found["state"])

    def teacher(self, school: str, said: str) -> str:
        """A code is kept as it is; of a name only a pseudonym, the name goes into the vault."""
        text = spelled(said)
        if not text or _CODE_OF_TEACHER.match(text):
            return text
        plain = loose(text)
        key = self.vault.teacher_key(school, plain)
        if key not in self.teachers or exact(self.teachers[key]) == plain:
            self.teachers[key] = text
        return key


def class_of(text: str) -> str:
    """The class as the school writes it."""
    return spelled(text)[:20]


def household_of(scope: str, number: str) -> str:
    """The number of a household with the area (or school) in which there is but one such."""
    return f"{folded(scope)}\0{folded(number)}"


@lru_cache(maxsize=10_000)
def grade(text: str) -> str:
    """``6`` of "Lớp 6A2", "Grade 6", "六年级" and "6"; "" when it says none."""
    said = folded(text)
    if found := _GRADE.match(said):
        return str(int(found[1])) if 1 <= int(found[1]) <= 12 else ""
    han = spelled(text)
    if han[:1] in _HAN_STAGES and han[1:2] in _HAN_GRADES:
        return str(_HAN_STAGES[han[0]] + int(_HAN_GRADES[han[1]]))
    return _HAN_GRADES.get(han[:1], "")


category = lru_cache(maxsize=1000)(roster_columns.category)
connection = lru_cache(maxsize=1000)(roster_columns.connection)
status = lru_cache(maxsize=1000)(roster_columns.status)
_OF_WORDS = (
    ("connection", "connection", connection, "line, sim or none"),
    ("status", "state", status, "enrolled or left"),
)
"""Columns whose words are all known: what a list calls it, where it is kept, what a word means, and the usual words."""
