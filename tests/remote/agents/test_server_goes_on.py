"""A server goes on where a file is wrong, a secret is missing, or something takes long."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.bulk import put_rows
from fleet.db import noting
from fleet.models import agent_configs
from fleet.remote.agents.blobs import Blobs
from fleet.remote.agents.reading import Reader
from fleet.remote.agents.service import Busy, Service
from fleet.remote.agents.stamps import History
from fleet.units import Registry
from fleet.values import encoded
from profiles.errors import Problem, ProfileError
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.android.agent_document import document, files
from tests.fleet.making import SQLITE
from tests.remote.agents.at_home import begun, release, unit
from tests.remote.agents.conftest import AtHome
from tests.remote.agents.phones import SECRET, Phone, enrol, profile, serving

WRONG = ProfileError([Problem("health.yaml", 1, 1, "no such filter")])


def _with_another_secret(folder: Path) -> Profile:
    """The same app and book, for agents of another build."""
    profile(folder)
    file = folder / "small.yaml"
    file.write_text(file.read_text().replace("!secret agent", "!secret another"))
    return load(str(file), Secrets({"FLEET_SECRET_ANOTHER": "of-another-build"}))


@SQLITE
def test_a_file_that_profiles_share_needs_one_of_their_secrets(at_home: AtHome, tmp_path: Path) -> None:
    other = _with_another_secret(tmp_path / "other")
    with serving(at_home.registry, at_home.profile, other) as port:
        phone = Phone(port, at_home.phone.number)
        (app,) = phone.configuration().data["applications"]
        assert phone.file(app["url"]).status == 200
        assert Phone(port, phone.number, "of-no-build").file(app["url"]).status == 404
    with serving(at_home.registry, other, secrets={}) as port:
        assert Phone(port, phone.number).file(app["url"]).status == 503


def _run(registry: Registry, do: Callable[[Service], Awaitable[None]], *profiles: Profile) -> None:
    async def run() -> None:
        paths = {sha256: path for one in profiles for sha256, path in files(one).items()}
        service = Service(registry, Blobs(paths=paths), Secrets({"FLEET_SECRET_AGENT": SECRET}), home=True)
        try:
            await do(service)
        finally:
            await service.close()

    asyncio.run(run())


def _made_elsewhere(registry: Registry, *profiles: Profile) -> None:
    rows = [
        {"digest": one.digest, "profile": one.profile, "document": encoded(document(one)), "at": ""} for one in profiles
    ]
    with noting(registry.engine) as conn:
        put_rows(conn, agent_configs, rows)


@SQLITE
def test_only_what_some_phone_may_have_is_read_for_a_file(registry: Registry, tmp_path: Path) -> None:
    lives, gone = profile(tmp_path / "lives"), profile(tmp_path / "gone", book="Of last year.")
    enrol(registry, unit(registry, 1), lives)
    _made_elsewhere(registry, lives, gone)

    async def ask(service: Service) -> None:
        assert await service.naming("0" * 64) == frozenset()
        assert service.configurations.known(gone.digest) is None
        for sha256 in files(lives):
            assert await service.naming(sha256) == {"agent"}

    _run(registry, ask)


async def _until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not look():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@SQLITE
def test_a_wrong_file_ends_no_judging_and_no_looking(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fails(name: str) -> Callable[..., Any]:
        def fail(*_: object) -> Any:
            asked.append(name)
            raise WRONG

        return fail

    monkeypatch.setattr("fleet.remote.agents.service._JUDGED", 0.01)
    monkeypatch.setattr("fleet.remote.agents.service.judge", fails("judge"))
    monkeypatch.setattr(Reader, "counted_orders", fails("look"))

    async def watch(service: Service) -> None:
        judging = asyncio.create_task(service.judge())
        with service.waiting.poll("a number"):
            await _until(lambda: asked.count("judge") > 1 and asked.count("look") > 1)
        judging.cancel()

    _run(registry, watch)


@SQLITE
def test_what_stands_is_kept_while_it_cannot_be_read(at_home: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    release(at_home.registry, 1, {"small": "one"})
    begun(at_home.registry, 1, {"small": "one"})
    reader = Reader(at_home.registry, home=True)
    before = reader.standing()
    assert len(before.pushes.pushes) == 1

    def fail(*_: object) -> Any:
        raise WRONG

    monkeypatch.setattr("fleet.remote.agents.wanted.read", fail)
    time.sleep(0.15)
    after = reader.standing()
    assert after.until > before.until
    assert after.pushes == before.pushes
    with pytest.raises(ProfileError):
        Reader(at_home.registry, home=True).standing()


@SQLITE
def test_nobody_waits_without_end_for_what_is_being_made(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.remote.agents.service._TO_MAKE", 0.2)
    wanted = profile(tmp_path)
    number = enrol(registry, unit(registry, 1), wanted)
    done = threading.Event()

    async def ask(service: Service) -> None:
        service.configurations.keep(document(wanted))
        made = await service.document(wanted.digest)
        known = await service.known(number)
        assert known is not None
        long_one = asyncio.create_task(service.desk.make(done.wait, 30))
        await asyncio.sleep(0.05)
        many = [service.asking(known, made, host="x") for _ in range(20)]
        began = time.monotonic()
        assert {type(one) for one in await asyncio.gather(*many, return_exceptions=True)} == {Busy}
        assert time.monotonic() - began < 5
        done.set()
        await long_one
        assert (await service.asking(known, made, host="x")).changed == {}
        assert service.stamps.known(known.history) == {}

    try:
        _run(registry, ask, wanted)
    finally:
        done.set()


@SQLITE
def test_what_was_made_without_a_document_is_made_again(registry: Registry) -> None:
    async def ask(service: Service) -> None:
        history = History("in no release", "small", 0, 0)
        assert service.stamps.of(history, ()) == {}
        assert service.stamps.known(history) is None

    _run(registry, ask)
