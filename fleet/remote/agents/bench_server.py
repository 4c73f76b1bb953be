"""The bench's own server for agents: on this computer alone, for phones on its cables (``adb reverse``), without any
internet and without a release. Its contacts are none with the server at home."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, select

from fleet import owners
from fleet.db import snapshot, transaction
from fleet.errors import RegistryError
from fleet.models import agent_contacts
from fleet.remote.agents import records
from fleet.remote.agents.blobs import Blobs
from fleet.remote.agents.rates import unlimited
from fleet.remote.agents.server import Place, Server, listen
from fleet.remote.agents.service import Service
from fleet.units import Registry
from profiles.schema import Profile
from profiles.secrets import Secret, Secrets
from provision.android.agent_document import document, files
from provision.owned import Agent, Heard, Number
from provision.owned import BenchServer as OnBench

_STARTS = 20.0
_ENDS = 15.0
_RESTS = 2.0
"""Seconds after its last file from which an agent counts as fetching none."""


class _Known(Secrets):
    """The secrets of the profiles that were loaded, then those of this home."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(os.environ, registry.home.secrets_file)
        self.loaded: dict[str, Secret] = {}

    def get(self, name: str) -> Secret:
        return self.loaded.get(name) or super().get(name)


@dataclass
class _Seen:
    """What one agent did last, and when (monotonic seconds; 0 never). ``fetches``: files that it is being sent."""

    answered: float = 0.0
    digest: str = ""
    told: float = 0.0
    missigned: float = 0.0
    fetches: int = 0
    fetched: float = 0.0

    def note(self, what: str, digest: str) -> None:
        if what == "fetches":
            self.fetches += 1
            return
        setattr(self, what, time.monotonic())
        if what == "fetched":
            self.fetches -= 1
        elif what == "answered":
            self.digest = digest

    def heard(self, digest: str, since: float, lately: float) -> Heard:
        """How far it has come since then with the profile of this digest. ``lately``: from when on a file counts."""
        if self.answered < since or self.digest != digest:
            return Heard.MISSIGNED if self.missigned >= since else Heard.NOTHING
        rests = not self.fetches and self.fetched < time.monotonic() - _RESTS
        if rests and self.told >= max(self.answered, self.fetched):
            return Heard.TOLD
        return Heard.FETCHING if self.fetches or self.fetched >= lately else Heard.ANSWERED


@dataclass
class _Agents:
    """What agents did, by (hashed) number. For any thread."""

    _seen: defaultdict[str, _Seen] = field(default_factory=lambda: defaultdict(_Seen))
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, number: str, what: str, digest: str) -> None:
        """See :data:`fleet.remote.agents.service.Noticed`."""
        with self._changed:
            self._seen[number].note(what, digest)
            self._changed.notify_all()

    def wait(self, number: str, digest: str, since: float, seconds: float) -> Heard:
        """See :class:`provision.owned.BenchServer`; it ends as soon as there is nothing more to wait for."""
        begun = time.monotonic()
        with self._changed:
            while True:
                heard = self._seen[number].heard(digest, since, begun)
                left = begun + seconds - time.monotonic()
                if heard in (Heard.TOLD, Heard.MISSIGNED) or left <= 0:
                    return heard
                self._changed.wait(min(left, _RESTS / 4))


class BenchServer:
    """A server that runs. For any thread."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._agents = _Agents()
        self._secrets = _Known(registry)
        self._blobs = Blobs(paths={})
        self._service = Service(
            registry, self._blobs, self._secrets, home=False, noticed=self._agents.note, wrong=unlimited()
        )
        self._socket = listen("127.0.0.1", 0)
        self.port: int = self._socket.getsockname()[1]
        self._server = Server(self._service, Place(self._socket))
        self._thread = threading.Thread(target=self._run, name="agents", daemon=True)
        self._ready: set[str] = set()
        self._alone = threading.Lock()

    def agent_for(self, unit: str, profile: Profile, api: int, *, enrols: bool = True) -> Agent:
        """How the unit of this key stands, for a run with ``profile`` on a device of this API; without ``enrols``
        nothing can be enrolled.

        The first time for a profile reads all its files. Raises RegistryError, OSError, and the profile must name an
        owner.
        """
        owner = profile.owner
        assert owner is not None
        mine = enrols and owner.agent == "headwind"
        if mine:
            self._prepare(profile)
            self._service.apis[unit] = api
        return standing(self._registry, unit, profile, self._on_bench(unit, profile) if mine else None)

    def _on_bench(self, unit: str, profile: Profile) -> OnBench:
        return OnBench(
            self.port,
            number=partial(self._enrol, unit, profile),
            renew=partial(self._renew, unit, profile),
            wait=partial(self._wait, unit, profile.digest),
        )

    def _prepare(self, profile: Profile) -> None:
        """What agents are told of the profile, and where the bytes are."""
        with self._alone:
            if profile.digest in self._ready:
                return
            owner = profile.owner
            assert owner is not None
            if owner.secret:
                self._secrets.loaded[owner.secret.name] = owner.secret
            self._blobs.add(files(profile))
            self._service.configurations.keep(document(profile))
            self._ready.add(profile.digest)

    def _enrol(self, unit: str, profile: Profile) -> str:
        owner = profile.owner
        assert owner is not None
        told = {"agent": owner.agent, "profile": profile.profile, "digest": profile.digest}
        with transaction(self._registry.engine) as conn:
            return records.enrol(conn, self._registry.ledger, unit, **told, server=owner.server or "")

    def _renew(self, unit: str, profile: Profile) -> None:
        assert profile.owner is not None
        told = {"profile": profile.profile, "digest": profile.digest, "server": profile.owner.server or ""}
        with transaction(self._registry.engine) as conn:
            records.renew(conn, self._registry.ledger, unit, **told)

    def _wait(self, unit: str, digest: str, since: float, seconds: float) -> Heard:
        with snapshot(self._registry.engine) as conn:
            enrolment = records.alive(conn, unit)
        return self._agents.wait(enrolment.number if enrolment else "", digest, since, seconds)

    def _run(self) -> None:
        asyncio.run(self._server.attend())

    def start(self) -> None:
        """Listen. RegistryError when it does not start."""
        self._thread.start()
        until = time.monotonic() + _STARTS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise RegistryError("The bench's server for agents does not start.", "Run again with -v.")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it; who is being answered is answered."""
        self._server.leave()
        self._thread.join(_ENDS)
        self._socket.close()


@contextmanager
def bench_server(registry: Registry) -> Iterator[BenchServer]:
    """The bench's server for agents, for as long as the block lasts. RegistryError."""
    server = BenchServer(registry)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def standing(registry: Registry, unit: str, profile: Profile, server: OnBench | None = None) -> Agent:
    """How a unit stands with its agents; without ``server`` as who only looks at it sees it. RegistryError."""
    owner = profile.owner
    assert owner is not None
    package = owner.package

    def look() -> Agent:
        with snapshot(registry.engine) as conn:
            enrolment = records.alive(conn, unit)
            mine = enrolment is not None and enrolment.agent == owner.agent
            query = select(agent_contacts).where(agent_contacts.c.number == (enrolment.number if enrolment else ""))
            row = conn.execute(query).first() if mine else None
            number = _number(conn, unit, owner.agent, given=mine, heard=row is not None)
            ours = mine or owners.last_seen(conn, unit) == package
        return Agent(
            package=package,
            enrolled=ours,
            number=number,
            synced=row is not None and row.fetched is not None and (row.told_at or "") >= row.fetched_at,
            home=row is not None and row.home_at is not None,
            fetched=(row.fetched or "") if row else "",
            server=server,
            look=look,
        )

    return look()


def _number(conn: Connection, unit: str, agent: str, *, given: bool, heard: bool) -> Number:
    if given:
        return Number.HEARD if heard else Number.GIVEN
    return Number.ENDED if records.had_one(conn, unit, agent) else Number.NONE
