"""A scanner at the bench: every code that is read does something, and a wrong one does nothing.

A scanner types like a keyboard. What it reads is a command (``FLEET:COUNT LE-LOI``), a student's key, or a unit's tag,
serial or IMEI. Reading one thing twice, or a label that is not ours, changes nothing and stops nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from fleet.account.custody import kit as custody_kit
from fleet.account.custody import serials
from fleet.account.custody.count import count
from fleet.account.custody.receive import Lot, receive
from fleet.account.custody.receive_rows import Listed
from fleet.account.custody.returning import take_back
from fleet.account.desk import hand_over as custody_hand_over
from fleet.account.desk.hand_over import Acceptance
from fleet.account.people import pseudonyms, students
from fleet.account.programme import in_force as programme
from fleet.account.sims import one_by_one as sims
from fleet.db import snapshot, transaction
from fleet.errors import AccountError, CustodyError, UnitError
from fleet.models import tag_series
from fleet.tag_numbers import series
from fleet.tags import find, the
from fleet.units import Registry
from profiles.errors import SchoolbagError, meant
from provision.text import printable

_COMMAND = re.compile(r"(?:FLEET[:;]|/)\s*(\S+)\s*(.*)", re.IGNORECASE)

MODES: Mapping[str, tuple[str, ...]] = {
    "receive": ("batch", "place"),
    "hand-over": ("taken-by",),
    "return": ("place",),
    "count": ("place",),
}
"""What can be done, and what has to be said for it. What follows the name of a mode in its command is the first."""

SETTINGS = ("place", "batch", "donor", "maker", "model", "taken-by", "condition", "kit")
_IMEI = 15
_ICCID = re.compile(r"89[0-9]{16,18}")
_ONCE = ("id", "guardian", "missing")
_LONGEST = 200
_OF_A_LABEL = 6
"""So many letters has the prefix of a label that another bench printed, at most."""


@dataclass(frozen=True)
class Answer:
    """What came of a code: ``result`` is done, note (nothing was changed, and nothing is wrong) or refused."""

    result: str
    what: str


@dataclass
class Session:
    """One person at one scanner. ``settings`` has values of :data:`SETTINGS`; kits as ``device=1, charger``."""

    registry: Registry
    settings: dict[str, str] = field(default_factory=dict)
    mode: str = ""
    _student: str = ""
    _unit: str = ""
    _done: dict[str, str] = field(default_factory=dict)
    _counted: dict[str, None] = field(default_factory=dict)
    _doubtful: str = ""
    _once: dict[str, str] = field(default_factory=dict)

    def take(self, line: str) -> Answer | None:
        """What comes of one line; ``None`` when there is nothing in it."""
        code = unicodedata.normalize("NFKC", line).strip()
        if not code:
            return None
        if len(code) > _LONGEST:
            return Answer("refused", f"{printable(code[:40])}… is no code of ours: it has {len(code)} characters.")
        if command := _COMMAND.fullmatch(code):
            return self._told(lambda: self._command(command[1].casefold(), command[2].strip()))
        if not code.isascii():
            return Answer("refused", f"{printable(code)}: the keyboard is not set to English, so scanners misspell.")
        return self._told(lambda: self._scanned(code))

    def ended(self) -> Answer | None:
        """What was begun and is not done."""
        if self._counted:
            return Answer("refused", f"The count of {self.settings['place']} was not ended with FLEET:DONE: not kept.")
        if self.mode == "hand-over" and (self._student or self._unit):
            return Answer("refused", f"{self._student or self._unit} was scanned alone: nothing was handed over.")
        return None

    def start(self, mode: str) -> Answer:
        """Begin a mode. What it still lacks is said."""
        self.mode = mode
        self._forget()
        self._done.clear()
        lacking = [name for name in MODES[mode] if not self.settings.get(name)]
        if lacking:
            return Answer("note", f"{mode}: scan or type {', '.join(f'FLEET:{name.upper()} …' for name in lacking)}.")
        return Answer("note", f"{mode}: {', '.join(self.settings[name] for name in MODES[mode])}. Scan.")

    def _told(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        except SchoolbagError as error:
            return Answer("refused", str(error))

    def _command(self, word: str, rest: str) -> Answer:
        if word in MODES:
            if rest:
                self.settings[MODES[word][0]] = rest
            return self.start(word)
        if word in SETTINGS and rest:
            return self._set(word, rest)
        if word in _ONCE:
            self._once[word] = f"{self._once.get(word, '')} {rest}".strip()
            return Answer("note", f"For the next one: {word} {rest}".rstrip() + ".")
        if word == "done":
            return self._finish()
        if word == "cancel":
            self._forget()
            return Answer("note", "Forgotten; begin again.")
        known = [*MODES, *SETTINGS, *_ONCE, "done", "cancel"]
        raise CustodyError(f"No command {printable(word)!r}{meant(word, known)}.", f"Commands: {', '.join(known)}.")

    def _set(self, name: str, value: str) -> Answer:
        if name == "kit":
            self._kit(value)
        self.settings[name] = value
        return self.start(self.mode) if self.mode else Answer("note", f"{name}: {printable(value)}.")

    def _forget(self) -> None:
        self._student = self._unit = self._doubtful = ""
        self._counted.clear()
        self._once.clear()

    def _finish(self) -> Answer:
        if self.mode != "count":
            return self.ended() or Answer("note", f"{len(self._done)} done.")
        if not self._counted:
            return Answer("note", "Nothing was scanned since the last count; fleet count tells that a place is empty.")
        found = count(self.registry, self.settings["place"], list(self._counted), apply=True)
        self._forget()
        what = f"{found.place}: {found.found} of {found.expected} found, {found.variance:+d}"
        lists = {"missing": found.missing, "not expected": found.unexpected}
        more = [f"{name}: {', '.join(one.shown for one in held)}" for name, held in lists.items() if held]
        return Answer("done", "; ".join([what, *more]))

    def _scanned(self, code: str) -> Answer:
        if not self.mode:
            raise CustodyError("Nothing is being done yet.", f"Scan a command first: FLEET:{' or FLEET:'.join(MODES)}.")
        if lacking := [name for name in MODES[self.mode] if not self.settings.get(name)]:
            raise CustodyError(
                f"{self.mode} lacks: {', '.join(lacking)}.", f"Scan or type FLEET:{lacking[0].upper()} …."
            )
        if before := self._done.get(code.casefold()):
            return Answer("note", f"{printable(code)}: {before} already.")
        if self.mode == "receive":
            return self._receive(code)
        if self.mode == "hand-over":
            return self._hand_over(code)
        return self._return(code) if self.mode == "return" else self._count(code)

    def _receive(self, code: str) -> Answer:
        if self._unit and self._is_label(code):
            tag, self._unit = self.registry.tag(self._unit, code), ""
            return self._ready(code, "its tag", f"its tag is {tag}")
        if code.isdecimal() and len(code) == _IMEI and serials.luhn(code):
            return Answer("refused", f"{code} is an IMEI. Scan the serial number.")
        self._check_serial(code)
        lot = Lot(self.settings["batch"], self.settings["place"], self.settings.get("donor"))
        row = Listed(0, code, maker=self.settings.get("maker", ""), model=self.settings.get("model", ""))
        sure, self._doubtful = self._doubtful == code, ""
        [one] = receive(self.registry, lot, [row], sure=sure, all_of_them=False).rows
        if one.verdict == "doubtful":
            self._doubtful = code
            return Answer("refused", f"{one.why}. Scan it again to take it as it is.")
        if one.verdict == "refused":
            return Answer("refused", one.why)
        self._unit = one.key
        return self._ready(code, "received", "received" if one.verdict != "unchanged" else "received before")

    def _check_serial(self, code: str) -> None:
        """CustodyError for a label: as a serial number it would become a unit that nobody has."""
        numbered = series(code.upper())
        with snapshot(self.registry.engine) as conn:
            known = find(conn, code)
            ours = numbered and conn.scalar(select(tag_series.c.prefix).where(tag_series.c.prefix == numbered[0]))
        if any(code.casefold() == one.serial.casefold() for one in known):
            return
        if known and code.upper() == known[0].tag:
            raise CustodyError(f"{code} is the tag of {known[0].shown}.", "Scan the serial number of the device.")
        if numbered and (ours or (len(numbered[0]) <= _OF_A_LABEL and numbered[0].isalpha())):
            raise CustodyError(
                f"{code} looks like a label: fleet label made it elsewhere?",
                "Scan the device's own code, or enter it as tag: fleet unit tag SERIAL TAG.",
            )

    def _is_label(self, code: str) -> bool:
        """Whether it is a tag that was printed."""
        if not (numbered := series(code.upper())):
            return False
        with snapshot(self.registry.engine) as conn:
            last = conn.scalar(select(tag_series.c.last).where(tag_series.c.prefix == numbered[0]))
        return last is not None and numbered[1] <= last

    def _hand_over(self, code: str) -> Answer:
        if student := self._student_of(code):
            self._student = student
        else:
            self._unit = code if _ICCID.fullmatch(code) else self._named(code)
        if not self._unit or not self._student:
            return Answer("note", f"{printable(code)}. Now the {'unit' if self._student else 'student'}.")
        unit, student, self._unit = self._unit, self._student, ""
        if _ICCID.fullmatch(unit):
            return self._hand_over_sim(unit, student)
        done = custody_hand_over.hand_over(self.registry, unit, student, self._acceptance())
        self._student = ""
        self._once.clear()
        remarks = [f"SIM {card.iccid} {card.remark}" for card in done.sims if card.remark]
        shown = pseudonyms.shown(student)
        self._done[shown.casefold()] = self._done[student.casefold()] = f"has {done.moved.shown}"
        return self._ready(code, f"with {shown}", "; ".join([f"{done.moved.shown} to {shown}", *remarks]), unit)

    def _hand_over_sim(self, number: str, student: str) -> Answer:
        """A SIM alone, for a device of the family's own. The student may be scanned again, with a unit."""
        with transaction(self.registry.engine) as conn:
            at = self.registry.ledger.clock()
            card = sims.hand_over(conn, self.registry.ledger, number, student, at)
        self._student = ""
        shown = pseudonyms.shown(student)
        told = [f"SIM {card.iccid} to {shown}", *([f"until {card.ends_at[:10]}"] if card.ends_at else []), card.remark]
        return self._ready(number, f"with {shown}", "; ".join(filter(None, told)))

    def _student_of(self, code: str) -> str:
        """The student whose key it is; "" when it is none: a serial may look like one."""
        if not pseudonyms.is_student(code):
            return ""
        with snapshot(self.registry.engine) as conn:
            try:
                return students.the(conn, code)
            except AccountError:
                return ""

    def _acceptance(self) -> Acceptance:
        """As it was set; the kit that the programme gives where none was."""
        with snapshot(self.registry.engine) as conn:
            usual = {"device": 1, **programme.current(conn).hand_over.kit}
        kit = self.settings.get("kit", "")
        return Acceptance(
            self.settings["taken-by"],
            self._kit(kit) if kit else usual,
            self.settings.get("condition", "good"),
            "guardian" in self._once,
            custody_hand_over.ids_of(tuple(self._once.get("id", "").split())),
        )

    def _kit(self, pieces: str) -> dict[str, int]:
        """The kit that was said. CustodyError for a piece that is misspelt."""
        kit = custody_kit.parse(pieces.split(","))
        with snapshot(self.registry.engine) as conn:
            custody_hand_over.check_pieces(programme.current(conn), kit)
        return kit

    def _return(self, code: str) -> Answer:
        unit = self._named(code)
        without = custody_kit.parse(self._once.get("missing", "").replace(",", " ").split())
        condition = self.settings.get("condition", "good")
        [one] = take_back(self.registry, [unit], self.settings["place"], None, condition, without=without)
        self._once.clear()
        lacking = f", missing {custody_kit.words(one.missing)}" if one.missing else ""
        return self._ready(code, "back", f"{one.moved.shown} is back{lacking}", unit)

    def _count(self, code: str) -> Answer:
        unit = self._named(code)
        if unit in self._counted:
            return Answer("note", f"{printable(code)} was counted already.")
        self._counted[unit] = None
        return Answer("done", f"{printable(code)} ({len(self._counted)})")

    def _ready(self, code: str, before: str, what: str, unit: str = "") -> Answer:
        self._done[code.casefold()] = self._done[unit.casefold() or code.casefold()] = before
        return Answer("done", what)

    def _named(self, code: str) -> str:
        """The key of the unit that a code means. UnitError for a wrong label."""
        if _ICCID.fullmatch(code):
            raise UnitError(f"{code} is the number of a SIM.", "Scan the label of the device.")
        with snapshot(self.registry.engine) as conn:
            return the(conn, code).key
