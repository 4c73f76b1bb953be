from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.text import amount, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Điện thoại số 3", "Điện thoại số 3"),
        ("学生\u3000平板", "学生\u3000平板"),
        ("\x1b[31m", "\\x1b[31m"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("\0", "\\x00"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]
    assert printable(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0.0 kB"), (8534, "8.5 kB"), (100_000, "0.1 MB"), (36_500_000, "36.5 MB"), (64 * 10**9, "64.0 GB")],
)
def test_amount(size: int, shown: str) -> None:
    assert amount(size) == shown
