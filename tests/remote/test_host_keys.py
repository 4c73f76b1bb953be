"""Which host is spoken to: its key is shown, compared, and noted; what answers in its place is told in one line."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.fleets import Fleet
from tests.remote.conftest import SiteMaker


def test_a_key_is_shown_and_noted_when_somebody_says_that_it_is_right(hub: Fleet, site: SiteMaker) -> None:
    one = site("one", add=False)
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", one.folder / "host_key.pub"], capture_output=True, text=True, check=True
    )
    fingerprint = listed.stdout.split()[1]
    asked = hub("site", "add", "one", one.address())
    assert (asked.code, fingerprint in asked.err) == (2, True), asked.err
    assert f"--host-key {fingerprint}" in " ".join(asked.err.split())
    other = hub("site", "add", "one", one.address(), "--host-key", "SHA256:" + "A" * 43)
    assert (other.code, "shows another key" in other.err) == (1, True), other.err
    assert hub("site", "list", "--json").lines[-1]["sites"] == []
    added = hub("site", "add", "one", one.address(), "--host-key", fingerprint, "--json")
    assert (added.code, added.lines[-1]["host_key"]) == (0, one.host_key), added.err


@pytest.fixture(params=[b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n" + b"\xff" * 5000, b"A" * 100_000])
def stranger(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of something that is no SSH server."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        link, _ = server.accept()
        with link:
            link.sendall(request.param)

    thread = threading.Thread(target=answer)
    thread.start()
    yield server.getsockname()[1]
    thread.join(10)
    server.close()


def test_what_is_no_ssh_server_is_told_in_one_line(hub: Fleet, stranger: int) -> None:
    done = hub("site", "add", "one", f"ssh://fleet@127.0.0.1:{stranger}")
    assert done.code == 1
    assert "does not answer" in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) <= 2
