"""One site of a push: visited when it is its turn, and what came of it noted. By threads or by workers."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet.buglog import as_error
from fleet.db import noting, snapshot
from fleet.errors import RegistryError, UnitBusy
from fleet.home import Home
from fleet.remote.errors import Unreachable
from fleet.remote.pushes import wants, work
from fleet.remote.pushes.contact import Outcome, Task, contact
from fleet.remote.pushes.holding import Hold
from fleet.remote.pushes.work import State, Work
from fleet.remote.releases import keys
from fleet.remote.releases.store import Store
from fleet.remote.sites import records as site_records
from fleet.remote.sites.records import Site
from fleet.remote.sites.visit import visiting
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push
from fleet.remote.waves.rules import stamp
from fleet.remote.wire.session import Session
from fleet.units import Registry
from profiles.errors import SchoolbagError

Emit = Callable[[str, State, dict[str, Any]], None]
"""Called with the site, its state, and what else of its work is new."""

Reach = Callable[[Site, Home], AbstractContextManager[Session]]
"""How a site is reached: a session with it. Raises Unreachable and SiteError."""


class _Leaving(Exception):
    """Whoever visits has to end: the site waits for somebody else, and goes on where this one stopped."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Serving:
    """What visits to the sites of one push have in common. ``visit`` does none of its own: several may at once.

    ``leaving`` says that visits under way are to be left where they stand.
    """

    registry: Registry
    push: Push
    task: Task
    emit: Emit
    dice: random.Random
    hold: Hold
    reach: Reach = visiting
    leaving: Callable[[], bool] = _never

    def visit(self, site: str) -> None:
        """Do what is left to do at this site, and note what came of it. Raises RegistryError alone.

        Nothing happens when another process is at it, or it has been done meanwhile.
        """
        try:
            with self.hold(site):
                with snapshot(self.registry.engine) as conn:
                    left = work.one(conn, self.push.name, site)
                    running = kept.one_of(conn, self.push.name).state is kept.State.RUNNING
                if left is not None and left.state is not State.DONE and running:
                    self._visit(left)
        except UnitBusy:
            return

    def _visit(self, left: Work) -> None:
        self._note(left.site, State.CONNECTING, error="", next_action="")
        try:
            with snapshot(self.registry.engine) as conn:
                site = site_records.one(conn, left.site)
            with self.reach(site, self.registry.home) as session:
                outcome = contact(
                    session, self.task, left, lambda state, **fields: self._tell(left.site, state, **fields)
                )
        except RegistryError:
            raise
        except _Leaving:
            self._note(left.site, State.WAITING, next_at=stamp(datetime.now(UTC)))
        except Unreachable as error:
            self._missed(left, error)
        except SchoolbagError as error:
            self._failed(left, error)
        except Exception as error:  # noqa: BLE001  # a bug at one site is no reason to stop at the others
            self._failed(left, as_error(error))
        else:
            self._ended(left, outcome)

    def _missed(self, left: Work, error: SchoolbagError) -> None:
        attempts = left.attempts + 1
        later = stamp(work.back_off(attempts, datetime.now(UTC), self.dice))
        told = {"error": error.what, "next_action": error.next_action}
        self._note(left.site, State.WAITING, attempts=attempts, next_at=later, **told)

    def _failed(self, left: Work, error: SchoolbagError) -> None:
        told = {"error": error.what, "next_action": error.next_action}
        self._note(left.site, State.FAILED, attempts=left.attempts + 1, **told)

    def _ended(self, left: Work, outcome: Outcome) -> None:
        if outcome.later is not None:
            self._note(left.site, State.WAITING, attempts=0, next_at=stamp(outcome.later), zone=outcome.zone)
            return
        told = {"error": outcome.remark, "next_action": outcome.next_action}
        fields: dict[str, Any] = {"attempts": 0, "mark": outcome.mark, "zone": outcome.zone, **told}
        if outcome.rate is not None:
            fields["rate"] = outcome.rate
        if outcome.verdicts is not None:
            fields |= {"verdicts": outcome.verdicts, "brought": self.task.manifest.digest}
        self._note(left.site, State.DONE, **fields)

    def _tell(self, site: str, state: State, **fields: Any) -> None:
        self._note(site, state, **fields)
        if self.leaving():
            raise _Leaving

    def _note(self, site: str, state: State, **fields: Any) -> None:
        with noting(self.registry.engine) as conn:
            work.note(conn, self.push.name, site, state=state.value, at=stamp(datetime.now(UTC)), **fields)
        self.emit(site, state, fields)


def serving(registry: Registry, push: Push, emit: Emit, hold: Hold) -> Serving:
    """Ready to visit the sites of a push. ReleaseError when the release is not here any more, or was changed."""
    store = Store(registry.home)
    signed = store.signed(push.release)
    key = keys.of_hub(registry.home)
    key.check(signed.content, signed.signature)
    manifest = store.check(push.release)
    rules = push.rules
    with snapshot(registry.engine) as conn:
        wanted = wants.wanted_by(conn, registry.home, push.name, push.release, push.at, rules, manifest)
    task = Task(
        registry=registry,
        store=store,
        key=key,
        signed=signed,
        manifest=manifest,
        wanted=wanted,
        opens=lambda zone: rules.opens_next(datetime.now(UTC), zone),
        bring=rules.bring,
        older=rules.older,
    )
    return Serving(registry, push, task, emit, random.Random(), hold)  # noqa: S311
