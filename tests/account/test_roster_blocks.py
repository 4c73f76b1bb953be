"""Rows read a thousand at once come to the same as each by itself."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.account.custody.places import Place
from fleet.account.people.dates import Order
from fleet.account.people.vault import Vault
from fleet.account.roster.blocks import Blocks
from fleet.account.roster.columns import find
from fleet.account.roster.entries import Refused, Row
from fleet.account.roster.rows import Reader
from fleet.account.roster.schools import Schools
from fleet.account.sheets.lines import Line

KNOWN = (
    Place("TH-A", "Trường A", "school", "Huyện 1"),
    Place("TH-A2", "Trường A", "school", "Huyện 2"),
    Place("KHO", "Kho", "store", ""),
)
CELLS = {
    "Họ tên": (
        "Nguyễn Văn An",
        "NGUYEN VAN AN",
        " Trần  Thị Bé ",
        "Cu7",
        "=1",
        "#N/A",
        "Họ tên",
        "Tổng cộng",
        "x" * 201,
        "",
    ),
    "Ngày sinh": (
        "05/03/2012",
        "2012",
        "2012-03-05",
        "40973",
        "13/13/2013",
        "01/01/1900",
        "Ngày sinh",
        '="5/3/2012"',
        "",
    ),
    "CCCD": ("096212000111", "96212000111", "096 212 000 111", "1E+11", "11010520120305123X", "12", ""),
    "Mã học sinh": ("17", "0017", " 17 ", "A/1", "1E+5", "?", "Mã học sinh", ""),
    "Trường": ("Trường A", "Trường B", "truong b", "Kho", "TH-A", "=x", "", ""),
    "Mã trường": ("", "", "", "TH-C", "th-c", "***"),
    "Huyện": ("Huyện 1", "Huyện 2", "huyen 2", "", "=y"),
    "Lớp": ("3A", "Lớp 10B", "3" * 30, "=3", ""),
    "Khối": ("3", "13", "", "", "#REF!"),
    "Đối tượng": ("Hộ nghèo", "hộ nghèo ", "gì đó", "không", "=k", ""),
    "SĐT": ("0912000001", "912000001", "0912000001/0912000002", "12", "+84 912 000 003", "1.2E+9", "", ""),
    "Điện thoại mẹ": ("", "", "0912000009", "x"),
    "Internet": ("wifi", "4g", "gì đó", ""),
    "Trạng thái": ("đang học", "nghỉ học", "gì đó", ""),
    "Giáo viên chủ nhiệm": ("GV-12", "Lê Thị Cô", "Le Thi Co", "=t", ""),
    "Số hộ": ("H1", "h1", "-", "#N/A", ""),
    "Địa chỉ": ("Ấp 1", " ấp  1", "y" * 201, "=a", ""),
}
PAIRS = {
    "Họ và tên đệm": ("Nguyễn Văn", "Họ và tên đệm", "=1", ""),
    "Tên": ("An", "Tên", "7", "#N/A", ""),
    **{title: CELLS[title] for title in ("Ngày sinh", "CCCD", "Mã học sinh", "Trường", "SĐT")},
}


@settings(max_examples=150)
@given(data=st.data(), region=st.sampled_from(["VN", "CN", ""]), school=st.sampled_from(["", "", "TH-A"]))
def test_at_once_is_as_one_by_one(data: st.DataObject, region: str, school: str) -> None:
    titles = data.draw(st.sampled_from([CELLS, CELLS, PAIRS]))
    wanted = data.draw(st.lists(st.sampled_from(sorted(titles)), min_size=4, unique=True))
    title = [*wanted, *(name for name in ("Họ tên", "Họ và tên đệm", "Tên") if name in titles and name not in wanted)]
    header = Line(1, title)
    columns = find([header])
    if columns is None:
        return
    rows = st.tuples(*(st.sampled_from(titles[name]) for name in title)).map(list)
    cells = data.draw(st.lists(st.one_of(rows, st.just(title), rows.map(lambda row: row[:3])), min_size=1, max_size=12))
    broken = data.draw(st.sampled_from([0, 0, 3]))
    lines = [Line(at, row, "is broken" if at == broken else "") for at, row in enumerate(cells, 2)]

    def reader() -> Reader:
        key = Vault(b"k" * 32)
        return Reader(key, columns, 0, Schools(KNOWN), region, date(2025, 3, 1), Order.DAY, school)

    one, many = reader(), reader()
    said = [one.read(line) for line in lines]
    block = Blocks(many).read(lines)
    found = [row for row in said if row is not None and not isinstance(row, Refused)]
    assert sorted(block.rows) == sorted(found)
    assert sorted(block.refused) == sorted(row for row in said if isinstance(row, Refused))
    assert block.others == said.count(None)
    assert sorted(many.noted) == sorted(one.noted)
    assert many.teachers == one.teachers
    taken = {row.school for row in found}
    new = [{code: place for code, place in each.schools.new.items() if code in taken} for each in (one, many)]
    assert new[0] == new[1]


def test_most_rows_are_plain() -> None:
    columns = find([Line(1, ["Họ tên", "Ngày sinh", "CCCD", "Trường", "SĐT"])])
    assert columns is not None
    reader = Reader(Vault(b"k" * 32), columns, 0, Schools(()), "VN", date(2025, 3, 1), Order.DAY)

    def fails(_line: Line) -> Row | Refused | None:
        raise AssertionError("a plain row was read by itself")

    reader.read = fails  # type: ignore[method-assign,assignment]
    row = ["Nguyễn Văn An", "05/03/2012", "096212000111", "TH A", "0912000001"]
    assert len(Blocks(reader).read([Line(number, row) for number in range(2, 9)]).rows) == 7
