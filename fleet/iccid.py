"""ICCIDs: the numbers of SIM cards (ITU-T E.118), as they are printed, stored on the card and told by devices. Pure.

One card has one number and several spellings. Printed are 19 or 20 digits, the last a check digit; on the card a number
of 19 is filled up with an F, which some devices tell; others leave the check digit away. On many Chinese cards the
letter of the card's maker is printed in place of the check digit. The registry keeps the number with its check digit.
"""

from __future__ import annotations

import re

LENGTHS = (19, 20)
"""Digits of a printed number, the check digit counted."""

UNCHECKED = ("898603", "898611")
"""Issuers (China Telecom) whose numbers of 20 digits are said to end without a check digit: taken as they are."""

_CHINA = "8986"

_BETWEEN = re.compile(r"[\s\u00a0.-]+")
_DOUBLED = str.maketrans("0123456789", "0246813579")
_ZERO = ord("0")
_TEXT_MARK = "'’`"
"""What people put before a number so that a spreadsheet leaves it alone."""


def plain(text: str) -> str:
    """``text`` without what is written around or between the digits; a filler or a maker's letter is gone, too."""
    if is_digits(text):
        return text
    squeezed = _BETWEEN.sub("", text.strip().lstrip(_TEXT_MARK))
    if len(squeezed) != max(LENGTHS) or not squeezed.isascii() or not squeezed[-1].isalpha():
        return squeezed
    payload = squeezed[:-1]
    if is_digits(payload) and payload.startswith(_CHINA) and not (squeezed[-1] in "Ff" and is_whole(payload)):
        return payload + check_digit(payload)
    return payload if squeezed[-1] in "Ff" else squeezed


def is_digits(text: str) -> bool:
    """Only 0 to 9, at least one: other scripts' digits are not what is on a card."""
    return text.isascii() and text.isdigit()


def check_digit(payload: str) -> str:
    """The digit that makes ``payload`` (digits) a whole number (Luhn)."""
    total = sum(payload[-1::-2].translate(_DOUBLED).encode()) + sum(payload[-2::-2].encode())
    return str((_ZERO * len(payload) - total) % 10)


def is_whole(digits: str) -> bool:
    """Whether ``digits`` is a printed number: its length and its check digit are right."""
    if len(digits) == max(LENGTHS) and digits.startswith(UNCHECKED):
        return True
    return len(digits) in LENGTHS and check_digit(digits[:-1]) == digits[-1]


def problem(text: str) -> str:
    """Why ``text`` cannot be the number of a card as an operator lists it; "" when it can."""
    digits = plain(text)
    if not is_digits(digits):
        return "is not a number of digits only"
    if not digits.startswith("89"):
        return "does not begin with 89, as SIM cards do"
    if len(digits) == min(LENGTHS) and digits.startswith(_CHINA):
        return ""
    if len(digits) not in LENGTHS:
        return f"has {len(digits)} digits instead of {LENGTHS[0]} or {LENGTHS[1]}"
    return "" if is_whole(digits) else "is mistyped: its last digit does not fit the others"


def normal(told: str) -> str:
    """The one form in which the number of a card is compared and kept, whoever tells it; "" when it is none.

    A number without its check digit is given it. Chinese numbers have 20 digits, so that 19 of them lack it, even where
    their last digit happens to be right.
    """
    digits = plain(told)
    if not is_digits(digits) or not digits.startswith("89"):
        return ""
    if is_whole(digits) and (len(digits) == max(LENGTHS) or not digits.startswith(_CHINA)):
        return digits
    return digits + check_digit(digits) if len(digits) + 1 in LENGTHS else digits * (len(digits) in LENGTHS)
