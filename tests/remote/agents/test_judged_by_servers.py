"""A server opens the next wave by itself, when the agents of the last one told that they carried it out."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from fleet.db import snapshot
from fleet.remote.waves import kept
from fleet.remote.waves.kept import State
from fleet.remote.waves.rules import Rules, waves
from fleet.units import Registry
from tests.fleet.making import SQLITE
from tests.remote.agents.at_home import begun, contact, numbers, of_today, release, school
from tests.remote.agents.phones import profile, serving

_LONGEST = 30.0


@SQLITE
def test_a_server_opens_waves_and_ends_the_push(registry: Registry, tmp_path: Path) -> None:
    today = of_today(registry)
    keys = school(today, 3)
    release(today, 7, {"small": "seven"})
    begun(today, 7, {"small": "seven"}, Rules(waves=waves("1,100%")))
    first = min(numbers(today, keys).items(), key=lambda one: one[1])[0]
    with serving(today, profile(tmp_path)):
        for said, wanted in (([first], (State.RUNNING, 2)), (keys, (State.DONE, 2))):
            for key in said:
                told = dict.fromkeys(("fetched_at", "confirmed_at", "told_at"), timedelta(0))
                contact(today, key, fetched="seven", confirmed="seven", owner=True, **told)
            end = time.monotonic() + _LONGEST
            while (found := _now(today)) != wanted:
                assert time.monotonic() < end, found
                time.sleep(0.2)


def _now(registry: Registry) -> tuple[State, int]:
    with snapshot(registry.engine) as conn:
        push = kept.one_of(conn, "")
        return push.state, push.wave
