"""What went wrong with an iPhone, in words for a technician: pymobiledevice3's exceptions (facts, iOS §3) and the
device's own error words. The texts are in refusals.yaml; a new one is a new row there, and a case in
tests/data/ios/refusals.yaml.

Exceptions are known by their names, so that nothing of pymobiledevice3 is imported here.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from profiles.errors import SchoolbagError
from profiles.once import once
from provision.errors import DeviceError, NoAnswer, NotReady, Refused, Unplugged
from provision.text import printable

_LIMIT = 20_000
_LIBRARY = "pymobiledevice3."


class No(Exception):
    """The device's own refusal: ``word`` as it names it, ``detail`` what else it said."""

    def __init__(self, word: str, detail: str = "") -> None:
        super().__init__(f"{word}: {detail}" if detail else word)
        self.word = word
        self.detail = detail


_KINDS: dict[str, Callable[[str, str, str], DeviceError]] = {
    "unplugged": lambda what, next_action, _: Unplugged(what, next_action),
    "not ready": lambda what, next_action, _: NotReady(what, next_action),
    "no answer": lambda what, next_action, _: NoAnswer(what, next_action),
    "refused": lambda what, next_action, said: Refused(what, next_action, evidence=said),
}


class _Row(NamedTuple):
    text: re.Pattern[str]
    kind: str
    reason: str
    next_action: str


def explain(error: Exception) -> DeviceError:
    """The error of ours behind ``error``; it is never of the bench as a whole, so that it ends one device's run."""
    if isinstance(error, DeviceError):
        return error
    said = signature(error)[:_LIMIT]
    for row in _rows():
        if found := row.text.search(said):
            words = {key: printable(word or "") for key, word in found.groupdict().items()}
            return _KINDS[row.kind](row.reason.format(**words), row.next_action.format(**words), said)
    raise AssertionError(f"the last row fits everything, but not {said!r}")


def signature(error: Exception) -> str:
    """How ``error`` is looked up: a refusal as the device worded it, anything else as ``its class: its text``."""
    if isinstance(error, No):
        return str(error)
    word = getattr(error, "error", None)  # of lockdownd
    if not isinstance(word, str):
        word = getattr(getattr(error, "status", None), "name", "")  # of AFC
    return f"{type(error).__name__}: {word or error}"


def word(error: Exception) -> str:
    """The device's own word for a refusal to answer a question; "" where ``error`` is none of the sort."""
    if isinstance(error, No):
        return error.word
    names = {kind.__name__ for kind in type(error).__mro__}
    if "AfcException" in names:
        return str(getattr(getattr(error, "status", None), "name", ""))
    if "PasswordRequiredError" in names:
        return "PasswordProtected"
    if "LockdownError" in names:
        return str(getattr(error, "error", None) or "")
    return ""


@contextmanager
def explained() -> Iterator[None]:
    """Whatever a device makes of the work inside is raised as DeviceError; an error of ours passes, and so does what
    is our own mistake."""
    try:
        yield
    except SchoolbagError:
        raise
    except Exception as error:
        if not isinstance(error, No | OSError | EOFError) and not _of_the_library(error):
            raise
        raise explain(error) from error


def _of_the_library(error: Exception) -> bool:
    """It is of pymobiledevice3, or came out of its reading what the device sent."""
    names = (str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.startswith(_LIBRARY) for name in (type(error).__module__, *names))


@once
def _rows() -> tuple[_Row, ...]:
    rows = yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text(encoding="utf-8"))
    return tuple(_Row(re.compile(row["text"]), row["kind"], row["reason"], row.get("next", "")) for row in rows)
