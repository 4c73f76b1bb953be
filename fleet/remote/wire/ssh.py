"""A pipe to a site over OpenSSH's own client: the host is known by the key that was noted, the user by a key of ours.

Keys are ``ssh/id_ed25519`` of the home where there is one, those of an agent, then the user's own in ``~/.ssh``.
Nothing asks for a password or a passphrase, and nothing that ``~/.ssh/config`` says changes where it leads.

The client is a process of its own, so that many links are worked on by many processors, which paramiko's threads are
not; it dies with ours, as its pipe breaks. paramiko asks a host for its key.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from fleet.home import Home
from fleet.remote.errors import HostKeyChanged, RemoteError, SiteError, Unreachable
from fleet.remote.wire.address import Address, HostKey
from provision.text import printable

PATIENCE = 60.0
"""Seconds without a byte, after which the link counts as broken."""

_CONNECT = 20
_ALIVE = 15
_END = 5.0
"""Seconds that the client is given to end by itself."""

COMMAND = "fleet site stdio"
"""What is run there; a forced command of the key may put another in its place."""

_ERRORS = 4096
_NAME = "site"
"""By which the client looks for the key of the host, whatever its address."""

_OPTIONS = (
    "BatchMode=yes",
    "PreferredAuthentications=publickey",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    f"HostKeyAlias={_NAME}",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "Compression=no",
    "LogLevel=ERROR",
    f"ConnectTimeout={_CONNECT}",
    f"ServerAliveInterval={_ALIVE}",
    # Many sites are called at once: the default takes ten times the processor, for secrets that no release holds.
    "KexAlgorithms=^curve25519-sha256",
)
_RSA = "rsa-sha2-512,rsa-sha2-256"
_SHOWN = (
    "ssh-ed25519",
    *("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-512", "rsa-sha2-256"),
)
"""Which key is noted of a host that has several: the first of these."""

_OWN_FAILURE = 255
"""How the client ends when it could not connect."""


class Channel:
    """The pipe: standard input and output of what runs there."""

    def __init__(self, client: subprocess.Popen[bytes], pipe: socket.socket, address: Address) -> None:
        self._client = client
        self._pipe = pipe
        self._address = address
        self._said = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self) -> None:
        """End the client, and what it still has to say."""
        self._client.terminate()
        try:
            self._client.wait(_END)
        except subprocess.TimeoutExpired:
            self._client.kill()
            self._client.wait()
        self._listener.join(_END)
        assert self._client.stderr is not None
        self._client.stderr.close()

    def read(self, most: int) -> bytes:
        return self._pipe.recv(most)

    def write(self, data: bytes | memoryview) -> None:
        self._pipe.sendall(data)

    def complaint(self) -> str:
        """The last line of what it said on standard error; "" when nothing."""
        lines = self._lines()
        return printable(lines[-1][:200]) if lines else ""

    def failure(self) -> RemoteError | None:
        """Why the client could not connect, after the pipe broke; ``None`` when it could."""
        try:
            code = self._client.wait(_END)
        except subprocess.TimeoutExpired:
            return None
        return _meaning(self._address, self._lines()) if code == _OWN_FAILURE else None

    def _lines(self) -> list[str]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._client.wait(_END)
        self._listener.join(_END)
        return self._said.decode(errors="replace").strip().splitlines()

    def _listen(self) -> None:
        """Take away what it says, so that it is never held up by that, and keep the end."""
        assert self._client.stderr is not None
        while said := self._client.stderr.read1(_ERRORS):  # type: ignore[attr-defined]
            self._said = (self._said + said)[-_ERRORS:]


def host_key(address: Address) -> HostKey:
    """The key that the host shows now; nobody says yet that it is the right one. Raises Unreachable."""
    import paramiko

    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # what concerns people is told by us
    try:
        with socket.create_connection((address.host, address.port), _CONNECT) as link:
            link.settimeout(_CONNECT)
            client = paramiko.Transport(link)
            try:
                client.get_security_options().key_types = _SHOWN
                client.start_client(timeout=_CONNECT)
                shown = client.get_remote_server_key()
            finally:
                client.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _silent(address, getattr(error, "strerror", None) or str(error) or "it shows no key") from error
    return HostKey(shown.get_name(), shown.get_base64())


@contextlib.contextmanager
def connected(address: Address, key: HostKey, home: Home, *, patience: float = PATIENCE) -> Iterator[Channel]:
    """The other end of ``fleet site stdio`` at the site, while the client still connects: when the pipe breaks,
    :meth:`Channel.failure` tells whether it could. Raises SiteError when there is no client here."""
    program = _program("ssh")
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder, ours:
        known = Path(folder) / "known_hosts"
        known.write_text(f"{_NAME} {key}\n", encoding="ascii")
        ours.settimeout(patience)
        with theirs:
            client = subprocess.Popen(
                [program, *_words(address, key, known, home.path / "ssh" / "id_ed25519")],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
            )
        channel = Channel(client, ours, address)
        try:
            yield channel
        finally:
            ours.close()
            channel.close()


def _words(address: Address, key: HostKey, known: Path, own: Path) -> Sequence[str]:
    kinds = _RSA if key.kind == "ssh-rsa" else key.kind
    options = (*_OPTIONS, f'UserKnownHostsFile="{known}"', f"HostKeyAlgorithms={kinds}")
    found = ["-F", "none", "-T", "-e", "none", *(word for option in options for word in ("-o", option))]
    if own.exists():
        found += ["-i", str(own), *(word for path in _defaults() for word in ("-i", str(path)))]
    return [*found, "-p", str(address.port), "-l", address.user, "--", address.host, COMMAND]


def _defaults() -> Iterator[Path]:
    """The client looks for these by itself only where no other is named."""
    with contextlib.suppress(RuntimeError):
        folder = Path.home() / ".ssh"
        yield from (path for kind in ("ed25519", "ecdsa", "rsa") if (path := folder / f"id_{kind}").exists())


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SiteError(f"There is no {name} on this computer.", "Install it: sudo apt install openssh-client")
    return found


def _meaning(address: Address, said: Sequence[str]) -> RemoteError:
    """What the client's own words mean."""
    text = "\n".join(said)
    if "Host key verification failed" in text or "no matching host key type" in text:
        return _changed(address, said)
    if "Permission denied" in text or "Too many authentication failures" in text:
        return SiteError(
            f"{address.host}, port {address.port} does not let {address.user} in with any key of ours.",
            f"Put our public key there: ssh-copy-id -p {address.port} {address.user}@{address.host}. A key that has a "
            "passphrase has to be given to the agent first: ssh-add",
        )
    return _silent(address, said[-1] if said else "the connection was closed")


def _silent(address: Address, why: str) -> Unreachable:
    return Unreachable(
        f"{address.host}, port {address.port} does not answer: {printable(why)[:200].rstrip('.')}.",
        "Is it on, and its sshd?",
    )


def _changed(address: Address, said: Sequence[str]) -> HostKeyChanged:
    shown = next((word.rstrip(".") for line in said for word in line.split() if word.startswith("SHA256:")), "another")
    return HostKeyChanged(
        f"{address.host} is not the host that was noted: its key is {printable(shown)[:60]} now.",
        "Nothing was sent. Ask the people there whether the computer was set up anew; if so, note its key: "
        "fleet site add NAME ADDRESS --host-key KEY. If not, somebody else answers in its place.",
    )
