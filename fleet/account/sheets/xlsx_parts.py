"""The XML of a spreadsheet, part by part, as it is unpacked: elements, shared texts, rows of cells."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from xml.parsers import expat

from fleet.account.sheets.lines import LONGEST_CELL, MOST_COLUMNS, Line

_MOST_EXACT = 10**15
"""A spreadsheet keeps 15 digits of a number; of what is longer the rest is zeros."""

_MOST_TEXT = 1 << 30
"""Bytes of all shared texts together."""


class Refused(Exception):
    """The file is made to harm its reader, or by mistake of no use to it. The text is the end of a sentence."""


def elements(chunks: Iterable[bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    """Name (without prefix) and attributes of every element of a small part."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = _parser()
    parser.StartElementHandler = lambda tag, attributes: found.append((_bare(tag), attributes))
    for chunk in chunks:
        parser.Parse(chunk)
        yield from found
        found.clear()
    parser.Parse(b"", True)
    yield from found


class Strings:
    """The texts that cells share, close together: a million names need no million objects."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])
        self._text: list[str] = []
        self._aside = 0
        self._in_text = False

    def read(self, chunks: Iterable[bytes]) -> None:
        parser = _parser()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._data
        for chunk in chunks:
            parser.Parse(chunk)
            if len(self._bytes) > _MOST_TEXT:
                raise Refused("holds more text than any list has")
        parser.Parse(b"", True)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise ValueError(index)
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8")

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        match _bare(tag):
            case "si":
                self._text.clear()
            case "t":
                self._in_text = not self._aside
            case "rPh":  # how it is pronounced
                self._aside += 1

    def _end(self, tag: str) -> None:
        match _bare(tag):
            case "si":
                self._bytes += "".join(self._text)[: LONGEST_CELL + 1].encode("utf-8")
                self._ends.append(len(self._bytes))
            case "t":
                self._in_text = False
            case "rPh":
                self._aside -= 1

    def _data(self, text: str) -> None:
        if self._in_text:
            self._text.append(text)


class Cells:
    """The rows of a sheet."""

    def __init__(self, strings: Strings) -> None:
        self._strings = strings
        self._ready: list[Line] = []
        self._row: list[str] = []
        self._number = 0
        self._broken = ""
        self._column = -1
        self._type = "n"
        self._text: list[str] = []
        self._length = 0
        self._in_value = False
        self._formula = False
        self._aside = 0

    def lines(self, chunks: Iterable[bytes]) -> Iterator[Line]:
        parser = _parser()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._data
        for chunk in chunks:
            parser.Parse(chunk)
            yield from self._ready
            self._ready.clear()
        parser.Parse(b"", True)
        yield from self._ready

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c" or tag.endswith(":c"):
            self._start_cell(attributes)
        elif tag == "v" or tag == "t" or tag.endswith((":v", ":t")):
            self._in_value = not self._aside
        elif tag == "row" or tag.endswith(":row"):
            said = attributes.get("r", "")
            self._number = int(said) if said else self._number + 1
            self._row, self._column, self._broken = [], -1, ""
        elif tag == "f" or tag.endswith(":f"):
            self._formula = True
        elif _bare(tag) == "rPh":
            self._aside += 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._text, self._length, self._formula = [], 0, False
        self._type = attributes.get("t", "n")
        self._column = _column(attributes["r"]) if "r" in attributes else self._column + 1

    def _end(self, tag: str) -> None:
        if tag == "c" or tag.endswith(":c"):
            self._end_cell()
        elif tag == "v" or tag == "t" or tag.endswith((":v", ":t")):
            self._in_value = False
        elif tag == "row" or tag.endswith(":row"):
            if self._broken or any(self._row):
                self._ready.append(Line(self._number, self._row, self._broken))
        elif _bare(tag) == "rPh":
            self._aside -= 1

    def _end_cell(self) -> None:
        if not self._length and not self._formula:
            return
        column = self._column
        if column >= MOST_COLUMNS:
            return
        missing = column + 1 - len(self._row)
        if missing > 0:
            self._row.extend([""] * missing)
        self._row[column] = self._value("".join(self._text))

    def _value(self, text: str) -> str:
        if self._length > LONGEST_CELL:
            self._broken = f"has a cell of more than {LONGEST_CELL} characters"
            return ""
        if self._formula and not text:
            return "="  # it was never computed
        match self._type:
            case "s":
                shared = self._strings[int(text)]
                if len(shared) > LONGEST_CELL:
                    self._broken = f"has a cell of more than {LONGEST_CELL} characters"
                return shared
            case "n":
                return _digits(text)
        return text

    def _data(self, text: str) -> None:
        if self._in_value:
            self._length += len(text)
            if self._length <= LONGEST_CELL:
                self._text.append(text)


def _digits(text: str) -> str:
    """A number with all its digits; with an exponent where some are lost."""
    if text.isdigit() and len(text) <= 15:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or number.adjusted() > 300:
        return text
    if number != number.to_integral_value():
        return f"{number:.10f}".rstrip("0").rstrip(".")
    return f"{number:.14E}" if abs(number) >= _MOST_EXACT else str(int(number))


def _column(reference: str) -> int:
    number = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        number = number * 26 + ord(letter) - 64
        if number > 1 << 15:
            break
    return number - 1


def _bare(tag: str) -> str:
    return tag[tag.rfind(":") + 1 :]


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.EntityDeclHandler = _no_entities
    parser.StartDoctypeDeclHandler = _no_entities
    return parser


def _no_entities(*_about: object) -> None:
    raise Refused("declares entities, as no spreadsheet program does")
