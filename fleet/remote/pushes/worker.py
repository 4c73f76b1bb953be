"""A worker: visits sites of every push that is running, beside other workers on this and other computers.

The queue says whom to visit now (:mod:`.jobs`). Every few seconds one of the workers, whichever takes that job, judges
the pushes and queues what is due. A worker that dies is missed after some seconds: what it had taken is queued again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Any

from procrastinate import App, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker as Consumer

from fleet.buglog import as_error
from fleet.db import shown, snapshot, transaction
from fleet.errors import RegistryError
from fleet.remote.errors import PushError, ReleaseError
from fleet.remote.pushes import jobs, work
from fleet.remote.pushes.holding import Hold, holding
from fleet.remote.pushes.judging import judge
from fleet.remote.pushes.serving import Reach, Serving, serving
from fleet.remote.releases import keys
from fleet.remote.releases.store import Store
from fleet.remote.sites.visit import visiting
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import stamp
from fleet.units import Registry

AT_ONCE = 24
WAITING = 500
"""Most visits that wait in the queue: the rest stays where a pause or an end of the push is seen at once."""

_OFTEN = "* * * * * */3"
"""Seconds come last."""
_LOOK = 3.0
_GRACE = 30.0
"""Seconds in which visits under way may end after a worker was told to; it leaves those at rest that do not."""

_MENDED = 30.0
"""Seconds until a release that was not whole is looked at again: it may have been on its way here."""

_AGAIN = 5.0

Tell = Callable[[dict[str, Any]], None]
"""Called with what happened: ``push``, ``site``, ``state`` and more of a visit, or ``state`` of the worker itself, or
``error`` and ``next_action`` of what stands in its way. From any thread."""


@dataclass
class Worker:
    """``at_once``: how many sites it visits at one time; ``reach``: how."""

    registry: Registry
    tell: Tell
    at_once: int = AT_ONCE
    reach: Reach = visiting
    _hold: Hold | None = None
    _servings: dict[str, Serving] = field(default_factory=dict)
    _unfit: dict[int, float] = field(default_factory=dict)
    _told: set[tuple[str, int]] = field(default_factory=set)
    _alone: Lock = field(default_factory=Lock)
    _leaving: Event = field(default_factory=Event)
    _away: bool = False
    _signal: int = 0
    _consumer: Consumer | None = None

    def run(self) -> int:
        """Work until SIGTERM or Ctrl-C; which it was. Raises PushError on SQLite, ReleaseError without a hub's key.

        A database that goes away is waited for.
        """
        if self.registry.engine.dialect.name != "postgresql":
            raise PushError(
                "Workers need PostgreSQL (fleet --database postgresql://…).",
                "On one computer nothing else is needed: fleet push RELEASE --wait",
            )
        keys.of_hub(self.registry.home)
        for name in ("procrastinate", "psycopg"):  # what concerns people is told by us
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False
        jobs.make(self.registry.engine)
        with holding(self.registry) as self._hold, ThreadPoolExecutor(self.at_once + 2) as self._pool:
            asyncio.run(self._work())
        return self._signal

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, number)
        while not self._leaving.is_set():
            try:
                await self._serve()
            except (ConnectorException, RegistryError):
                self._lost()
                until = time.monotonic() + _AGAIN
                while time.monotonic() < until and not self._leaving.is_set():
                    await asyncio.sleep(0.5)

    async def _serve(self) -> None:
        """Take jobs until told to leave; ConnectorException when the database goes away."""
        queue = jobs.app(self.registry.engine.url)
        self._tasks(queue)
        async with queue.open_async():
            self._consumer = consumer = Consumer(
                queue,
                queues=self._queues(),
                name=self.registry.ledger.bench.name,
                concurrency=self.at_once,
                fetch_job_polling_interval=1.0,
                listen_notify=False,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=jobs.HEARTBEAT,
                stalled_worker_timeout=jobs.SILENT,
            )
            self.tell({"state": "started", "at_once": self.at_once, "releases": self._releases()})
            looking = asyncio.create_task(self._look_around(queue, consumer))
            try:
                await consumer.run()  # type: ignore[no-untyped-call]
            finally:
                looking.cancel()
                with suppress(asyncio.CancelledError):
                    await looking

    def _tasks(self, queue: App) -> None:
        again = RetryStrategy(linear_wait=5)

        @queue.task(name=jobs.VISIT, retry=again)
        async def visit(push: str, site: str) -> None:
            await self._aside(self._visit, push, site)

        @queue.periodic(cron=_OFTEN)
        @queue.task(name=jobs.JUDGE, queue=jobs.JUDGE, lock=jobs.JUDGE, queueing_lock=jobs.JUDGE, priority=1)
        async def judges(timestamp: int) -> None:  # noqa: ARG001
            try:
                await self._judge(queue)
            except Exception as error:
                told = as_error(error)
                self.tell({"error": told.what, "next_action": told.next_action})
                raise

    async def _aside(self, do: Callable[..., Any], *words: Any) -> Any:
        """In a thread: the loop has to go on, else this worker is taken for dead."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, do, *words)

    def _leave(self, number: int) -> None:
        """Take nothing more; what can be left is left, what is nearly done ends."""
        if self._leaving.is_set():
            return
        self._signal = number
        self._leaving.set()
        self.tell({"state": "leaving"})
        if self._consumer is not None:
            self._consumer.stop()  # type: ignore[no-untyped-call]
        asyncio.get_running_loop().call_later(_GRACE, self._drop)

    def _drop(self) -> None:
        """End where a site keeps silent: to the others this is a worker that died, and they lose nothing by that."""
        self.tell({"state": "stopped"})
        os._exit(0 if self._signal == signal.SIGTERM else 130)

    # What is done in threads.

    def _visit(self, name: str, site: str) -> None:
        try:
            one = self._serving(name)
            if one is not None:
                one.visit(site)
        except ReleaseError as error:
            self.tell({"push": name, "error": error.what, "next_action": error.next_action})
            raise
        except Exception as error:
            told = as_error(error)
            self.tell({"push": name, "site": site, "error": told.what, "next_action": told.next_action})
            raise

    def _serving(self, name: str) -> Serving | None:
        """``None`` when the push is over; ReleaseError when this home cannot serve it: others may."""
        with self._alone:
            if name in self._servings:
                return self._servings[name]
            with snapshot(self.registry.engine) as conn:
                push = kept.one_of(conn, name)
            if push.state is not State.RUNNING:
                return None
            assert self._hold is not None, "a worker that runs holds sites"

            def emit(site: str, state: work.State, fields: dict[str, Any]) -> None:
                self.tell({"push": name, "site": site, "state": state, **fields})

            try:
                made = serving(self.registry, push, emit, self._hold)
            except ReleaseError:
                self._unfit[push.release] = time.monotonic() + _MENDED
                raise
            self._servings[name] = replace(made, reach=self.reach, leaving=self._leaving.is_set)
            return self._servings[name]

    async def _judge(self, queue: App) -> None:
        """Queue what is due. Whoever is in the queue already, or is being visited, is in no need of it."""
        taken = {job.lock: job.status for job in await queue.job_manager.list_jobs_async(task=jobs.VISIT)}
        room = WAITING - sum(status == Status.TODO.value for status in taken.values())
        for push, due in await self._aside(self._due, room + len(taken)):
            fresh = [site for site in due if f"site {site}" not in taken][: max(room, 0)]
            room -= await jobs.add(queue, push.name, push.release, fresh)

    def _due(self, most: int) -> list[tuple[Push, list[str]]]:
        found = []
        with snapshot(self.registry.engine) as conn:
            running = [one for one in kept.active(conn, Via.SITE) if one.state is State.RUNNING]
        for push in running:
            now = datetime.now(UTC)
            open_ = judge(self.registry, push.name)
            if open_.over:
                continue
            with snapshot(self.registry.engine) as conn:
                if kept.one_of(conn, push.name).state is State.RUNNING:
                    found.append((push, work.due(conn, push.name, open_.wave, now, most)))
        return found

    # What every worker does for itself.

    async def _look_around(self, queue: App, consumer: Consumer) -> None:
        """Queue again what workers had taken that are dead; see which releases have come here."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=jobs.SILENT):
                    await _put_back(queue, job)
                await queue.job_manager.prune_stalled_workers(jobs.SILENT)
                consumer.queues = await self._aside(self._queues)
                await self._aside(self._miss)
            except (ConnectorException, RegistryError):
                self._lost()
            else:
                self._found()

    def _lost(self) -> None:
        """Say once that the database cannot be reached."""
        if not self._away:
            self._away = True
            where = shown(self.registry.engine.url)
            self.tell({"error": f"The registry {where} cannot be reached.", "next_action": "It is waited for."})

    def _found(self) -> None:
        if self._away:
            self._away = False
            self.tell({"state": "back"})

    def _queues(self) -> Sequence[str]:
        return [jobs.JUDGE, *map(jobs.queue_of, self._releases())]

    def _releases(self) -> list[int]:
        now = time.monotonic()
        return [number for number in Store(self.registry.home).numbers() if self._unfit.get(number, 0.0) < now]

    def _miss(self) -> None:
        """Say once which release is not here, and lay out what was lost of a push."""
        here = set(self._releases())
        with snapshot(self.registry.engine) as conn:
            running = [one for one in kept.active(conn, Via.SITE) if one.state is State.RUNNING]
        for push in running:
            if (push.name, push.release) not in self._told:
                self._told.add((push.name, push.release))
                with transaction(self.registry.engine) as conn:
                    work.lay_out_lost(conn, push.name, stamp(datetime.now(UTC)))
                if push.release not in here:
                    self.tell(_missing(push))
        names = {push.name for push in running}
        with self._alone:
            self._servings = {name: one for name, one in self._servings.items() if name in names}


def _missing(push: Push) -> dict[str, Any]:
    return {
        "push": push.name,
        "error": f"Release {push.release} is not in this home: its visits are left to other workers.",
        "next_action": "Copy the folder releases of the hub's home here, without key.pem (docs/sites.md).",
    }


async def _put_back(queue: App, job: Job) -> None:
    """A job that nobody does any more; another worker may have done this just now."""
    with suppress(ConnectorException):
        await queue.job_manager.retry_job(job)
        return
    with suppress(ConnectorException):
        await queue.job_manager.finish_job(job, Status.FAILED, delete_job=True)
