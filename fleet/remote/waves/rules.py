"""What is said of a push: its waves, when it stops, at which hours it goes on, until when. Pure.

Waves are written as ``1,10%,100%``: how many sites have it after each, as a number or a share of all; the last is all.
Hours are those of the clock there, the site's or the device's: ``20:00-06:00``.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

from fleet.remote.errors import PushError
from provision.text import printable

_WAVE = re.compile(r"([0-9]{1,9})(%?)")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True)
class Rules:
    """``stop_at``: percent of a wave's sites that may fail. ``until``: UTC as records have it, "" for ever.

    ``bring``: whether what is attached at a site is brought to the release at once, with ``profile`` where the release
    has several. ``older``: going back is meant. ``where``: which units are meant, "" all.

    Of a push via agents: ``thresholds``, for each wave the last hashed number of an enrolment that is in it, so that no
    unit has to be written down; ``zones``, the time zone of each of its profiles that names one.
    """

    waves: tuple[str, ...] = ("100%",)
    stop_at: int = 20
    hours: str = ""
    until: str = ""
    bring: bool = True
    profile: str = ""
    older: bool = False
    where: str = ""
    thresholds: tuple[str, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        told = {**asdict(self), "waves": list(self.waves), "thresholds": list(self.thresholds)}
        return {name: value for name, value in told.items() if value or name not in ("thresholds", "zones")}

    def wave_of(self, number: str) -> int:
        """In which wave, from 1, the enrolment with this hashed number is."""
        return bisect_left(self.thresholds, number) + 1

    def open_at(self, moment: datetime, zone: int) -> bool:
        """Whether a site that is ``zone`` minutes east of UTC takes something at this moment."""
        if not self.hours:
            return True
        start, end = _hours(self.hours)
        clock = moment.astimezone(timezone(timedelta(minutes=zone))).time()
        return start <= clock < end if start < end else clock >= start or clock < end

    def opens_next(self, moment: datetime, zone: int) -> datetime:
        """When it takes something the next time; ``moment`` itself where it does now."""
        if self.open_at(moment, zone):
            return moment
        start, _ = _hours(self.hours)
        there = moment.astimezone(timezone(timedelta(minutes=zone)))
        opening = datetime.combine(there.date(), start, there.tzinfo)
        return (opening if opening > there else opening + timedelta(days=1)).astimezone(UTC)

    def expired(self, now: str) -> bool:
        """Whether its time is over."""
        return bool(self.until) and now >= self.until


def rules_of(told: Mapping[str, Any]) -> Rules:
    """The rules that the ledger keeps."""
    lists = {name: tuple(told.get(name, ())) for name in ("waves", "thresholds")}
    return Rules(**{**told, **lists})


def waves(text: str) -> tuple[str, ...]:
    """What ``--waves`` says. PushError when it is no list of waves, or does not end with all."""
    steps = tuple(step.strip() for step in text.split(","))
    if not all(map(_WAVE.fullmatch, steps)) or steps[-1] != "100%":
        raise PushError(f"{printable(text)!r} are no waves.", "Write how many sites have it after each: 1,10%,100%")
    return steps


def divided(steps: Sequence[str], sites: Sequence[str]) -> dict[str, int]:
    """The wave of each site, from 1; sites come in their order. PushError when waves do not grow.

    A wave that adds no site to the one before, as 10 % of nine add none to one, is left out.
    """
    found: dict[str, int] = {}
    for wave, end in enumerate(ends(steps, len(sites)), 1):
        found |= dict.fromkeys(sites[len(found) : end], wave)
    return found


def ends(steps: Sequence[str], total: int) -> list[int]:
    """How many of ``total`` have it after each wave; waves that add none are left out. A share is rounded up.

    PushError when waves do not grow.
    """
    found = [_end(step, total) for step in steps]
    shares = [int(step[:-1]) for step in steps if step.endswith("%")]
    numbers = [int(step) for step in steps if not step.endswith("%")]
    if any(later <= sooner for row in (shares, numbers) for sooner, later in itertools.pairwise(row)):
        raise PushError(f"The waves {', '.join(steps)} do not grow.", "Each is more than the one before: 1,10%,100%")
    if 0 in found and total:
        raise PushError(f"The waves {', '.join(steps)} begin with none.", "The first has one at least: 1,10%,100%")
    return sorted({end for end in itertools.accumulate(found, max) if end})


def hours(text: str) -> str:
    """What ``--hours`` says. PushError when it is no window, or one that never opens."""
    if text:
        start, end = _hours(text)
        if start == end:
            raise PushError(f"The window {text} never opens.", "Write it from when to when: 20:00-06:00")
    return text


def until(text: str, now: datetime) -> str:
    """What ``--until`` says: a day of this computer's calendar (to its end), or a moment. PushError when it is over."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PushError(f"{printable(text)!r} is no day.", "Write it as 2026-11-30, or 2026-11-30T18:00") from None
    if len(text) == len("2026-11-30"):
        moment += timedelta(days=1)
    moment = moment.astimezone(UTC)
    if moment <= now:
        raise PushError(f"{text} is over.", "Name a day to come, or leave --until out.")
    return stamp(moment)


def stamp(moment: datetime) -> str:
    """A moment as records have it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end(step: str, total: int) -> int:
    found = _WAVE.fullmatch(step)
    assert found is not None, "waves() let nothing else through"
    number = int(found[1])
    if found[2] and number > 100:
        raise PushError(f"The wave {step} is more than all.", "The last is 100%.")
    return min(math.ceil(total * number / 100) if found[2] else number, total)


def _hours(text: str) -> tuple[time, time]:
    found = _HOURS.fullmatch(text)
    if not found:
        raise PushError(f"{printable(text)!r} are no hours.", "Write them by the site's clock: 20:00-06:00")
    return time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
