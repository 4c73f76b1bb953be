"""How answers of an iPhone are read: property lists, and refusals in the device's own words."""

from __future__ import annotations

import plistlib
import re
from typing import Any
from xml.parsers.expat import ExpatError

from provision.setting import Answer

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_PRIVATE = ("InternationalMobileSubscriberIdentity", "PhoneNumber")
"""They come along with what is asked of the SIM, and have no place in evidence and logs."""


def answer(value: Any) -> Answer:
    """A value as it is kept: an XML property list. What tells of the subscriber is left out.

    Characters that XML cannot hold are replaced: devices answer in binary lists, and people name them as they like.
    """
    return Answer(plistlib.dumps(_fit(value), sort_keys=True).decode())


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_IN_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_fit(str(key)): _fit(child) for key, child in value.items() if key not in _PRIVATE}
    return [_fit(child) for child in value] if isinstance(value, list | tuple) else value


def refusal(word: str) -> Answer:
    """A refusal, in the device's own word."""
    return Answer(word, 1)


def value(said: Answer | None) -> Any:
    """What was answered; ``None`` where the device refused, has no such thing or answered no property list."""
    if said is None or said.code != 0:
        return None
    try:
        return plistlib.loads(said.text.encode())
    except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError):
        return None


def text(said: Answer | None) -> str:
    """The answered text; "" where it is none."""
    found = value(said)
    return found if isinstance(found, str) else ""


def whole(said: Answer | None) -> int | None:
    """The answered whole number; ``None`` where it is none."""
    found = value(said)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def switch(said: Answer | None) -> bool | None:
    """The answered yes or no; ``None`` where it is neither."""
    found = value(said)
    return found if isinstance(found, bool) else None


def mapping(said: Answer | None) -> dict[str, Any]:
    """The answered dict; empty where it is none."""
    found = value(said)
    return found if isinstance(found, dict) else {}
