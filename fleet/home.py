"""Where files live: one folder that holds what must not be in the database, and the database where no other is named.

    bench.json      who this bench is: a random id, and a name for people (edit the name as you like)
    seal.key        32 random bytes: the key of the hashes of values that a device does not show
    vault.key       32 random bytes: the key of students' names, numbers and PINs (fleet vault)
    ignore.txt      serials that are never written to, one per line, ``#`` starts a comment
    secrets.yaml    what profiles name as ``!secret``
    registry.db     the SQLite registry
    runs/           one log per run
    locks/          which process is at work on which device
    supervision/    keybag.pem: the key of all supervised iPhones and iPads (fleet supervision)
    releases/       what was built here, or came from the hub; key.pem signs, trusted.json says whose are taken
    cache/          what was unpacked of app bundles; may be deleted

Nothing is made before it is needed, and what is made is complete or not there: two programs that start at once read
the same bench id and the same key.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet import locks
from fleet.errors import HomeError, UnitBusy
from provision.text import printable

_KEY_BYTES = 32


@dataclass(frozen=True)
class Options:
    """What the command line says before the command. ``None``: the environment, else the default."""

    home: Path | None = None
    database: str | None = None
    actor: str | None = None
    verbose: int = 0

    @property
    def secrets_file(self) -> Path:
        """Where the secrets that profiles name may be kept."""
        return home_of(self).secrets_file


@dataclass(frozen=True)
class Bench:
    """``id`` names the chain of the ledger that this bench writes; ``name`` is for people."""

    id: str
    name: str


@dataclass(frozen=True)
class Home:
    """The folder. Its methods raise :class:`HomeError`."""

    path: Path

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.yaml"

    @property
    def database_file(self) -> Path:
        return self.path / "registry.db"

    def runs(self) -> Path:
        """The folder of the run logs, made if it is not there."""
        self.make()
        return _folder(self.path / "runs")

    def make(self) -> None:
        """Make the folder itself, owner only."""
        _folder(self.path)

    def bench(self) -> Bench:
        """Who this bench is; decided at the first call."""
        fresh = {"id": secrets.token_hex(8), "name": printable(socket.gethostname())}
        path = self.path / "bench.json"
        content = self.keep(path, (json.dumps(fresh) + "\n").encode())
        try:
            read = json.loads(content)
            return Bench(_word(read["id"]), _word(read["name"]))
        except (ValueError, KeyError, TypeError) as error:
            raise HomeError(
                f"{path} does not say who this bench is.", "Put back a copy of it; a new id would start a new chain."
            ) from error

    def begin_anew(self) -> None:
        """Forget the id of this bench, keep its name: what it writes next is another chain of the ledger."""
        fresh = {"id": secrets.token_hex(8), "name": self.bench().name}
        self.write(self.path / "bench.json", (json.dumps(fresh) + "\n").encode())

    def seal_key(self) -> bytes:
        """32 bytes, made at the first call, readable by the owner only, never in the database."""
        path = self.path / "seal.key"
        key = self.keep(path, secrets.token_bytes(_KEY_BYTES))
        if len(key) != _KEY_BYTES:
            raise HomeError(
                f"{path} is damaged.", "Put back a copy of it, or delete it: then hidden values are set anew."
            )
        return key

    def vault_key(self) -> bytes | None:
        """What is in the file of the vault's key; ``None`` when there is none."""
        path = self.path / "vault.key"
        with _told(path):
            return path.read_bytes() if path.exists() else None

    def keep_vault_key(self, key: bytes) -> bytes:
        """The vault's key from now on: ``key``, if there was none; whichever is there is never written over."""
        return self.keep(self.path / "vault.key", key)

    def ignored(self) -> frozenset[str]:
        """The serials that are never written to."""
        path = self.path / "ignore.txt"
        try:
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise HomeError(f"{path} cannot be read: {error.strerror}.", "Check who may read it.") from error
        return frozenset(serial for line in lines if (serial := line.partition("#")[0].strip()))

    @contextlib.contextmanager
    def hold(self, serial: str) -> Iterator[None]:
        """The device for this process alone. UnitBusy when another one holds it; released however this one ends."""
        safe = re.sub(r"[^A-Za-z0-9.-]", "_", serial)[:40]
        digest = hashlib.sha256(serial.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = self.path / "locks" / f"{safe}-{digest}.lock"
        with contextlib.ExitStack() as held:
            try:
                self.make()
                with _told(path):
                    _folder(path.parent)
                    held.enter_context(locks.hold(path))
            except locks.Held as other:
                process = f" (process {other.process})" if other.process else ""
                raise UnitBusy(
                    f"{printable(serial)} is being worked on by another fleet{process}.", "Wait until it is done."
                ) from None
            yield

    def keep(self, path: Path, fresh: bytes) -> bytes:
        """The content of ``path`` in this home; ``fresh`` if it is not there yet."""
        with _told(path):
            if not path.exists():
                self.make()
                _folder(path.parent)
                _create(path, fresh)
            return path.read_bytes()

    def write(self, path: Path, content: bytes) -> None:
        """``path`` in this home says ``content`` from now on, for its owner alone; at no moment half of it."""
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with _told(path):
            self.make()
            _folder(path.parent)
            try:
                _write(beside, content)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)


def home_of(options: Options, environment: Mapping[str, str] = os.environ) -> Home:
    """``--home``, else ``FLEET_HOME``, else where this system keeps a user's data."""
    if options.home is not None:
        return Home(options.home.expanduser().absolute())
    if named := environment.get("FLEET_HOME"):
        return Home(Path(named).expanduser().absolute())
    from platformdirs import user_data_path

    return Home(user_data_path("schoolbag", appauthor=False))


def actor_of(named: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Who does it: ``--actor``, else ``FLEET_ACTOR``, else the user of this system."""
    if name := named or environment.get("FLEET_ACTOR"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def _folder(path: Path) -> Path:
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def _create(path: Path, content: bytes) -> None:
    """Write beside it, then link: the file appears whole, and who comes second keeps the first one's."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(beside, content)
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"{path} cannot be made or read: {error.strerror}.",
            "Free some space, or name another folder with --home or FLEET_HOME.",
        ) from error
