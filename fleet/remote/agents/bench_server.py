"""The bench's own server for agents: on this computer alone, for phones on its cables (``adb reverse``), without any
internet and without a release. Its contacts are none with the server at home."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import select

from fleet import owners
from fleet.db import snapshot, transaction
from fleet.errors import RegistryError
from fleet.models import agent_contacts
from fleet.remote.agents import records
from fleet.remote.agents.blobs import Blobs
from fleet.remote.agents.server import Place, Server, listen
from fleet.remote.agents.service import Service
from fleet.units import Registry
from profiles.schema import Profile
from profiles.secrets import Secret, Secrets
from provision.android.agent_document import document, files
from provision.owned import Agent
from provision.owned import BenchServer as OnBench

_STARTS = 20.0
_ENDS = 15.0


class _Known(Secrets):
    """The secrets of the profiles that were loaded, then those of this home."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(os.environ, registry.home.secrets_file)
        self.loaded: dict[str, Secret] = {}

    def get(self, name: str) -> Secret:
        return self.loaded.get(name) or super().get(name)


@dataclass
class _Heard:
    """When agents were answered and when they reported (monotonic seconds), by (hashed) number. For any thread."""

    _at: dict[tuple[str, str], float] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, number: str, what: str) -> None:
        """It was answered, or has told."""
        with self._changed:
            self._at[number, what] = time.monotonic()
            self._changed.notify_all()

    def wait(self, number: str, since: float, seconds: float) -> bool:
        """Whether both happened after ``since``; waits for this time."""

        def both() -> bool:
            return all(self._at.get((number, what), 0.0) >= since for what in ("answered", "told"))

        with self._changed:
            return self._changed.wait_for(both, seconds)


class BenchServer:
    """A server that runs. For any thread."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._heard = _Heard()
        self._secrets = _Known(registry)
        self._blobs = Blobs(paths={})
        self._service = Service(registry, self._blobs, self._secrets, home=False, noticed=self._heard.note)
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
        server = OnBench(self.port, lambda: self._enrol(unit, profile), partial(self._wait, unit)) if mine else None
        return standing(self._registry, unit, profile, server)

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

    def _wait(self, unit: str, since: float, seconds: float) -> bool:
        with snapshot(self._registry.engine) as conn:
            enrolment = records.alive(conn, unit)
        return enrolment is not None and self._heard.wait(enrolment.number, since, seconds)

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
            ours = mine or owners.last_seen(conn, unit) == package
        return Agent(
            package=package,
            enrolled=ours,
            synced=row is not None and row.fetched is not None,
            home=row is not None and row.home_at is not None,
            fetched=(row.fetched or "") if row else "",
            server=server,
            look=look,
        )

    return look()
