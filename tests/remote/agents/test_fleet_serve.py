"""``fleet serve`` as people run it: TLS, several processes, restarts, what it says and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fleet.db import snapshot
from fleet.home import Home
from fleet.models import agent_contacts
from fleet.remote.releases.manifest import PROFILE
from fleet.remote.releases.store import Store
from fleet.units import Registry, open_registry
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from tests.fleets import Fleet
from tests.postgres import Postgres
from tests.remote.agents.at_home import unit
from tests.remote.agents.phones import READER, SECRET, Phone, enrol, profile


@pytest.fixture(scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a release of one profile with an owner, to be copied."""
    folder = tmp_path_factory.mktemp("built")
    fleet = Fleet(folder / "home", 1)
    profile(folder / "profile")
    assert fleet("release", "key", "init").code == 0
    done = fleet("release", "build", folder / "profile" / "small.yaml", "--note", "one")
    assert done.code == 0, done.err
    return folder / "home"


@pytest.fixture
def hub(home: Home, _built: Path) -> Fleet:
    """The hub's fleet, with the agents' secret and that release."""
    shutil.copytree(_built, home.path, symlinks=True)
    return Fleet(home.path, 1, {"FLEET_SECRET_AGENT": SECRET})


@contextmanager
def _serving(fleet: Fleet, *words: str | Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Where a ``fleet serve`` listens, and its process."""
    process = fleet.start("serve", "--port", "0", "--json", *words)
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert (line["event"], line["state"]) == ("serve", "listening")
        yield line["url"], process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _of_release(home: Home) -> Profile:
    return load(str(Store(home).tree(1) / "small" / PROFILE), Secrets({"FLEET_SECRET_AGENT": SECRET}))


def _up(phone: Phone) -> None:
    """A server says where it listens a moment before it does."""
    end = time.monotonic() + 20
    while True:
        try:
            if phone.ask("GET", "/health").status == 200:
                return
        except OSError:
            assert time.monotonic() < end
        time.sleep(0.02)


def test_it_serves_a_release_and_ends_well(hub: Fleet, home: Home) -> None:
    with open_registry(home, None, "lan") as registry:
        number = enrol(registry, unit(registry, 1), _of_release(home))
    with _serving(hub) as (url, process):
        phone = Phone(_port(url), number)
        _up(phone)
        (app,) = phone.configuration().data["applications"]
        assert phone.file(app["url"]).body == READER.read_bytes()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert json.loads(out.splitlines()[-1])["state"] == "stopped"


def test_ctrl_c_ends_it_too(hub: Fleet) -> None:
    with _serving(hub) as (url, process):
        _up(Phone(_port(url), ""))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, "Stopped.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "0.0.0.0"), "pass --cert FILE --key FILE"),
        (("--host", "agents.example.org"), "pass --cert FILE --key FILE"),
        (("--cert", "README.md"), "--cert and --key go together"),
        (("--cert", "README.md", "--key", "README.md"), "no certificate with its key"),
        (("--behind", "here"), "--behind:"),
        (("--behind", "10.0.0.0/99"), "--behind:"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_pass(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = Fleet(tmp_path / "home", 1)("serve", *words)
    assert done.code == 2
    assert said in done.err


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "home", 1)
    with _serving(fleet) as (url, _):
        done = fleet("serve", "--port", str(_port(url)))
        assert done.code == 2
        assert "Address already in use" in done.err


def test_by_tls(hub: Fleet, home: Home, tmp_path: Path) -> None:
    """A certificate signed by itself, asked by python and by curl."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *names)
    subprocess.run([*made, "-keyout", key, "-out", cert, "-days", "2"], check=True, capture_output=True)
    with open_registry(home, None, "lan") as registry:
        number = enrol(registry, unit(registry, 1), _of_release(home))
    with _serving(hub, "--host", "0.0.0.0", "--cert", cert, "--key", key) as (url, _):
        assert url.startswith("https://0.0.0.0:")
        context = ssl.create_default_context(cafile=cert)
        phone = Phone(_port(url), number)
        place = f"/rest/public/sync/configuration/{number}"
        end = time.monotonic() + 20
        while time.monotonic() < end:
            conn = HTTPSConnection("localhost", phone.port, context=context, timeout=20)
            conn.request("GET", place, headers=phone.sign(number))
            if (got := conn.getresponse()).status == 200:
                break
            conn.close()
        data = json.loads(got.read())["data"]
        conn.close()
        (app,) = data["applications"]
        file = tmp_path / "by-curl.apk"
        sign = phone.sign(app["url"].partition("/files/")[2])["X-Request-Signature"]
        where = f"https://localhost:{phone.port}/files/{app['url'].partition('/files/')[2]}"
        curl = ("curl", "-sS", "--cacert", cert, "-H", f"X-Request-Signature: {sign}", where, "-o", file)
        subprocess.run([*curl, "-r", "0-999"], check=True, timeout=30)
        subprocess.run([*curl, "-C", "-"], check=True, timeout=30)
        assert file.read_bytes() == READER.read_bytes()


def test_two_processes_on_one_database(hub: Fleet, home: Home, postgres: Postgres, registry_of_postgres: str) -> None:
    """Whichever a phone asks, it is the same; what one was told the other knows; one that dies is not missed."""
    name = postgres.create(registry_of_postgres)
    hub.env["FLEET_DATABASE_URL"] = postgres.url(name)
    with open_registry(home, postgres.url(name), "lan") as registry:
        number = enrol(registry, unit(registry, 1), _of_release(home))
        with _serving(hub) as (one, first), _serving(hub) as (two, _):
            at_one, at_two = Phone(_port(one), number), Phone(_port(two), number)
            _up(at_one)
            _up(at_two)
            data = at_one.configuration().data
            at_two.carry_out(data)
            assert at_two.info().status == 200
            assert _contact(registry).confirmed == _of_release(home).digest
            assert at_two.poll().data == []
            (app,) = data["applications"]
            assert at_two.file(app["url"], Range="bytes=0-9").status == 206
            first.kill()
            first.wait(30)
            assert at_two.configuration().status == 200
            postgres.stop()
            assert at_two.configuration().status == 503
            assert at_two.info(batteryLevel=1).status == 503
            assert at_two.ask("GET", "/health").status == 503
            postgres.start()
            assert at_two.configuration().status == 200
            assert at_two.info(batteryLevel=2).status == 200
            assert _contact(registry).battery_level == 2
    postgres.drop(name)


def test_what_it_cannot_answer_is_our_fault_not_the_phones(hub: Fleet, home: Home) -> None:
    """No secret, or no release with the profile: the phone goes on with what it has."""
    with open_registry(home, None, "lan") as registry:
        number = enrol(registry, unit(registry, 1), _of_release(home))
        other = enrol(registry, unit(registry, 2), _of_release(home).model_copy(update={"profile": "other"}))
    del hub.env["FLEET_SECRET_AGENT"]
    with _serving(hub) as (url, process):
        phone = Phone(_port(url), number)
        _up(phone)
        assert phone.configuration().status == 503
        assert Phone(_port(url), other).configuration().status == 503
        process.terminate()
        _, err = process.communicate(timeout=30)
        assert 'the secret "agent" is not known' in err
        assert "has the profile" in err


def _contact(registry: Registry) -> Any:
    with snapshot(registry.engine) as conn:
        return conn.execute(select(agent_contacts)).one()
