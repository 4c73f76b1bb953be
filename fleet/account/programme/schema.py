"""The shape of a programme file: who is to be given what, in which order, by when. Frozen; unknown keys refused.

Loaded by :func:`.load.load`. Readers of the account take :mod:`fleet.account.programme.in_force` instead,
which needs no pydantic. Nothing in it may be personal: it goes into the ledger as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from profiles.fields import PATTERNS, Id, Quota, Section, Text
from profiles.rules import wrong

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_RANGE = re.compile(r"(0|[1-9][0-9]?)-(0|[1-9][0-9]?)")
_STORAGE = r"^[0-9]{1,4} ?GB$"

# What a text has to look like, in the words of an error; those of profiles are used too.
SHAPES: Mapping[str, str] = {**PATTERNS, _STORAGE: "an amount such as 16 GB"}


def _day(value: str) -> str:
    try:
        if date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise wrong(f'"{value}" is no day: write it as 2021-10-15')


def _hours(value: str) -> str:
    found = _HOURS.fullmatch(value)
    if not found:
        raise wrong(f'"{value}" are no hours: write them as 07:30-11:00')
    if value[:5] >= value[6:]:
        raise wrong(f'"{value}" ends before it begins')
    return value


def grades_of(value: object) -> tuple[str, ...]:
    """``3``, ``1-5``, ``K`` or a list of these; a range stands for every grade in it."""
    given = value if isinstance(value, tuple) else (value,)
    found: list[str] = []
    for one in given:
        if isinstance(one, bool) or not isinstance(one, int | str) or not str(one).strip():
            raise wrong("must be grades, such as 3, 1-5 or [K, 1, 2]")
        found += _spread(str(one).strip())
    if not found:
        raise wrong("must name a grade")
    return tuple(dict.fromkeys(found))


def _spread(grades: str) -> list[str]:
    bounds = _RANGE.fullmatch(grades)
    if not bounds:
        return [grades]
    first, last = int(bounds[1]), int(bounds[2])
    if first > last:
        raise wrong(f'"{grades}" ends before it begins')
    return [str(grade) for grade in range(first, last + 1)]


_GRADE: dict[str, Any] = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}]}
_ALL: dict[str, Any] = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}

Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Hours = Annotated[str, AfterValidator(_hours), WithJsonSchema({"type": "string", "pattern": _HOURS.pattern})]
Grades = Annotated[
    tuple[str, ...],
    BeforeValidator(grades_of),
    WithJsonSchema({"anyOf": [*_GRADE["anyOf"], {"type": "array", "items": _GRADE, "minItems": 1}]}),
]
Storage = Annotated[str, StringConstraints(pattern=_STORAGE)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Taker = Literal["guardian", "student", "teacher"]


class Term(Section):
    term: Text = Field(description="The name of the term, such as 2021-22/1.")
    from_: Day = Field(alias="from", description="Its first day.")
    to: Day = Field(description="Its last day.")


class Quiet(Section):
    """Days on which nothing is handed over and nobody has to be seen: holidays, floods, lockdowns."""

    from_: Day = Field(alias="from", description="The first day.")
    to: Day = Field(description="The last day.")
    why: Text = Field(description="Why, such as Tết.")


class Area(Section):
    area: Text = Field(description="The area as rosters and places have it.")
    name: Text | None = Field(default=None, description="Its name in reports.")
    officer: Text | None = Field(
        default=None, description="The desk or role that is responsible. No person's name: this goes into the ledger."
    )


class Category(Section):
    category: Text = Field(description="The category as rosters have it, such as poor.")
    name: Text | None = Field(default=None, description="Its name in reports.")
    due: Literal["sim"] | None = Field(
        default=None, description="sim: who is of it has a device at home, and is due a SIM only."
    )


class Stage(Section):
    stage: Text = Field(description="The stage of school, such as primary.")
    grades: Grades = Field(description="Its grades: 1-5, or a list.")


class Target(Section):
    """``number: all``: every enrolled student (or school) in the target's scope."""

    what: Literal["devices", "sims", "students", "schools"] = Field(
        description="devices and sims that were accepted; students who hold a device; schools where all of them do."
    )
    number: Annotated[Count | Literal["all"], WithJsonSchema(_ALL)] = Field(description="How many, or all.")
    by: Day = Field(description="Until the end of which day.")
    area: Text | None = Field(default=None, description="In this area only.")
    category: Text | None = Field(default=None, description="Of this category only.")


class Phase(Section):
    phase: Id = Field(description="The name of the phase, such as one.")
    from_: Day = Field(alias="from", description="Its first day. Nobody is assigned a unit before.")
    to: Day = Field(description="Its last day. Who is then still without stays due.")
    areas: tuple[Text, ...] = Field(default=(), description="Only these areas; all when it is left out.")
    categories: tuple[Text, ...] = Field(default=(), description="Only these categories; all when it is left out.")
    targets: tuple[Target, ...] = Field(default=(), description="What is to be reached.")


class Sharing(Section):
    """How the children of one household use one device."""

    most: Annotated[int, Field(ge=1, le=40)] | None = Field(
        default=None, description="At most so many children to a device; no limit when it is left out."
    )
    same_hour: Literal["allow", "another"] = Field(
        default="allow", description="Children in lessons at the same hour: allow one device, or give another."
    )


class Lessons(Section):
    grades: Grades = Field(description="Which grades.")
    hours: tuple[Hours, ...] = Field(description="When they are in lessons, such as [07:30-11:00].")


class Kind(Section):
    """What is left out does not matter."""

    grades: Grades = Field(description="Which grades.")
    kind: Literal["tablet", "phone"] | None = Field(default=None, description="tablet or phone.")
    platform: Literal["android", "ios"] | None = Field(default=None, description="android or ios.")
    storage: Storage | None = Field(
        default=None, description="The least storage, as the device itself tells it: a 32 GB phone tells about 25 GB."
    )


class DataPlan(Section):
    categories: tuple[Text, ...] = Field(default=(), description="For these categories; for all when it is left out.")
    carrier: Text | None = Field(default=None, description="The operator, as SIM lists have it.")
    quota: Quota = Field(description="How much: 4 GB/day, 30 GB/month, or 10 GB in all.")
    days: Annotated[int, Field(ge=1, le=3660)] | None = Field(
        default=None, description="For how many days from the hand-over on; without an end when it is left out."
    )


class HandOver(Section):
    takers: tuple[Taker, ...] = Field(default=(), description="Who may take a device; anybody when it is left out.")
    id_checks: tuple[Taker, ...] = Field(
        default=(), description="Whose papers are looked at. That they were is kept, never a copy."
    )
    kit: Mapping[Text, Annotated[int, Field(ge=1, le=20)]] = Field(
        default_factory=dict, description="What belongs to it, piece by piece: {charger: 1, cable: 1}."
    )


class Wipe(Section):
    second_person: bool = Field(description="Whether somebody else has to say, too, that a device at home is wiped.")


class LessonApps(Section):
    grades: Grades = Field(description="Which grades.")
    apps: tuple[Id, ...] = Field(description="The apps that a device must have, by their id in profiles.")


class Programme(Section):
    programme: Id = Field(description="The name of the programme.")
    name: Text | None = Field(default=None, description="Its name in reports.")
    one_per: Literal["student", "household"] = Field(description="Who is given one device.")
    sharing: Sharing | None = Field(default=None, description="How a household shares; with one_per: household only.")
    calendar: tuple[Term, ...] = Field(default=(), description="The terms.")
    quiet: tuple[Quiet, ...] = Field(default=(), description="Days on which nothing is expected.")
    seen_within: Annotated[int, Field(ge=0, le=365)] = Field(
        default=0, description="A device counts as never seen when so many days (quiet ones left out) have gone by."
    )
    areas: tuple[Area, ...] = Field(default=(), description="The areas, the most urgent first.")
    categories: tuple[Category, ...] = Field(default=(), description="The categories, the most urgent first.")
    stages: tuple[Stage, ...] = Field(default=(), description="The stages of school.")
    phases: tuple[Phase, ...] = Field(default=(), description="The phases, the first first.")
    lessons: tuple[Lessons, ...] = Field(default=(), description="When which grades are in lessons.")
    kinds: tuple[Kind, ...] = Field(default=(), description="Which kind of unit suits which grades.")
    tablets: tuple[Text, ...] = Field(
        default=(), description="Models that are tablets, such as SM-T5*; iPads are known."
    )
    data_plans: tuple[DataPlan, ...] = Field(default=(), description="What is offered to whom: the first that fits.")
    hand_over: HandOver | None = Field(default=None, description="What a hand-over needs.")
    wipe: Wipe | None = Field(default=None, description="What wiping a device at home needs.")
    lesson_apps: tuple[LessonApps, ...] = Field(default=(), description="What lessons need on a device.")
