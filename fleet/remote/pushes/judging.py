"""Whether a push goes on: by how its waves stand, how many failed, and the time. Whoever works on one asks here."""

from __future__ import annotations

from datetime import UTC, datetime

from fleet.db import snapshot, transaction
from fleet.remote.pushes import work
from fleet.remote.pushes.gate import Gate, gate
from fleet.remote.waves import kept
from fleet.remote.waves.kept import State
from fleet.remote.waves.rules import stamp
from fleet.units import Registry


def judge(registry: Registry, name: str) -> Gate:
    """Which wave is open; a push that is over, expired, or fails too often, changes its state here."""
    now = stamp(datetime.now(UTC))
    with snapshot(registry.engine) as conn:
        push = kept.one_of(conn, name)
        found = gate(work.waves_of(conn, name), push.rules.stop_at)
    if push.state is not State.RUNNING:
        return found
    state, why = State.RUNNING, ""
    if found.over:
        state = State.DONE
    elif push.rules.expired(now):
        state, why = State.EXPIRED, f"its time was up at {push.rules.until}"
    elif found.stop:
        state, why = State.PAUSED, found.stop
    if state is not State.RUNNING:
        with transaction(registry.engine) as conn:
            kept.change(conn, registry.ledger, push, state, why)
    return found
