"""A pipe to a site over SSH (paramiko): the host is known by the key that was noted, the user by a key of ours.

Keys are those of an agent, then ``ssh/id_ed25519`` of the home where there is one, then the user's own in ``~/.ssh``.
Nothing asks for a password or a passphrase.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

import paramiko
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    PasswordRequiredException,
    SSHException,
)

from fleet.home import Home
from fleet.remote.errors import HostKeyChanged, SiteError, Unreachable
from fleet.remote.wire.address import Address, HostKey
from provision.text import printable

PATIENCE = 60.0
"""Seconds without a byte, after which the link counts as broken."""

_CONNECT = 20.0
_ALIVE = 15
COMMAND = "fleet site stdio"
"""What is run there; a forced command of the key may put another in its place."""

_ERRORS = 4096

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class Channel:
    """The pipe: standard input and output of what runs there."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def read(self, most: int) -> bytes:
        return self._channel.recv(most)

    def write(self, data: bytes) -> None:
        self._channel.sendall(data)

    def complaint(self) -> str:
        """The last line of what it said on standard error so far; "" when nothing."""
        said = b""
        while self._channel.recv_stderr_ready() and len(said) < _ERRORS:
            said += self._channel.recv_stderr(_ERRORS)
        lines = said.decode(errors="replace").strip().splitlines()
        return printable(lines[-1][:200]) if lines else ""


def host_key(address: Address) -> HostKey:
    """The key that the host shows now; nobody says yet that it is the right one. Raises Unreachable."""
    with _told(address), socket.create_connection((address.host, address.port), _CONNECT) as sock:
        transport = paramiko.Transport(sock)
        try:
            transport.start_client(timeout=_CONNECT)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    return HostKey(key.get_name(), key.get_base64())


@contextlib.contextmanager
def connected(address: Address, key: HostKey, home: Home, *, patience: float = PATIENCE) -> Iterator[Channel]:
    """The other end of ``fleet site stdio`` at the site. Raises HostKeyChanged, Unreachable, and SiteError for keys."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    name = address.host if address.port == 22 else f"[{address.host}]:{address.port}"
    known = paramiko.PKey.from_type_string(key.kind, key.content)
    client.get_host_keys().add(name, key.kind, known)
    own = home.path / "ssh" / "id_ed25519"
    with contextlib.closing(client):
        with _told(address):
            client.connect(
                address.host,
                address.port,
                address.user,
                key_filename=str(own) if own.exists() else None,
                timeout=_CONNECT,
                banner_timeout=_CONNECT,
                auth_timeout=_CONNECT,
            )
            transport = client.get_transport()
            assert transport is not None, "a client that is connected has one"
            transport.set_keepalive(_ALIVE)
            channel = transport.open_session(timeout=_CONNECT)
            channel.settimeout(patience)
            channel.exec_command(COMMAND)
        yield Channel(channel)


@contextlib.contextmanager
def _told(address: Address) -> Iterator[None]:
    where = f"{address.host}, port {address.port}"
    try:
        yield
    except BadHostKeyException as error:
        found = HostKey(error.key.get_name(), error.key.get_base64())
        raise _changed(address, found.fingerprint) from error
    except PasswordRequiredException as error:
        raise SiteError("The key for SSH has a passphrase.", "Give it to the agent first: ssh-add") from error
    except AuthenticationException as error:
        raise SiteError(
            f"{where} does not let {address.user} in with any key of ours.",
            f"Put our public key there: ssh-copy-id -p {address.port} {address.user}@{address.host}",
        ) from error
    except NoValidConnectionsError as error:
        raise Unreachable(f"{where} does not answer.", "Is it on, and its sshd? It is tried again.") from error
    except (SSHException, OSError, EOFError) as error:
        if "not found in known_hosts" in str(error):
            raise _changed(address, "of another type") from error
        raise Unreachable(
            f"{where} does not answer: {printable(str(error))[:200] or 'the connection was closed'}.",
            "Is it on, and its sshd? It is tried again.",
        ) from error


def _changed(address: Address, shown: str) -> HostKeyChanged:
    return HostKeyChanged(
        f"{address.host} is not the host that was noted: its key is {shown} now.",
        "Nothing was sent. Ask the people there whether the computer was set up anew; if so, note its key: "
        "fleet site add NAME ADDRESS --host-key KEY. If not, somebody else answers in its place.",
    )
