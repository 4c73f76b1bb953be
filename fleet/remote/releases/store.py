"""Where releases lie, at the hub and at a site alike: contents by their hash, and a tree per release that names them.

    releases/blobs/ab/abcd…        a content, by its SHA-256; links of the trees point here, so it is never written to
    releases/blobs/.abcd….part     what has come of one so far
    releases/blobs/.new….unsettled what came since may not be on the disk yet
    releases/7/manifest.json, .sig, and the places that the manifest names
    releases/current -> 7          the release in force

What has a name is complete and was hashed: everything is written under another name and renamed. Cut off at any moment,
nothing is lost but what had not come yet. Nobody waits for the disk while contents come: that is done when all is in
force (:meth:`Store.settle`), and until then a mark says that they are to be hashed again, should the power fail.
Raises ReleaseError for what is not as it should be, and for a full disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet.home import Home
from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import File, Manifest, parse
from provision.text import printable

_CHUNK = 2**20
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
_UNSETTLED = ".unsettled"


@dataclass(frozen=True)
class Signed:
    """A manifest as it travels: the bytes, and the signature of the hub."""

    content: bytes
    signature: bytes

    @property
    def manifest(self) -> Manifest:
        """What the bytes say. ReleaseError when they are none."""
        return parse(self.content)


@dataclass(frozen=True)
class Hashed:
    """A file that is being written, and the hash of what is in it so far."""

    file: IO[bytes]
    hash: hashlib._Hash

    def write(self, data: bytes) -> None:
        """More of it."""
        self.hash.update(data)
        self.file.write(data)


class Store:
    """The folder ``releases`` of a home."""

    def __init__(self, home: Home) -> None:
        self.path = home.path / "releases"
        self._blobs = self.path / "blobs"
        self._mark = self._blobs / f".new.{secrets.token_hex(4)}{_UNSETTLED}"
        self._home = home

    # contents

    def blob(self, sha256: str) -> Path:
        """Where the content of this hash is, or would be."""
        return self._blobs / sha256[:2] / sha256

    def add(self, path: Path) -> File:
        """A copy of this file, by its hash."""
        with self._told(), path.open("rb") as source, self._beside(self._blobs / f".{secrets.token_hex(8)}.new") as new:
            whole = hashlib.sha256()
            size = 0
            with new.open("xb") as target:
                while chunk := source.read(_CHUNK):
                    whole.update(chunk)
                    size += target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            self._place(new, whole.hexdigest())
        return File(whole.hexdigest(), size)

    def missing(self, manifest: Manifest) -> dict[str, int]:
        """How much has come of each content that is not here yet, in bytes by hash."""
        found = {}
        for sha256, size in manifest.blobs.items():
            if not _has_size(self.blob(sha256), size):
                part = self._part(sha256)
                found[sha256] = min(part.stat().st_size, size) if part.exists() else 0
        return found

    def check_blob(self, sha256: str) -> None:
        """Hash a content that is here. ReleaseError when it is not what it was; then it is here no more."""
        path = self.blob(sha256)
        with self._told(), path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            path.unlink(missing_ok=True)
            raise ReleaseError(
                f"A content that was here already was changed: {sha256[:12]}….",
                "It was thrown away; the next contact sends it again. Look at the disk of that computer.",
            )

    @contextlib.contextmanager
    def receiving(self, file: File, offset: int) -> Iterator[Hashed]:
        """The content of this hash goes on at ``offset``, where the last time ended.

        Left whole, it is checked and kept; cut off, what came stays for the next time. What is written is hashed as it
        comes: reading it all again would take as long as writing it.
        """
        part = self._part(file.sha256)
        with self._told():
            self._home.make()
            self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as target:
                target.seek(0, os.SEEK_END)
                if offset > target.tell():
                    raise ReleaseError("A part of the content is missing.", "The next contact sends it from there.")
                target.truncate(offset)
                target.seek(0)
                whole = Hashed(target, hashlib.file_digest(target, "sha256"))
                yield whole
            self._mark.touch(mode=0o600)
            self._take(part, file, whole.hash.hexdigest())

    def settle(self, came: Iterable[str]) -> None:
        """Wait until these contents, which this store has received, and all their names are on the disk."""
        with self._told():
            self._to_disk(came)
            self._mark.unlink(missing_ok=True)

    def doubtful(self) -> bool:
        """Whether contents came of which nobody saw that they are on the disk."""
        return any(self._marks())

    def look_again(self) -> bool:
        """Hash all contents, as the power may have failed while they came; whether all were as they should be.

        Those that were not are here no more.
        """
        marks = list(self._marks())
        found = [blob.name for blob in self._blobs.glob("??/*")]
        sound = []
        for sha256 in found:
            with contextlib.suppress(ReleaseError):
                self.check_blob(sha256)
                sound.append(sha256)
        with self._told():
            self._to_disk(sound)
            for mark in marks:
                mark.unlink(missing_ok=True)
        return len(sound) == len(found)

    def _marks(self) -> Iterator[Path]:
        return self._blobs.glob(f".new.*{_UNSETTLED}")

    def _to_disk(self, contents: Iterable[str]) -> None:
        current = self.current()
        names = [self.blob(sha256) for sha256 in contents]
        folders = {path.parent for path in names}
        if current is not None:
            tree = self.tree(current)
            names += [tree / MANIFEST, tree / SIGNATURE]
            folders.add(tree)
        for path in (*names, *folders, self._blobs, self.path):
            with contextlib.suppress(FileNotFoundError):  # another fleet has swept it away
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def _take(self, part: Path, file: File, found: str) -> None:
        if found != file.sha256 or part.stat().st_size != file.size:
            part.unlink()
            raise ReleaseError(
                f"A content came that is not {file.sha256[:12]}….",
                "It was thrown away; the next contact sends it again.",
            )
        self._place(part, file.sha256)

    # releases

    def keep(self, signed: Signed) -> Manifest:
        """Make the tree of a release whose contents are all here. One that is here already has them again."""
        manifest = signed.manifest
        tree = self.tree(manifest.number)
        if tree.exists():
            if self.signed(manifest.number) != signed:
                raise ReleaseError(
                    f"There is another release {manifest.number} here already.",
                    "A number is given once: build a new one.",
                )
            with self._told():
                for place, file in manifest.files.items():
                    self._link_again(file.sha256, tree / place)
            return manifest
        with self._told(), self._beside(self.path / f".{manifest.number}.{secrets.token_hex(4)}") as new:
            new.mkdir(mode=0o700, parents=True)
            for place, file in manifest.files.items():
                self._link(file.sha256, new / place)
            (new / SIGNATURE).write_bytes(signed.signature)
            (new / MANIFEST).write_bytes(signed.content)
            with contextlib.suppress(OSError):  # another fleet kept the same one in this moment
                new.rename(tree)
        return manifest

    def tree(self, number: int) -> Path:
        """The folder of a release."""
        return self.path / str(number)

    def signed(self, number: int) -> Signed:
        """A release that is here, as it travels. ReleaseError when it is not."""
        tree = self.tree(number)
        try:
            return Signed((tree / MANIFEST).read_bytes(), (tree / SIGNATURE).read_bytes())
        except FileNotFoundError as error:
            raise ReleaseError(
                f"There is no release {number} on this computer.", "fleet release list shows those that there are."
            ) from error
        except OSError as error:
            raise ReleaseError(
                f"Release {number} cannot be read: {printable(error.strerror or '')}.", "See to that folder first."
            ) from error

    def check(self, number: int) -> Manifest:
        """Hash everything of a release. ReleaseError names what is missing, or not what it was."""
        manifest = self.signed(number).manifest
        tree = self.tree(number)
        for place, file in manifest.files.items():
            try:
                with (tree / place).open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise ReleaseError(
                    f"Release {number}: {printable(place)} cannot be read: {error.strerror}.", "Build a new release."
                ) from error
            if found != file.sha256:
                raise ReleaseError(f"Release {number}: {printable(place)} was changed.", "Build a new release.")
        return manifest

    def numbers(self) -> list[int]:
        """The releases that are here, oldest first."""
        if not self.path.is_dir():
            return []
        return sorted(int(entry.name) for entry in self.path.iterdir() if entry.name.isdecimal() and entry.is_dir())

    def current(self) -> int | None:
        """The release in force."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.path / "current").readlink().name)
        return None

    def activate(self, number: int) -> None:
        """From now on this release is in force: in one rename."""
        beside = self.path / f".current.{secrets.token_hex(4)}"
        with self._told(), self._beside(beside):
            beside.symlink_to(str(number))
            beside.replace(self.path / "current")

    def sweep(self, keep: int) -> int:
        """Take away all but the newest ``keep`` releases and the one in force, and their contents. Bytes freed."""
        kept = {*self.numbers()[-keep:], self.current()}
        with self._told():
            for number in self.numbers():
                if number not in kept:
                    gone = self.path / f".{number}.{secrets.token_hex(4)}"
                    self.tree(number).rename(gone)
                    shutil.rmtree(gone)
            named = {sha256 for number in self.numbers() for sha256 in self.signed(number).manifest.blobs}
            freed = 0
            for blob in self._blobs.glob("??/*"):
                if blob.name not in named:
                    freed += blob.stat().st_size
                    blob.unlink()
        return freed

    def _part(self, sha256: str) -> Path:
        return self._blobs / f".{sha256}.part"

    def _place(self, new: Path, sha256: str) -> None:
        new.chmod(0o400)
        target = self.blob(sha256)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.replace(target)

    def _link_again(self, sha256: str, place: Path) -> None:
        """What was damaged, and came again since, is in the tree still."""
        if not place.exists() or not place.samefile(self.blob(sha256)):
            with self._beside(place.with_name(f".{secrets.token_hex(4)}")) as new:
                self._link(sha256, new)
                new.replace(place)

    def _link(self, sha256: str, place: Path) -> None:
        """A second name costs no room; where the file system has none, a copy."""
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            place.hardlink_to(self.blob(sha256))
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                raise
            shutil.copyfile(self.blob(sha256), place)

    @contextlib.contextmanager
    def _beside(self, path: Path) -> Iterator[Path]:
        """A name that is gone afterwards, whether what was under it was renamed or not."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield path
        finally:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ReleaseError(
                f"{self.path} cannot be written: {error.strerror}.", "Free some space there, then try again."
            ) from error


def _has_size(path: Path, size: int) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_size == size
    return False
