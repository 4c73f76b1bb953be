"""Working on a push with the threads of one machine, until it is over or nobody is left who answers."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime

from fleet.db import noting, snapshot, transaction
from fleet.errors import UnitBusy
from fleet.remote.pushes import work
from fleet.remote.pushes.gate import Gate
from fleet.remote.pushes.judging import judge
from fleet.remote.pushes.serving import Serving
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State
from fleet.remote.waves.rules import stamp
from fleet.units import Registry

AT_ONCE = 24
_TICK = 0.5
_TRIES = 3


def run(serving: Serving, *, patient: bool, at_once: int = AT_ONCE) -> Push:
    """Visit sites until the push is over, paused, or has only sites left that do not answer or are not open yet.

    ``patient``: wait for those, too. Ended at any moment, running it again goes on; Ctrl-C ends it between two notes.
    """
    registry, name = serving.registry, serving.push.name
    _free(serving)
    under_way: dict[Future[None], str] = {}
    pool = ThreadPoolExecutor(at_once)
    try:
        while True:
            done = [one for one in under_way if one.done()]
            for one in done:
                del under_way[one]
                one.result()
            found = judge(registry, name)
            turn = _turn(registry, name, found, at_once, set(under_way.values()))
            under_way |= {pool.submit(serving.visit, site): site for site in turn}
            with snapshot(registry.engine) as conn:
                push = kept.one_of(conn, name)
            if not under_way and (push.state is not State.RUNNING or not (patient or _soon(registry, name, found))):
                return push
            if under_way:
                wait(under_way, _TICK, FIRST_COMPLETED)
            else:
                time.sleep(_TICK)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _turn(registry: Registry, name: str, found: Gate, at_once: int, busy: set[str]) -> list[str]:
    with snapshot(registry.engine) as conn:
        if kept.one_of(conn, name).state is not State.RUNNING:
            return []
        turn = work.due(conn, name, found.wave, datetime.now(UTC), at_once)
    return [site for site in turn if site not in busy][: at_once - len(busy)]


def _soon(registry: Registry, name: str, found: Gate) -> bool:
    """Whether a site of an open wave has been tried fewer than three times."""
    with snapshot(registry.engine) as conn:
        waiting = work.all_of(conn, name, states=(work.State.WAITING,))
    now = datetime.now(UTC)
    return any(
        one.attempts < _TRIES and one.wave <= found.wave and (one.attempts > 0 or one.next_at <= stamp(now))
        for one in waiting
    )


def _free(serving: Serving) -> None:
    """Whoever was at work on it and was killed left its sites behind: nobody holds them now."""
    engine, name = serving.registry.engine, serving.push.name
    with transaction(engine) as conn:
        work.lay_out_lost(conn, name, stamp(datetime.now(UTC)))
        busy = work.all_of(conn, name, states=work.BUSY)
    for one in busy:
        try:
            with serving.hold(one.site), noting(engine) as conn:
                work.free(conn, name, one.site, stamp(datetime.now(UTC)))
        except UnitBusy:
            continue
