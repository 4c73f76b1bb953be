"""Whether pushes by way of agents go on: by what the agents told, how many failed, and the time.

Any number of processes may ask at once: whatever follows is written where nobody has written it meanwhile.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from fleet.account.filters.parse import FilterError
from fleet.db import snapshot, transaction
from fleet.remote.agents import stands
from fleet.remote.agents.chosen import chosen
from fleet.remote.agents.gate import gate
from fleet.remote.agents.orders import settle
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import stamp
from fleet.units import Registry

_OFTEN = 3.0
_SHARE = 20
"""Judging takes at most the 20th part of a processor."""


def judge(registry: Registry) -> float:
    """Open the next wave of pushes whose last one is well, end and pause others; in how many seconds to ask again.

    Orders that are done by having been told are done. Raises RegistryError.
    """
    begun = time.perf_counter()
    settle(registry)
    with snapshot(registry.engine) as conn:
        running = [one for one in kept.active(conn, Via.AGENT) if one.state is State.RUNNING]
    for push in running:
        state, wave, why = _verdict(registry, push, datetime.now(UTC))
        if (state, wave) != (push.state, push.wave):
            _settle(registry, push, state, wave, why)
    return max(_OFTEN, _SHARE * (time.perf_counter() - begun))


def _verdict(registry: Registry, push: Push, now: datetime) -> tuple[State, int, str]:
    if push.rules.expired(stamp(now)):
        return State.EXPIRED, push.wave, f"its time was up at {push.rules.until}"
    with snapshot(registry.engine) as conn:
        try:
            mine = chosen(conn, registry.home, push)
        except FilterError as error:
            return State.PAUSED, push.wave, f"its filter cannot be asked any more: {error.what}"
        waves = stands.waves_of(conn, push, mine, now, only_open=True)
    found = gate(waves, push.wave, push.rules.stop_at, waited=push.clock <= stamp(now - stands.PATIENCE))
    if found.stop:
        return State.PAUSED, push.wave, found.stop
    return State.DONE if found.over else State.RUNNING, found.wave, ""


def _settle(registry: Registry, push: Push, state: State, wave: int, why: str) -> None:
    """Write it, unless somebody changed the push since it was looked at."""
    with transaction(registry.engine) as conn:
        if kept.one_of(conn, push.name) == push:
            kept.change(conn, registry.ledger, push, state, why, wave=wave if wave != push.wave else 0)
