"""The result of looking at one thing, and looking at many so that one that fails does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from profiles.errors import SchoolbagError


class Mark(StrEnum):
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Check:
    """``what`` was found, in one sentence, and how to ``mend`` it ("" where there is nothing to mend)."""

    name: str
    mark: Mark
    what: str
    mend: str = ""


Look = Callable[[str], Iterable[Check]]
"""Looks at one thing; it is given the name of its checks, and may find several."""


def examine(looks: Mapping[str, Look]) -> Iterator[Check]:
    """All that ``looks`` find, as they find it. One that fails is itself a bad result, and the next goes on."""
    for name, look in looks.items():
        try:
            yield from look(name)
        except SchoolbagError as error:
            yield Check(name, Mark.BAD, error.what, error.next_action)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are still of use
            yield Check(name, Mark.BAD, f"This could not be checked ({type(error).__name__}: {error}).")
