"""A registry with many enrolments of one profile, and the requests that their agents would make."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert

from bench.far.server import server
from fleet.db import transaction
from fleet.home import Home
from fleet.models import agent_contacts, agents, units
from fleet.remote.agents.configurations import Configurations
from fleet.remote.agents.records import hashed
from fleet.units import Registry, open_registry
from fleet.values import canonical
from profiles.load import load
from profiles.secrets import Secrets
from provision.agents.headwind import CONFIGURATION, signature
from provision.android.agent_document import document
from provision.progress import now

SECRET = "of-the-build"
_APP = Path(__file__).parents[2] / "examples" / "apps" / "schoolbag-reader-1.apk"
_PROFILE = """profile: many
apps: [{{id: reader, android: {{package: org.schoolbag.sample.reader, file: {app}}}}}]
content: [{{id: books, from: books, to: Learning}}]
restrictions: {{install_apps: deny, uninstall_apps: deny, factory_reset: deny}}
owner: {{agent: headwind, file: {app}, secret: !secret agent, server: "https://agents.example.org"}}
"""
_FILES = 30


@contextmanager
def database(kind: str, home: Home) -> Iterator[str]:
    """The address of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{home.database_file}"
        return
    with server() as postgres:
        yield postgres.url(postgres.create())


@contextmanager
def filled(home: Home, address: str, phones: int, *, known: bool) -> Iterator[tuple[Registry, list[str]]]:
    """A registry with so many phones, and their numbers. ``known``: they asked just now, so that nothing is new."""
    with open_registry(home, address, "bench") as registry:
        folder = home.path / "profile"
        (folder / "books").mkdir(parents=True, exist_ok=True)
        for book in range(_FILES):
            (folder / "books" / f"{book}.txt").write_text(f"Book {book}.")
        (folder / "many.yaml").write_text(_PROFILE.format(app=_APP))
        profile = load(str(folder / "many.yaml"), Secrets({"FLEET_SECRET_AGENT": SECRET}))
        Configurations(registry).keep(document(profile))
        numbers = [secrets.token_hex(16) for _ in range(phones)]
        _fill(registry, numbers, profile.digest, known=known)
        yield registry, numbers


def _fill(registry: Registry, numbers: list[str], digest: str, *, known: bool) -> None:
    at = now()
    unit = {
        "platform": "android",
        "state": "with_student",
        "origin": "batch",
        "maker": "samsung",
        "model": "SM-A105F",
        "version": "13",
        "imei": "",
        "first_seen": at,
        "last_seen": at,
        "facts": canonical({"api": 33}),
    }
    enrolment = {
        "agent": "headwind",
        "profile": "many",
        "digest": digest,
        "server": "",
        "at": at,
        "actor": "",
        "why": "",
    }
    ago = "2025-01-01T00:00:00.000Z"
    contact = {"seen_at": at if known else ago, "home_at": at if known else ago, "fetched": digest, "fetched_at": at}
    rest = {"confirmed": digest, "missing": "[]", "drift": "[]", "told_at": at, "owner": True, "battery_level": 70}
    keys = [f"android:SN{number}" for number in range(len(numbers))]
    with transaction(registry.engine) as conn:
        conn.execute(insert(units), [{**unit, "key": key, "serial": key} for key in keys])
        pairs = [{"unit": key, "number": hashed(number)} for key, number in zip(keys, numbers, strict=True)]
        conn.execute(insert(agents), [{**enrolment, **pair} for pair in pairs])
        conn.execute(insert(agent_contacts), [{**contact, **rest, **pair} for pair in pairs])


def requests(numbers: list[str]) -> list[bytes]:
    """What the agents send, each from an address of its own, through a balancer."""
    return [
        (
            f"GET /{CONFIGURATION}/{number} HTTP/1.1\r\nHost: agents.example.org\r\n"
            f"X-Request-Signature: {signature(SECRET, number)}\r\nX-CPU-Arch: arm64-v8a\r\n"
            f"X-Forwarded-For: 10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}\r\n\r\n"
        ).encode()
        for place, number in enumerate(numbers)
    ]
