"""The questions of ``fleet status`` that are timed, and the same counts as somebody would ask the database for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.million.world import World

_STATES = "SELECT state, last_verdict, count(*) FROM units GROUP BY 1, 2;"
_PLACES = "SELECT place, count(*) FROM custody WHERE place <> '' GROUP BY 1 ORDER BY 2 DESC LIMIT 6;"
_HOLDERS = "SELECT holder, count(*) FROM custody WHERE holder > '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30;"
_BY_PLACE = (
    "SELECT p.{what}, c.state, sum(c.n) FROM (SELECT place, state, count(*) AS n FROM custody "
    "WHERE state <> 'with_student' GROUP BY 1, 2) c LEFT JOIN places p ON p.place = c.place{only} GROUP BY 1, 2 "
    "UNION ALL SELECT s.{theirs}, 'with_student', count(*) FROM custody c JOIN students s ON s.student = c.holder "
    "WHERE c.holder > '' GROUP BY 1;"
)
_THEIRS = "c.holder IN (SELECT student FROM students WHERE state IN ('enrolled', 'left', 'forgotten') AND area = '{}')"
_WHERE = (
    "SELECT u.state, u.last_verdict, c.place, count(*) FROM units u JOIN custody c ON c.unit = u.key {more} "
    "WHERE {fits} GROUP BY 1, 2, 3;"
)


@dataclass(frozen=True)
class Question:
    """``words``: what is asked of ``fleet``; ``sql``: the same counts, as text for the shell of the database."""

    words: tuple[str, ...]
    sql: str

    @property
    def shown(self) -> str:
        return " ".join(["fleet", *(f"'{word}'" if " " in word or "=" in word else word for word in self.words)])


def questions(world: World) -> Sequence[Question]:
    """Plain, by everything, and with filters that fit many and few."""
    area = world.areas[len(world.areas) // 2]
    health = "JOIN health_now h ON h.unit = u.key"
    lies = f"c.state <> 'with_student' AND c.place IN (SELECT place FROM places WHERE area = '{area}')"
    in_area = f"({lies} OR {_THEIRS.format(area)})"
    worn = "u.state = 'with_student' AND h.battery_worn > 20"
    return (
        Question(("status",), _STATES + _PLACES),
        _by("place", "SELECT place, state, count(*) FROM custody GROUP BY 1, 2;"),
        _by("school", _BY_PLACE.format(what="place", theirs="school", only=" AND p.kind = 'school'")),
        _by("area", _BY_PLACE.format(what="area", theirs="area", only="")),
        _by("state", "SELECT state, count(*) FROM units GROUP BY 1;"),
        _by("model", "SELECT maker, model, state, count(*) FROM units GROUP BY 1, 2, 3;"),
        _by("profile", "SELECT last_profile, state, count(*) FROM units GROUP BY 1, 2;"),
        _by("holder", _HOLDERS),
        _where(f"area='{area}'", in_area),
        _where("state=with_student and battery_worn>20", worn, health),
        _where('model~"SM-" and state=at_school', "u.model LIKE '%SM-%' AND u.state = 'at_school'"),
        Question(
            ("status", "--by", "school", "--where", "state=with_student and battery_worn>20"),
            f"SELECT s.school, u.state, count(*) FROM units u JOIN custody c ON c.unit = u.key {health} "
            f"LEFT JOIN students s ON s.student = c.holder WHERE {worn} GROUP BY 1, 2;",
        ),
    )


def _by(what: str, sql: str) -> Question:
    return Question(("status", "--by", what), sql)


def _where(text: str, fits: str, more: str = "") -> Question:
    return Question(("status", "--where", text), _WHERE.format(fits=fits, more=more))
