"""A real OpenSSH server per site, on loopback, with a home of its own behind a key that may do nothing else."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FLEET = Path(sys.executable).with_name("fleet")
_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
Subsystem sftp internal-sftp
LogLevel ERROR
"""


def keygen(path: Path) -> str:
    """A new Ed25519 key at ``path``; its public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text().strip()


def free_port() -> int:
    """A port that the system gives."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Sshd:
    """``folder`` holds keys and the site's home; ``command`` is the forced one, None for whatever is asked."""

    folder: Path
    public_key: str
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        keygen(self.folder / "host_key")
        if self.command is None:
            told = {"FLEET_HOME": str(self.home), **self.environment}
            self.command = shlex.join(
                ["env", *(f"{name}={value}" for name, value in told.items()), str(FLEET), "site", "stdio"]
            )
        options = f"command={_quoted(self.command)},restrict"
        (self.folder / "authorized_keys").write_text(f"{options} {self.public_key}\n")
        (self.folder / "sshd_config").write_text(_CONFIG.format(port=self.port, folder=self.folder))

    @property
    def home(self) -> Path:
        """FLEET_HOME of the site."""
        return self.folder / "home"

    @property
    def host_key(self) -> str:
        """The public key of the host."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    def address(self, port: int | None = None) -> str:
        """Where fleet reaches it; another port where a proxy is between."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = shutil.which("sshd", path="/usr/sbin:/sbin") or "sshd"
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-D", "-e", "-f", self.folder / "sshd_config"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError((self.folder / "sshd.log").read_text())

    def stop(self) -> None:
        """End it; contacts that are under way go on until their pipes break."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'
