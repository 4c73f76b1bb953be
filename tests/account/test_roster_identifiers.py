"""Names, numbers and dates as they are compared: the same in every spelling, and not the same when they are not."""

from __future__ import annotations

import unicodedata
from datetime import date

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.account.people import dates as identifiers_dates
from fleet.account.people import identifiers
from fleet.account.people.dates import Order, birthday
from fleet.account.people.identifiers import Unusable, exact, loose, national_id, same_name, spelled
from fleet.account.people.phones import phone, phones
from fleet.account.roster.rows import grade
from tests.account.roster_making import TODAY

_LETTERS = st.text(st.sampled_from("aAăÂđĐeễơƠữỳ ýhànội张三ﬁＡ\u0301\u200b\u00a0-'."), max_size=20)


@settings(max_examples=200)
@given(_LETTERS)
def test_a_name_is_compared_the_same_in_every_form(text: str) -> None:
    kept = spelled(text)
    assert spelled(kept) == kept
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        other = unicodedata.normalize(form, text)
        assert spelled(other) == kept
        assert loose(spelled(other)) == loose(kept)
    assert loose(kept.upper()) == loose(kept.lower()) == loose(kept)
    assert loose(loose(kept)) == loose(kept)
    assert same_name(kept, kept)
    assert same_name(kept, loose(kept))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Nguyễn Thị Hoà", "NGUYỄN THỊ HÒA", True),
        ("Nguyễn Thị Hoà", "nguyen thi hoa", True),
        ("Lê Văn Hùng", "Lê Văn Hưng", False),
        ("Lê Văn Hùng", "Le Van Hung", True),
        ("Đặng An", "Dang An", True),
        ("欧阳 娜娜", "欧阳·娜娜", True),
        ("Ｌee Ann", "LEE ANN", True),
        ("O'Brien Sean", "Obrien Sean", True),
    ],
)
def test_names(one: str, other: str, same: bool) -> None:
    one, other = spelled(one), spelled(other)
    assert loose(one) == loose(other)
    assert same_name(one, other) is same
    assert (exact(one) == exact(other)) <= same


_DIGITS = st.text(st.sampled_from("0123456789"), min_size=7, max_size=14)


@settings(max_examples=300)
@given(_DIGITS, st.sampled_from(["VN", "CN"]), st.sampled_from(["", "0", "84", "+84", "86", "+86", "09", "13"]))
def test_a_phone_number_is_what_the_library_says(digits: str, region: str, lead: str) -> None:
    """The quick way to the usual numbers goes to the same ones."""
    text = lead + digits
    try:
        number = phonenumbers.parse(text, region)
        wanted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        valid = phonenumbers.is_valid_number(number)
    except phonenumbers.NumberParseException:
        valid = False
    try:
        found = phone(text, region)
    except Unusable:
        assert not valid
    else:
        assert valid
        assert found == wanted
        assert phone(found, region) == found


def test_phones_in_one_cell() -> None:
    assert phones("0912 345 678 (mẹ), 0987.654.321/ +65 8123 4567", "VN") == (
        "+84912345678",
        "+84987654321",
        "+6581234567",
    )
    assert phones("ĐT: 0912345678 hoặc 0912345678", "VN") == ("+84912345678",)
    for text, why in (
        ("12", "no phone number"),
        ("9.12E+08", "lost its digits"),
        ("0912345678 / x", "no phone number"),
    ):
        with pytest.raises(Unusable, match=why):
            phones(text, "VN")
    with pytest.raises(Unusable, match="pass --region"):
        phones("0912345678", "")


@settings(max_examples=200)
@given(st.dates(date(1996, 1, 1), TODAY))
def test_a_day_in_every_form_is_one_day(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    forms = (
        f"{day:%d/%m/%Y}",
        f"{day.day}-{day.month}-{day.year}",
        f"{day:%Y-%m-%d}",
        f"{day:%Y/%m/%d} 00:00:00",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%d%m%Y}" if f"{day:%d%m}"[:2] not in ("19", "20") else f"{day:%Y%m%d}",
        f"{day:%Y%m%d}",
        str(serial),
        f"{serial}.0",
    )
    assert {birthday(form, Order.DAY, TODAY) for form in forms} == {day.isoformat()}
    assert birthday(f"{day:%m/%d/%Y}", Order.MONTH, TODAY) == day.isoformat()
    assert birthday(str(serial - 1462), Order.DAY, TODAY, from_1904=True) == day.isoformat()


@settings(max_examples=300)
@given(st.text(st.sampled_from("0123456789/-. :年月日T"), max_size=14), st.sampled_from(list(Order)))
def test_whatever_stands_there_is_a_day_or_told(text: str, first: Order) -> None:
    try:
        found = birthday(text, first, TODAY)
    except Unusable:
        return
    assert "1995" <= found[:4] <= "2025"
    assert found <= TODAY.isoformat()


def test_the_order_of_a_list() -> None:
    assert identifiers_dates.order(["03/04/2012", "x", "25/12/2012"], Order.MONTH) is Order.DAY
    assert identifiers_dates.order(["03/04/2012", "12/25/2012"], Order.DAY) is Order.MONTH
    assert identifiers_dates.order(["25/12/2012", "12/25/2012"], Order.DAY) is Order.UNCLEAR
    assert identifiers_dates.order(["31/31/2012", "99/99/2012"], Order.DAY) is Order.DAY
    assert identifiers_dates.order(["2012-12-25", "03/04/2012"], Order.DAY) is Order.DAY


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("96212000111", "VN", "096212000111"),
        ("1212000111", "VN", "001212000111"),
        ("096 212 000 111", "VN", "096212000111"),
        ("381234567", "VN", "381234567"),
        ("11010519491231002x", "CN", "11010519491231002X"),
        ("g1234567-x", "", "G1234567X"),
    ],
)
def test_id_numbers(text: str, region: str, number: str) -> None:
    assert national_id(text, region) == number


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("12345678", "VN"),
        ("196212000111", "VN"),
        ("abc", "VN"),
        ("110105194912310021", "CN"),
        ("1.2E+11", "VN"),
        ("!", ""),
    ],
)
def test_what_is_no_id_number(text: str, region: str) -> None:
    with pytest.raises(Unusable) as told:
        national_id(text, region)
    assert text not in str(told.value) or "E+" in text


def test_grades() -> None:
    said = {
        "Lớp 6A2": "6",
        "6A": "6",
        "Grade 10": "10",
        "六年级": "6",
        "高二3班": "11",
        "初一": "7",
        "Lá": "",
        "13": "",
        "": "",
    }
    assert {text: grade(text) for text in said} == said


def test_a_birthday_in_a_number_of_china() -> None:
    assert identifiers.born("11010519491231002X", "CN") == "1949-12-31"
    assert identifiers.born("11010519491331002X", "CN") == ""
    assert identifiers.born("096212000111", "VN") == ""
