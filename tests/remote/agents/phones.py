"""An agent's side of the wire, by the standard library alone, and servers for it to ask."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from fleet.db import transaction
from fleet.remote.agents import records
from fleet.remote.agents.blobs import Blobs
from fleet.remote.agents.front import networks
from fleet.remote.agents.server import Place, Server, listen
from fleet.remote.agents.service import Service
from fleet.units import Registry
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.android.agent_document import document, files
from tests.fleets import ROOT

SECRET = "of-the-build-7f3a"
READER = ROOT / "examples" / "apps" / "schoolbag-reader-1.apk"
AGENT = ROOT / "examples" / "apps" / "schoolbag-recorder.apk"
"""In the place of the real one: what is in it does not matter here."""

_PROFILE = """
profile: {name}
apps:
  - {{id: reader, android: {{package: org.schoolbag.sample.reader, file: {app}}}}}
content: [{{id: book, from: book.txt, to: Learning}}]
restrictions: {{install_apps: deny{rules}}}
identity: {{time_zone: Asia/Ho_Chi_Minh}}
owner: {{agent: headwind, file: {agent}, secret: !secret agent, server: "http://localhost:9"}}
"""


def profile(folder: Path, name: str = "small", book: str = "Once upon a time.", *, rules: str = "") -> Profile:
    """A profile with one app, one file and an owner; ``rules`` are more of its restrictions."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "book.txt").write_text(book)
    path = folder / f"{name}.yaml"
    path.write_text(_PROFILE.format(name=name, app=READER, agent=AGENT, rules=rules and f", {rules}"))
    return load(str(path), Secrets({"FLEET_SECRET_AGENT": SECRET}))


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        assert self.status == 200, self
        assert self.json["status"] == "OK"
        return self.json["data"]


@dataclass
class Phone:
    """A phone with this number, and what it would report."""

    port: int
    number: str
    secret: str = SECRET
    said: dict[str, Any] = field(default_factory=dict)
    host: str = "127.0.0.1"

    def sign(self, text: str) -> dict[str, str]:
        return {"X-Request-Signature": hashlib.sha1((self.secret + text).encode()).hexdigest().upper()}

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        conn = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            conn.request(method, path, body, dict(headers or {}))
            got = conn.getresponse()
            return Answer(got.status, got.read(), {name.lower(): value for name, value in got.getheaders()})
        finally:
            conn.close()

    def configuration(self, method: str = "GET", project: str = "", **headers: str) -> Answer:
        path = f"{project}/rest/public/sync/configuration/{self.number}"
        body = b'{"customer":"","configuration":"","groups":[]}' if method == "POST" else None
        return self.ask(method, path, body, {**self.sign(self.number), **headers})

    def info(self, **changes: Any) -> Answer:
        said = {"deviceId": self.number, "mdmMode": True, "batteryLevel": 71, "permissions": [1, 1, 1], **self.said}
        return self.ask("POST", "/rest/public/sync/info", json.dumps({**said, **changes}).encode())

    def poll(self, *, long: bool = False, project: str = "") -> Answer:
        path = f"{project}/rest/notification{'/polling' if long else 's/device'}/{self.number}"
        return self.ask("GET", path, headers=self.sign(path.removeprefix("/") if project else path))

    def file(self, url: str, method: str = "GET", **headers: str) -> Answer:
        place = url.partition("/files/")[2]
        path = urlsplit(url).path
        return self.ask(method, path, headers={**self.sign(place), **headers})

    def carry_out(self, data: Mapping[str, Any]) -> None:
        """Report from now on that all of a configuration is there."""
        self.said["applications"] = [
            {"pkg": app["pkg"], "name": app["name"], "version": app["version"]}
            for app in data["applications"]
            if not app["remove"]
        ]
        self.said["files"] = [{"path": one["path"], "checksum": one["checksum"]} for one in data["files"]]


def enrol(registry: Registry, unit: str, wanted: Profile, server: str = "http://localhost:9") -> str:
    """The number of a new enrolment."""
    told = {"agent": "headwind", "profile": wanted.profile, "digest": wanted.digest, "server": server}
    with transaction(registry.engine) as conn:
        return records.enrol(conn, registry.ledger, unit, **told)


@contextmanager
def serving(
    registry: Registry,
    *profiles: Profile,
    documents: Sequence[Mapping[str, Any]] = (),
    behind: tuple[str, ...] = (),
    secrets: Mapping[str, str] = MappingProxyType({"FLEET_SECRET_AGENT": SECRET}),
) -> Iterator[int]:
    """The port of a server for phones at home that has these profiles with their files, and documents without."""
    paths = {sha256: path for one in profiles for sha256, path in files(one).items()}
    service = Service(registry, Blobs(paths=paths), Secrets(secrets), home=True)
    for one in profiles:
        service.configurations.keep(document(one))
    for made in documents:
        service.configurations.keep(made)
    place = Place(listen("127.0.0.1", 0), behind=networks(behind))
    server = Server(service, place)
    thread = threading.Thread(target=lambda: asyncio.run(server.attend()), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield place.socket.getsockname()[1]
    finally:
        server.leave()
        thread.join(20)
        place.socket.close()
        assert not thread.is_alive()
