"""Whatever is in a file: it is read, row by row, or refused in one sentence; it never breaks the reader."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.account.people.vault import Vault
from fleet.account.roster.entries import Entry
from fleet.account.roster.read import Gathered, Request, gathered
from fleet.account.roster.schools import Schools
from fleet.account.sheets.books import opened
from fleet.errors import FileError
from tests.account.roster_making import DATA, TODAY

KEYS = Vault(bytes(32))
LISTS = sorted(path for path in DATA.iterdir() if path.suffix != ".yaml")
_quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
_HEADERS = st.sampled_from([b"", b"name,birthday,school,phone\n", "Họ tên;Ngày sinh;SĐT;Trường\n".encode("utf-16")])


def entries(found: Gathered) -> list[Entry]:
    """What was read, in the order of keys."""
    return [Entry._make(flat) for some in found.spool.sorted() for flat in some]


def rows_of(file: Path) -> int | None:
    """How many rows the list has, taken or refused; ``None`` when the file is refused, -1 when not in one sentence."""
    try:
        with gathered(Request(file, TODAY, school="S"), KEYS, Schools(())) as found:
            return len(entries(found)) + len(found.refused) + found.others
    except FileError as error:
        return None if "\n" not in error.what else -1


@_quick
@given(start=_HEADERS, content=st.binary(max_size=400))
def test_any_bytes(tmp_path: Path, start: bytes, content: bytes) -> None:
    file = tmp_path / "list"
    file.write_bytes(start + content)
    assert rows_of(file) != -1


@_quick
@given(text=st.text(st.sampled_from('a1",;\t\n\r=ệ字\x00\ud7ff-/'), max_size=200))
def test_any_text_below_a_header(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"name,birthday,school,phone\n{text}", encoding="utf-8", newline="")
    assert rows_of(file) is not None or set(text) & set("\0;\t"), "others may divide cells"


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_a_file_that_was_damaged_on_its_way(tmp_path: Path, path: Path) -> None:
    """Cut off, or with some bytes changed."""
    content, dice = path.read_bytes(), random.Random(path.name)
    file = tmp_path / path.name
    for _ in range(8 if content else 0):
        broken = bytearray(content[: dice.randrange(1, len(content) + 1)])
        for _ in range(dice.randrange(4)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        file.write_bytes(broken)
        assert rows_of(file) != -1


def workbook(file: Path, **parts: str | bytes) -> Path:
    """An XLSX file; ``sheet`` and the other parts as they are given instead of what is usual."""
    sheet = '<c t="inlineStr"><is><t>{}</t></is></c>'
    usual: dict[str, str | bytes] = {
        "rels": '<Relationships><Relationship Id="a" Target="xl/workbook.xml"/></Relationships>',
        "workbook": '<workbook><sheets><sheet name="One" r:id="b"/></sheets></workbook>',
        "workbook_rels": '<Relationships><Relationship Id="b" Target="worksheets/sheet1.xml"/></Relationships>',
        "sheet": "<worksheet><sheetData>"
        + "".join(f"<row>{''.join(map(sheet.format, row))}</row>" for row in (("name", "phone"), ("Ann Lee", "1")))
        + "</sheetData></worksheet>",
        **parts,
    }
    names = {"rels": "_rels/.rels", "workbook_rels": "xl/_rels/workbook.xml.rels", "sheet": "xl/worksheets/sheet1.xml"}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in usual.items():
            archive.writestr(names.get(part, f"xl/{part}.xml"), content)
    return file


def test_the_smallest_workbook_is_read(tmp_path: Path) -> None:
    assert rows_of(workbook(tmp_path / "list.xlsx")) == 1


_LAUGHS = '<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"sheet": b" " * (80 << 20)}, "unpacks to 80 MB"),
        ({"sheet": f"{_LAUGHS}<worksheet><sheetData>&b;</sheetData></worksheet>"}, "declares entities"),
        ({"sheet": "<worksheet><sheetData><row>"}, "damaged"),
        ({"workbook": "<workbook><sheets/></workbook>"}, "no sheet that can be seen"),
        ({"workbook": '<workbook><sheets><sheet name="x" r:id="b" state="hidden"/></sheets></workbook>'}, "no sheet"),
        ({"workbook_rels": "<Relationships/>"}, "no sheet"),
        ({"sheet": '<worksheet><sheetData><row><c t="s"><v>7</v></c></row></sheetData></worksheet>'}, "damaged"),
        ({"sheet": '<worksheet><sheetData><row r="x"/></sheetData></worksheet>'}, "damaged"),
    ],
    ids=["bomb", "laughs", "cut", "empty", "hidden", "lost", "string", "row"],
)
def test_workbooks_that_are_refused(tmp_path: Path, parts: dict[str, str | bytes], why: str) -> None:
    file = workbook(tmp_path / "list.xlsx", **parts)
    with pytest.raises(FileError, match=why), gathered(Request(file, TODAY), KEYS, Schools(())):
        pass


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file, or one with a password"),
        (b"%PDF-1.7", "a picture or a PDF"),
        (b"\xff\xd8\xff\xe0", "a picture or a PDF"),
        (b"PK\x03\x04 and nothing more", "damaged, or no spreadsheet"),
        (b"\x00\x01\x02\x03\x04", "no text and no spreadsheet"),
    ],
    ids=["xls", "pdf", "jpeg", "zip", "binary"],
)
def test_files_that_are_no_lists(tmp_path: Path, start: bytes, why: str) -> None:
    file = tmp_path / "list"
    file.write_bytes(start * 40)
    with pytest.raises(FileError, match=why), opened(file):
        pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"), opened(tmp_path / "list.csv"):
        pass


def test_an_encoding_that_is_not(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("name,phone\n", encoding="utf-8")
    for encoding in ("utf8x", "hex", "rot13"):
        with pytest.raises(FileError, match="There is no encoding"), opened(file, encoding):
            pass


def test_a_huge_cell_is_one_refused_row(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    for size in (40_000, 400_000, 3_000_000):
        file.write_text(f"name,phone,school\nAnn Lee,{'1' * size},S\nBen Lee,+6581234567,S\n", encoding="utf-8")
        with gathered(Request(file, TODAY), KEYS, Schools(())) as found:
            assert len(entries(found)) == 1
            assert found.refused[0].row == 2
            assert "is a quote not closed?" in found.refused[0].why


def test_a_huge_cell_of_a_workbook_is_one_refused_row(tmp_path: Path) -> None:
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    rows = (("name", "phone"), ("x" * 50_000, "+6581234566"), ("Ben Lee", "+6581234567"))
    sheet = "".join(f"<row>{''.join(map(cell.format, row))}</row>" for row in rows)
    file = workbook(tmp_path / "list.xlsx", sheet=f"<worksheet><sheetData>{sheet}</sheetData></worksheet>")
    with gathered(Request(file, TODAY, school="S"), KEYS, Schools(())) as found:
        assert len(entries(found)) == 1
        assert [(one.row, one.why) for one in found.refused] == [(2, "has a cell of more than 32767 characters")]


def test_pronunciations_are_no_part_of_a_name(tmp_path: Path) -> None:
    """Excel keeps how a Chinese name is read beside it, and bold letters apart."""
    name = "<is><r><t>张</t></r><r><t>三</t></r><rPh><t>Zhang San</t></rPh></is>"
    row = f'<row r="2"><c r="A2" t="inlineStr">{name}</c><c r="C2"><v>1.3812340001E10</v></c></row>'
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>姓名</t></is></c><c r="C1" t="str"><v>电话</v></c></row>'
    file = workbook(
        tmp_path / "list.xlsx", sheet=f"<x:worksheet xmlns:x='u'><sheetData>{head}{row}</sheetData></x:worksheet>"
    )
    with gathered(Request(file, TODAY, school="S"), KEYS, Schools(())) as found:
        (entry,) = entries(found)
    assert (entry.who.name, entry.who.phones) == ("张三", ("+8613812340001",))


def test_what_is_put_aside_is_not_in_plain(tmp_path: Path) -> None:
    """Names wait on the disk while a long list is read: encrypted."""
    file = tmp_path / "list.csv"
    lines = (
        f"Nguyen Secret{chr(97 + n % 26)} {'abcdefghij'[n // 26 % 10]}{'klmnopqrst'[n // 260 % 10]},2012-01-01,{n:09d}"
        for n in range(20_000)
    )
    file.write_text("\n".join(("name,birthday,student number", *lines)), encoding="utf-8")
    with gathered(Request(file, TODAY, school="S", spool=tmp_path), KEYS, Schools(())) as found:
        kept = found.spool._file
        kept.seek(0)
        aside = kept.read()
        assert len(entries(found)) == 20_000
        assert len(aside) > 100_000
        assert b"Secret" not in aside
        keys = [entry.key for entry in entries(found)]
    assert keys == sorted(keys)
    assert list(tmp_path.iterdir()) == [file]


def test_several_phones_and_several_columns(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    head = "Họ tên,SĐT cha,SĐT mẹ,SĐT 1,SĐT 2,Họ tên cha,Họ tên mẹ"
    file.write_text(f"{head}\nAn Lê,,,0912345678,0912345679 / 0912345680,Lê Ba,Lê Mẹ\n", encoding="utf-8")
    with gathered(Request(file, TODAY, school="S"), KEYS, Schools(())) as found:
        (entry,) = entries(found)
    assert entry.who.phones == ("+84912345678", "+84912345679", "+84912345680")
    assert entry.who.guardian == "Lê Ba / Lê Mẹ"


def test_numbers_of_a_workbook_keep_their_digits(tmp_path: Path) -> None:
    row = "<row><c t='inlineStr'><is><t>An Le{}</t></is></c><c><v>{}</v></c></row>"
    numbers = ("84912345678", "8.4912345678E10", "84912345678.0")
    rows = "".join(row.format(letter, number) for letter, number in zip("abc", numbers, strict=True))
    head = "<row><c t='inlineStr'><is><t>Họ tên</t></is></c><c t='inlineStr'><is><t>SĐT</t></is></c></row>"
    file = workbook(tmp_path / "list.xlsx", sheet=f"<worksheet><sheetData>{head}{rows}</sheetData></worksheet>")
    with gathered(Request(file, TODAY, school="S"), KEYS, Schools(())) as found:
        assert {entry.who.phones for entry in entries(found)} == {("+84912345678",)}
