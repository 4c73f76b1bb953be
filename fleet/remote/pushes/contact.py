"""One contact with one site: who answers is checked, the release goes there and into force, the ledger comes back."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from fleet.db import snapshot, transaction
from fleet.errors import FileError
from fleet.ledger import chain_ends
from fleet.ledger_merge import Trust, take_over
from fleet.projections_remote import REMOTE_KINDS
from fleet.remote.errors import SiteError
from fleet.remote.pushes.work import State, Work
from fleet.remote.releases.keys import PublicKey
from fleet.remote.releases.manifest import Manifest
from fleet.remote.releases.store import Signed, Store
from fleet.remote.sites import records as site_records
from fleet.remote.sites.visit import greet
from fleet.remote.wire.session import Hello, Session
from fleet.units import Registry
from provision.progress import now


@dataclass(frozen=True)
class Task:
    """What all contacts of a push have in common."""

    registry: Registry
    store: Store
    key: PublicKey
    signed: Signed
    manifest: Manifest
    opens: Callable[[int], datetime]
    bring: bool
    profile: str
    older: bool


@dataclass(frozen=True)
class Outcome:
    """What came of it. ``later``: the site takes nothing now, but from then on; else it has the release.

    ``rate`` in bytes per second, None where nothing was sent; ``verdicts``: devices by verdict, None where none were
    brought.
    """

    later: datetime | None = None
    rate: int | None = None
    verdicts: Mapping[str, int] | None = None
    mark: str | None = None
    zone: int = 0


class Tell(Protocol):
    """Called while it works: the state, and what else of :class:`Work` is new."""

    def __call__(self, state: State, **fields: Any) -> None: ...


def contact(session: Session, task: Task, work: Work, tell: Tell) -> Outcome:
    """Do what is left to do at the site; doing it again does nothing. Raises RemoteError."""
    hello = greet(session, work.site, task.registry, task.key)
    opens = task.opens(hello.zone)
    if opens > datetime.now(UTC):
        session.bye()
        return Outcome(later=opens, zone=hello.zone)
    fresh = (hello.release, hello.digest) != (task.manifest.number, task.manifest.digest)
    rate = _send(session, task, work, tell) if fresh else None
    verdicts = None
    if task.bring and (fresh or work.brought != task.manifest.digest):
        verdicts = _bring(session, task, tell)
    mark = _collect(session, task, hello, work)
    session.bye()
    return Outcome(rate=rate, verdicts=verdicts, mark=mark, zone=hello.zone)


def _send(session: Session, task: Task, work: Work, tell: Tell) -> int | None:
    """What the site has not goes there, then the release is in force; bytes per second, None where nothing went."""
    missing = session.offer(task.signed)
    sizes = task.manifest.blobs
    total = sum(sizes.values())
    left = sum(sizes[sha256] - have for sha256, have in missing.items())
    meter = _Meter(total, total - left, tell)
    # What has begun to come is finished first: a link that breaks again and again still brings one after another.
    for sha256, have in sorted(missing.items(), key=lambda pair: (-pair[1], sizes[pair[0]], pair[0])):
        session.put(task.store.blob(sha256), sha256, sizes[sha256], have, meter.count)
    number, digest = session.activate(older=task.older)
    if (number, digest) != (task.manifest.number, task.manifest.digest):
        raise SiteError(
            f"{work.site} says that release {number} is in force there, and {task.manifest.number} was sent.",
            "Another hub, or somebody there, is at work on it.",
        )
    with transaction(task.registry.engine) as conn:
        site_records.reported(conn, task.registry.ledger, work.site, number, digest)
    return meter.rate(left)


class _Meter:
    """Tells of bytes that went out, every second."""

    def __init__(self, total: int, sent: int, tell: Tell) -> None:
        self._total, self._sent, self._tell = total, sent, tell
        self._began = self._told = time.monotonic()
        tell(State.SENDING, sent=sent, total=total)

    def count(self, size: int) -> None:
        self._sent += size
        if time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            self._tell(State.SENDING, sent=self._sent, total=self._total)

    def rate(self, size: int) -> int | None:
        """Over all of it, the answer included: what is in a buffer has not come."""
        took = time.monotonic() - self._began
        self._tell(State.SENDING, sent=self._total, total=self._total)
        return int(size / max(took, 0.001)) if size else None


def _bring(session: Session, task: Task, tell: Tell) -> Mapping[str, int]:
    """Devices by verdict, as the site's own run read them back."""
    found: dict[str, int] = {}
    tell(State.BRINGING)
    told = time.monotonic()

    def line(said: Mapping[str, Any]) -> None:
        nonlocal told
        verdict = said.get("verdict")
        if said.get("event") == "report" and verdict in ("verified", "partial", "failed"):
            found[verdict] = found.get(verdict, 0) + 1
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            tell(State.BRINGING, verdicts=dict(found))

    session.bring(task.profile, line)
    return found


def _collect(session: Session, task: Task, hello: Hello, work: Work) -> str | None:
    """Take over what the site recorded: its own chain, and nothing that is the hub's to write."""
    if hello.mark is not None and hello.mark == work.mark:
        return hello.mark
    with snapshot(task.registry.engine) as conn:
        end = chain_ends(conn, hello.bench).get(hello.bench)
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        path = Path(folder) / "ledger"
        mark = session.ledger(end.seq if end else 0, path)
        try:
            with transaction(task.registry.engine) as conn:
                take_over(conn, [path], now(), Trust(hello.bench, frozenset(REMOTE_KINDS)))
        except FileError as error:
            raise SiteError(
                f"{work.site}: what it recorded cannot be taken over: {error.what}", error.next_action
            ) from error
    return mark
