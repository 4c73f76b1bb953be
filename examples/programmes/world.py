"""A large programme, drawn from a seed: its students, units and SIMs, and the weeks that lie behind it.

All sizes and words are in ``world.yaml`` of the programme. The same seed and scale give the same world. Days are
counted back from the day on which the story is recorded: -1 is yesterday.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from examples.programmes.people import People, luhn

HERE = Path(__file__).parent
FIRST_DAY = -100
"""When the lists are taken in and the benches begin."""

LOST, REPAIR, FAILED, UNSEEN, SUSPENDED, NO_APP, LEFT = 3, 7, 11, 13, 17, 19, 23
FATES = 25
"""What becomes of the unit with this number, when it is divided by FATES; of the others nothing."""


@dataclass(frozen=True)
class Student:
    number: str
    name: str
    born: date
    school: str
    area: str
    grade: int
    class_name: str
    category: str
    phone: str
    guardian: str
    connection: str
    teacher: str


@dataclass(frozen=True)
class Device:
    tag: str
    serial: str
    imei: str
    maker: str
    model: str


@dataclass(frozen=True)
class Sim:
    iccid: str
    msisdn: str
    quota: str
    days: int


@dataclass(frozen=True)
class Happening:
    """``what`` became of ``unit`` (a tag) or ``sim`` (an ICCID), with which ``student`` (a number), on ``day``."""

    day: int
    what: str
    unit: str = ""
    student: str = ""
    sim: str = ""


@dataclass(frozen=True)
class World:
    """``later`` are students who came into the list after its first taking-over."""

    told: Mapping[str, Any]
    schools: Mapping[str, tuple[str, str]]
    students: Sequence[Student]
    later: Sequence[Student]
    devices: Sequence[Device]
    sims: Sequence[Sim]
    story: Sequence[Happening]


def draw(name: str, scale: float) -> World:
    """The world of the programme of this name; ``scale`` 1 is its real size."""
    told = yaml.safe_load((HERE / name / "world.yaml").read_text(encoding="utf-8"))
    size = {what: max(32, round(number * scale)) for what, number in told["size"].items()}
    chance = random.Random(told["seed"])
    schools = _schools(told, scale)
    pupils = _students(told, schools, size["students"] + max(3, size["students"] // 50), chance)
    now, later = pupils[: size["students"]], pupils[size["students"] :]
    devices = [_device(told, number) for number in range(1, size["devices"] + 1)]
    sims = [_sim(told, number) for number in range(1, size["sims"] + 1)]
    return World(told, schools, now, later, devices, sims, _story(told, now, devices, sims))


def _schools(told: Mapping[str, Any], scale: float) -> dict[str, tuple[str, str]]:
    """Code to name and area. Every area has one of each kind at least."""
    found = {}
    for kind, row in told["schools"].items():
        for number in range(max(len(told["areas"]), round(row["number"] * scale))):
            area = told["areas"][number % len(told["areas"])]
            found[f"{kind}-{number + 1:03d}"] = (row["name"].format(area=area, number=number + 1), area)
    return found


def _students(
    told: Mapping[str, Any], schools: Mapping[str, tuple[str, str]], many: int, chance: random.Random
) -> list[Student]:
    people = People(told["language"], chance)
    codes = list(schools)
    found: list[Student] = []
    for number in range(1, many + 1):
        grade = chance.choices(range(1, 13), told["grades"])[0]
        sibling = found[-1] if number % 9 == 0 else None
        school = sibling.school if sibling else chance.choice(codes)
        family = people.family(sibling.name) if sibling else ""
        child, born = people.child(grade, told["year"], family)
        found.append(
            Student(
                f"{told['prefix']}{number:06d}",
                child,
                born,
                school,
                schools[school][1],
                grade,
                f"{grade}{'ABC'[number % 3]}",
                sibling.category if sibling else _one_of(told["categories"], chance),
                sibling.phone if sibling else people.phone(number),
                sibling.guardian if sibling else people.guardian(child),
                sibling.connection if sibling else _one_of(told["connections"], chance),
                f"T-{codes.index(school) + 1:03d}{grade // 5}",
            )
        )
    return found


def _one_of(words: Mapping[str, tuple[int, str]], chance: random.Random) -> str:
    """One of ``words``, each of which has its weight."""
    return chance.choices(list(words), [weight for weight, _ in words.values()])[0]


def _device(told: Mapping[str, Any], number: int) -> Device:
    maker, model, serial, tac = told["models"][number % len(told["models"])]
    imei = luhn(f"{tac}{number:06d}") if tac else ""
    return Device(f"{told['tags']}-{number:05d}", f"{serial}{number:06d}", imei, maker, model)


def _sim(told: Mapping[str, Any], number: int) -> Sim:
    issuer, digits = told["iccid"]
    plan = told["plan"]
    start = "098" if told["language"] == "vi" else "1886"
    subscriber = f"{start}{5_000_000 + number * 7}"
    iccid = luhn(issuer + str(number * 11).zfill(digits - 1 - len(issuer)))
    return Sim(iccid, subscriber, plan["quota"], plan["days"])


def order(told: Mapping[str, Any], student: Student) -> tuple[int, int, str]:
    """The place in the programme's order, as far as lists tell it."""
    return told["areas"].index(student.area), list(told["categories"]).index(student.category), student.number


def _story(
    told: Mapping[str, Any], students: Sequence[Student], devices: Sequence[Device], sims: Sequence[Sim]
) -> list[Happening]:
    """The first of each household are given devices in the programme's order; SIMs go in where there is no line."""
    given, waiting, sent = (len(devices) * part // 100 for part in (84, 8, 4))
    story = [Happening(FIRST_DAY, "bench", device.tag) for device in devices[: given + waiting + sent]]
    story += [Happening(-2, "send", device.tag) for device in devices[given + waiting : given + waiting + sent]]
    takers = sorted(_one_of_each(told, students), key=lambda student: order(told, student))
    cards = iter(sims)
    first, last = told["handed_over"]
    for number, (device, student) in enumerate(zip(devices[: given - told["twice"]], takers, strict=False)):
        day = first + number * (last - first) // given
        card = next(cards, None) if student.connection != "line" else None
        story += _given(number, device.tag, student.number, card, day)
    doubles = takers[5 : 5 * told["twice"] + 1 : 5]
    for device, student in zip(devices[given - told["twice"] : given], doubles, strict=True):
        story += [Happening(last, "hand-over-too", device.tag, student.number), Happening(-1, "seen", device.tag)]
    served = {student.phone for student in takers[:given]}
    story += _sims_alone(told, [one for one in students if one.phone not in served], list(cards))
    return sorted(story, key=lambda one: one.day)


def _given(number: int, tag: str, student: str, card: Sim | None, day: int) -> list[Happening]:
    """One hand-over, and what became of it."""
    fate, story = number % FATES, []
    if card:
        story += [Happening(day, "insert", tag, sim=card.iccid), Happening(day, "activate", sim=card.iccid)]
    story.append(Happening(day, "hand-over", tag, student))
    if card and fate == SUSPENDED:
        story.append(Happening(day + 1, "suspend", sim=card.iccid))
    after = {FAILED: "failed", NO_APP: "no-app"}.get(fate, "seen")
    if fate != UNSEEN:
        story.append(Happening(day + 1, after, tag))
    ends = {LOST: "lost", REPAIR: "repair", LEFT: "leave"}
    if fate in ends:
        story.append(Happening(day + 2, ends[fate], tag, student))
    return story


def _sims_alone(told: Mapping[str, Any], students: Sequence[Student], cards: Sequence[Sim]) -> list[Happening]:
    """The other SIMs go to families with a device of their own."""
    if not told["sims_alone"]:
        return []
    takers = [student for student in students if student.connection != "line"]
    first, last = told["handed_over"]
    story = []
    for number, (card, student) in enumerate(zip(cards, takers, strict=False)):
        day = first + number * (last - first) // len(cards)
        story += [Happening(day, "activate", sim=card.iccid), Happening(day, "sim", "", student.number, card.iccid)]
    return story


def _one_of_each(told: Mapping[str, Any], students: Sequence[Student]) -> list[Student]:
    """Who is due: one of each household, or every one."""
    if told["one_per"] == "student":
        return list(students)
    return list({student.phone: student for student in reversed(students)}.values())
