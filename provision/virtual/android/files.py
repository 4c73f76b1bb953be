# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH113, PTH208, PTH211, PTH115
# Host paths are the phone's paths byte for byte; pathlib would tidy them.
"""The phone's file system, kept in a directory of the host.

Paths are those of the phone, absolute, as text (odd bytes as surrogates). Every method resolves them itself, link by
link, so that nothing on the phone can reach a host file outside ``root``. Errors are :class:`OSError` with the errno
that the phone would give and the phone's path; ``error.strerror`` is the text that its programs print.

Rights are those of uid 2000 (facts §1, §3.5): it writes to shared storage and ``/data/local/tmp``, reads the system,
and is refused elsewhere. uid 0 and 1000 (the phone's own services) may do everything.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from provision.virtual.android.paths import NULL, SCRATCH, SHARED, Paths, failure, parts
from provision.virtual.android.process import SHELL_UID

BLOCK = 4096

_DIRECTORIES = """
acct apex cache config data data/app data/data data/local data/local/tmp data/media data/misc data/system data/user
data/user/0 dev etc mnt odm proc product storage storage/emulated storage/emulated/0 storage/self sys system system/app
system/bin system/etc system/framework system/priv-app vendor
"""
_SHARED_DIRECTORIES = """
Alarms Android Android/data Android/media Android/obb DCIM Download Movies Music Notifications Pictures Podcasts
Ringtones
"""
_LINKS = {"/sdcard": "/storage/self/primary", "/storage/self/primary": SHARED, "/bin": "/system/bin"}


@dataclass(frozen=True)
class Status:
    """What ``stat`` tells. ``mode`` with its type bits, ``mtime`` in seconds, ``size`` in bytes."""

    mode: int
    size: int
    mtime: int
    inode: int
    links: int
    uid: int
    gid: int

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)


class Files(Paths):
    """One phone's files. ``capacity`` is the size of its data partition in bytes; a write beyond it gets ENOSPC.

    ``deny_app_dirs``: this device refuses the shell ``Android/data`` and ``Android/obb``, as some do (facts §3.5).
    ``app_dirs_by_copy``: it takes no file into ``Android/data`` by sync: adbd cannot give it to the app (facts §3.5).
    ``full``: while true nothing more fits, whatever the capacity (the fault ``storage_full``).
    """

    def __init__(
        self, root: Path, api: int, capacity: int, *, deny_app_dirs: bool = False, app_dirs_by_copy: bool = False
    ) -> None:
        super().__init__(os.fspath(root), deny_app_dirs=deny_app_dirs)
        self.root = root
        self.api = api
        self.capacity = capacity
        self.deny_app_dirs = deny_app_dirs
        self.app_dirs_by_copy = app_dirs_by_copy
        self.full = False
        self._lock = threading.Lock()
        self._used = 0
        self._lay_out()

    def _lay_out(self) -> None:
        for name in _DIRECTORIES.split():
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in _SHARED_DIRECTORIES.split():
            (self.root / SHARED[1:] / name).mkdir(parents=True, exist_ok=True)
        for link, target in _LINKS.items():
            host = self._host + link
            if not os.path.lexists(host):
                os.symlink(target, host)
        with contextlib.suppress(FileExistsError):
            (self.root / NULL[1:]).touch(exist_ok=False)
        self._used = sum(status.size for path, status in self.walk("/data", uid=0) if status.is_regular)
        self._used += sum(status.size for path, status in self.walk(SHARED, uid=0) if status.is_regular)

    def empty(self, root: Path) -> Files:
        """The same storage with nothing on it, kept in ``root``."""
        return Files(
            root,
            self.api,
            self.capacity,
            deny_app_dirs=self.deny_app_dirs,
            app_dirs_by_copy=self.app_dirs_by_copy,
        )

    def may_be_given(self, path: str) -> bool:
        """Whether adbd can give a file there to its owner, as it does with every file that it makes."""
        return not (self.app_dirs_by_copy and self.resolve(path).startswith(f"{SHARED}/Android/data/"))

    # Room -----------------------------------------------------------------------------------------------------

    @property
    def used(self) -> int:
        """Bytes taken on the data partition: files and what was charged for."""
        return self.capacity if self.full else self._used

    @property
    def free(self) -> int:
        """Bytes left on the data partition."""
        return max(0, self.capacity - self.used)

    def charge(self, size: int) -> None:
        """Take ``size`` bytes (negative: give back) of the data partition without a file. OSError ENOSPC if over."""
        with self._lock:
            if size > 0 and (self.full or self._used + size > self.capacity):
                raise failure(errno.ENOSPC)
            self._used = max(0, self._used + size)

    def _take(self, size: int) -> int:
        """Charge for as much of ``size`` as fits, and say how much that is."""
        with self._lock:
            taken = 0 if self.full else max(0, min(size, self.capacity - self._used))
            self._used += taken
        return taken

    # Reading --------------------------------------------------------------------------------------------------

    def stat(self, path: str, *, follow: bool = True, uid: int = SHELL_UID) -> Status:
        real = self.resolve(path, follow=follow, uid=uid)
        try:
            found = os.lstat(self._host + real)
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None
        if path.endswith("/") and not stat.S_ISDIR(found.st_mode):
            raise failure(errno.ENOTDIR, path)
        return self._status(real, found)

    def _status(self, real: str, found: os.stat_result) -> Status:
        mode, owner, group = found.st_mode, 0, 0
        if real == NULL:
            mode = stat.S_IFCHR | 0o666
        elif stat.S_ISLNK(mode):
            mode = stat.S_IFLNK | 0o777
        elif real.startswith(SHARED):
            # Shared storage has modes and owners of its own; chmod does nothing there.
            mode = stat.S_IFMT(mode) | (0o771 if stat.S_ISDIR(mode) else 0o660)
            owner, group = (10150, 1023) if self.api >= 30 else (0, 1015)
        elif real.startswith(SCRATCH):
            owner = group = SHELL_UID
        size = BLOCK if stat.S_ISDIR(mode) else found.st_size
        return Status(mode, size, int(found.st_mtime), found.st_ino, found.st_nlink, owner, group)

    def exists(self, path: str, *, uid: int = SHELL_UID) -> bool:
        try:
            self.stat(path, uid=uid)
        except OSError:
            return False
        return True

    def listing(self, path: str, *, uid: int = SHELL_UID) -> list[str]:
        """The names in a directory, sorted, without ``.`` and ``..``."""
        real = self.resolve(path, uid=uid)
        self.need("r", real, path, uid)
        try:
            return sorted(os.listdir(self._host + real))
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None

    def walk(self, path: str, *, uid: int = SHELL_UID) -> Iterator[tuple[str, Status]]:
        """Everything below a directory, parents first, links not followed. What may not be read is left out."""
        try:
            names = self.listing(path, uid=uid)
        except OSError:
            return
        for name in names:
            inner = f"{path.rstrip('/')}/{name}"
            try:
                status = self.stat(inner, follow=False, uid=uid)
            except OSError:
                continue
            yield inner, status
            if status.is_directory:
                yield from self.walk(inner, uid=uid)

    def open(self, path: str, *, uid: int = SHELL_UID) -> IO[bytes]:
        """The file, unbuffered, for reading."""
        real = self.resolve(path, uid=uid)
        self.need("r", real, path, uid)
        try:
            descriptor = os.open(self._host + real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise failure(errno.EISDIR, path)
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None
        return os.fdopen(descriptor, "rb", buffering=0)

    def read_bytes(self, path: str, *, uid: int = SHELL_UID) -> bytes:
        with self.open(path, uid=uid) as file:
            return file.read()

    def readlink(self, path: str, *, uid: int = SHELL_UID) -> str:
        try:
            return os.readlink(self._host + self.resolve(path, follow=False, uid=uid))
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None

    def digest(self, path: str, *, uid: int = SHELL_UID) -> str:
        """SHA-256 of the file, in hex."""
        found = hashlib.sha256()
        with self.open(path, uid=uid) as file:
            while part := file.read(1 << 20):
                found.update(part)
        return found.hexdigest()

    # Changing -------------------------------------------------------------------------------------------------

    def create(self, path: str, *, mode: int = 0o644, append: bool = False, uid: int = SHELL_UID) -> OpenFile:
        """Open a file for writing, made when it is not there, emptied unless ``append``."""
        real = self.resolve(path, uid=uid)
        if os.path.lexists(self._host + real):
            self.need("w", real, path, uid)
        else:
            self.need("w", real.rpartition("/")[0] or "/", path, uid)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_APPEND if append else 0)
        try:
            descriptor = os.open(self._host + real, flags, (mode & 0o777) | 0o600)
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None
        if not append:
            self.charge(-os.fstat(descriptor).st_size)
            os.ftruncate(descriptor, 0)
        return OpenFile(self, descriptor, counted=real != NULL)

    def write_bytes(self, path: str, data: bytes, *, mode: int = 0o644, uid: int = SHELL_UID) -> None:
        with self.create(path, mode=mode, uid=uid) as file:
            file.write(data)

    def provide(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Put a file where the system has one, with the directories that lead to it; takes no room."""
        host = Path(self._host + path)
        host.parent.mkdir(parents=True, exist_ok=True)
        host.write_bytes(data)
        host.chmod(mode | 0o600)

    def mkdir(self, path: str, *, mode: int = 0o755, parents: bool = False, uid: int = SHELL_UID) -> None:
        """Make a directory; with ``parents`` also those that lead to it, and none need be missing."""
        if parents:
            for end in range(1, len(parts(path)) + 1):
                step = "/" + "/".join(parts(path)[:end])
                if not self._is_directory(step, uid):
                    self.mkdir(step, mode=mode, uid=uid)
            return
        real = self.resolve(path, follow=False, uid=uid)
        if os.path.lexists(self._host + real):
            raise failure(errno.EEXIST, path)
        self.need("w", real.rpartition("/")[0] or "/", path, uid)
        os.mkdir(self._host + real, mode | 0o700)

    def _is_directory(self, path: str, uid: int) -> bool:
        try:
            return self.stat(path, uid=uid).is_directory
        except FileNotFoundError:
            return False

    def rmdir(self, path: str, *, uid: int = SHELL_UID) -> None:
        _, host = self.for_change(path, uid)
        try:
            os.rmdir(host)
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None

    def unlink(self, path: str, *, uid: int = SHELL_UID) -> None:
        _, host = self.for_change(path, uid)
        try:
            size = os.lstat(host).st_size
            os.unlink(host)
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None
        self.charge(-size)

    def rename(self, source: str, target: str, *, uid: int = SHELL_UID) -> None:
        """Move within the phone, over whatever file is there, in one step."""
        _, old = self.for_change(source, uid)
        _, new = self.for_change(target, uid)
        try:
            replaced = os.lstat(new).st_size if os.path.isfile(new) and old != new else 0
            os.rename(old, new)
        except OSError as error:
            raise failure(error.errno or errno.EIO, source if error.errno == errno.ENOENT else target) from None
        self.charge(-replaced)

    def symlink(self, target: str, path: str, *, uid: int = SHELL_UID) -> None:
        real, host = self.for_change(path, uid)
        if real.startswith(SHARED):
            raise failure(errno.EPERM, path)
        try:
            os.symlink(target, host)
        except OSError as error:
            raise failure(error.errno or errno.EIO, path) from None

    def chmod(self, path: str, mode: int, *, uid: int = SHELL_UID) -> None:
        """Change the mode. On shared storage it is accepted and changes nothing, as there."""
        real = self._owned(path, uid)
        if not real.startswith(SHARED):
            os.chmod(self._host + real, (mode & 0o7777) | 0o600, follow_symlinks=True)

    def utime(self, path: str, mtime: float, *, uid: int = SHELL_UID) -> None:
        real = self._owned(path, uid)
        os.utime(self._host + real, (mtime, mtime), follow_symlinks=False)

    def _owned(self, path: str, uid: int) -> str:
        self.stat(path, uid=uid)
        real = self.resolve(path, uid=uid)
        if "w" not in self.may(real, uid):
            raise failure(errno.EPERM if not real.startswith("/system") else errno.EROFS, path)
        return real

    def inventory(self, *tops: str) -> dict[str, dict[str, object]]:
        """The regular files below the given directories: path → ``{size, sha256}``; not those that go meanwhile."""
        found: dict[str, dict[str, object]] = {}
        for top in tops:
            for path, status in self.walk(top, uid=0):
                if status.is_regular:
                    with contextlib.suppress(FileNotFoundError):
                        found[path] = {"size": status.size, "sha256": self.digest(path, uid=0)}
        return found


class OpenFile:
    """A phone's file open for writing. What does not fit is not written, and ENOSPC is raised."""

    def __init__(self, files: Files, descriptor: int, *, counted: bool) -> None:
        self._files = files
        self._descriptor = descriptor
        self._counted = counted

    def write(self, data: bytes | memoryview) -> int:
        if not self._counted:
            return len(data)
        view = memoryview(data)
        room = self._files._take(len(view))
        done = 0
        while done < room:
            done += os.write(self._descriptor, view[done:room])
        if room < len(view):
            raise failure(errno.ENOSPC)
        return done

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
