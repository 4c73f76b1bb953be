"""The page that shows a message on a phone. Its address is unguessable, and to have opened it is to have been told."""

from __future__ import annotations

import hashlib
import hmac
import re
from html import escape

PLACE = re.compile(r"(?P<order>[0-9a-z-]{1,80})\.(?P<seal>[0-9a-f]{32})")

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_STYLE = "body{font:1.4em/1.5 sans-serif;margin:2em;white-space:pre-wrap;overflow-wrap:anywhere}"


def place(order: str, number: str) -> str:
    """What stands after ``/message/`` for an order to the enrolment with this (hashed) number."""
    return f"{order}.{_seal(order, number)}"


def fits(place_: str, number: str) -> bool:
    """Whether this was made by :func:`place` for this enrolment; compared in constant time."""
    found = PLACE.fullmatch(place_)
    return found is not None and hmac.compare_digest(found["seal"], _seal(found["order"], number))


def page(text: str) -> str:
    """The text and nothing else, as HTML."""
    return (
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>&#8203;</title><style>{_STYLE}</style><body>{escape(text)}"
    )


def _seal(order: str, number: str) -> str:
    return hmac.new(number.encode(), f"message {order}".encode(), hashlib.sha256).hexdigest()[:32]
