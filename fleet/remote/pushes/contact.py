"""One contact with one site: who answers is checked, the release goes there and into force, the ledger comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from fleet.db import snapshot, transaction
from fleet.remote.errors import Busy, SiteError
from fleet.remote.pushes import wants
from fleet.remote.pushes.collecting import Collected, collect
from fleet.remote.pushes.wants import Wanted
from fleet.remote.pushes.work import State, Work
from fleet.remote.releases.keys import PublicKey
from fleet.remote.releases.manifest import Manifest
from fleet.remote.releases.store import Signed, Store
from fleet.remote.sites import records as site_records
from fleet.remote.sites.visit import SKEW, greet
from fleet.remote.wire.session import Hello, Session
from fleet.units import Registry
from provision.text import counted


@dataclass(frozen=True)
class Task:
    """What all contacts of a push have in common."""

    registry: Registry
    store: Store
    key: PublicKey
    signed: Signed
    manifest: Manifest
    wanted: Wanted
    opens: Callable[[int], datetime]
    bring: bool
    older: bool


@dataclass(frozen=True)
class Outcome:
    """What came of it. ``later``: the site takes nothing now, but from then on; else it has the release.

    ``rate`` in bytes per second, None where nothing was sent; ``verdicts``: devices by verdict, None where none were
    brought. ``remark`` is what people should know of it, and ``next_action`` what to do.
    """

    later: datetime | None = None
    rate: int | None = None
    verdicts: Mapping[str, int] | None = None
    mark: str | None = None
    zone: int = 0
    remark: str = ""
    next_action: str = ""


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
    _still_ours(task, work)
    fresh = (hello.release, hello.digest) != (task.manifest.number, task.manifest.digest)
    rate = _send(session, task, work, tell) if fresh else None
    brought = _bring_if_need_be(session, task, work, tell, fresh=fresh)
    collected = collect(session, task.registry, work.site, hello, work.mark, more=brought is not None)
    session.bye()
    moved = _laid_out(task, work.site) if collected.new else 0
    verdicts = brought.verdicts if brought else None
    if brought and brought.busy:
        tell(State.BRINGING, verdicts=verdicts, mark=collected.mark)
        raise Busy(
            f"{work.site}: somebody there is at work on {counted(brought.busy, 'device')}.", "It is tried again."
        )
    remark, action = _remarks(work.site, hello, collected, moved)
    return Outcome(None, rate, verdicts, collected.mark, hello.zone, remark, action)


def _laid_out(task: Task, site: str) -> int:
    """Units that turned up there should have the release, too."""
    with transaction(task.registry.engine) as conn:
        return wants.lay_out(conn, task.wanted, site)


def _still_ours(task: Task, work: Work) -> None:
    """SiteError when the site was removed meanwhile: nothing is sent there any more."""
    with snapshot(task.registry.engine) as conn:
        site_records.one(conn, work.site)


def _bring_if_need_be(session: Session, task: Task, work: Work, tell: Tell, *, fresh: bool) -> _Brought | None:
    """What is attached is brought once per release, and again as long as a unit there is not as it should be."""
    if not task.bring:
        return None
    with snapshot(task.registry.engine) as conn:
        left = wants.left(conn, task.wanted.push, work.site)
        only = wants.serials(conn, task.wanted.push, work.site) if task.wanted.within else None
    if only == [] or not (fresh or left or work.brought != task.manifest.digest):
        return None
    return _bring(session, task, work.site, only, tell)


def _remarks(site: str, hello: Hello, collected: Collected, moved: int) -> tuple[str, str]:
    """What people should know though all went well, and what to do."""
    if collected.remark:
        return collected.remark, collected.next_action
    skew = hello.now - int(time.time())
    if abs(skew) > SKEW:
        way = "ahead of" if skew > 0 else "behind"
        return f"{site}: its clock is {abs(skew)} s {way} ours.", "Set one of them: timedatectl."
    if moved:
        number = counted(moved, "unit")
        return f"{site}: {number} here belonged to other sites before. The newest look at a unit counts.", ""
    return "", ""


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
    _still_ours(task, work)
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


@dataclass
class _Brought:
    """Devices by verdict, as the site's own run read them back; ``busy``: somebody else was at work on them."""

    verdicts: dict[str, int] = field(default_factory=dict)
    busy: int = 0
    reports: int = 0

    def hear(self, said: Mapping[str, Any]) -> None:
        """A line of progress."""
        verdict = said.get("verdict")
        if said.get("event") != "report" or verdict not in ("verified", "partial", "failed"):
            return
        self.reports += 1
        if said.get("busy") is True:
            self.busy += 1
        else:
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1


def _bring(session: Session, task: Task, site: str, only: Sequence[str] | None, tell: Tell) -> _Brought:
    """Have the site bring what is attached there. SiteError when it could not even begin."""
    found = _Brought()
    tell(State.BRINGING)
    told = time.monotonic()

    def line(said: Mapping[str, Any]) -> None:
        nonlocal told
        found.hear(said)
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            tell(State.BRINGING, verdicts=dict(found.verdicts))

    ended = session.bring(task.wanted.profile, only, line)
    if ended.exit not in (0, 1) or (ended.error and not found.reports):
        raise SiteError(
            f"{site}: devices were not brought to the release: {ended.error or f'fleet ended with {ended.exit}'}",
            "See to it there: fleet provision --all --release current",
        )
    return found
