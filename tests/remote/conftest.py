"""A hub, and sites behind real OpenSSH servers, each with a home of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.fleets import Fleet
from tests.sshd import Sshd, keygen

SiteMaker = Callable[..., Sshd]


@pytest.fixture
def hub(tmp_path: Path) -> Fleet:
    """``fleet`` at the hub, with a key of its own for SSH and one for releases."""
    home = tmp_path / "hub"
    (home / "ssh").mkdir(parents=True, mode=0o700)
    keygen(home / "ssh" / "id_ed25519")
    found = Fleet(home, adb_port=1, timeout=180)
    assert found("release", "key", "init").code == 0
    return found


@pytest.fixture
def site(hub: Fleet, tmp_path: Path) -> Iterator[SiteMaker]:
    """``site("one")`` starts a site and adds it to the hub; ``add=False`` leaves that out."""
    started: list[Sshd] = []

    def start(name: str, environment: Mapping[str, str] | None = None, *, add: bool = True) -> Sshd:
        public = (hub.home / "ssh" / "id_ed25519.pub").read_text().strip()
        server = Sshd(tmp_path / name, public, environment or {})
        started.append(server)
        server.start()
        if add:
            done = hub("site", "add", name, server.address(), "--host-key", server.host_key)
            assert done.code == 0, done.err
        return server

    yield start
    for server in started:
        server.stop()
