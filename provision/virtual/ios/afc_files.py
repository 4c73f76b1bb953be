# ruff: noqa: PTH104, PTH106, PTH108, PTH115, PTH208, PTH211
# Host paths are the phone's paths byte for byte; pathlib would tidy them.
"""The files that AFC shows: a directory of the phone, out of which no path and no link leads (facts, iOS §4).

Paths are the phone's, ``/`` the directory itself. Every method resolves them itself, link by link. What the phone
refuses is :class:`AfcError` with AFC's status; statuses that the facts do not give are [inferred] from the errno.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from provision.virtual.ios.phone import Phone

_MOST_LINKS = 32
_DIRECTORY_SIZE = 64


class Status(IntEnum):
    """What an AFC operation ends with."""

    SUCCESS = 0
    UNKNOWN_ERROR = 1
    OP_HEADER_INVALID = 2
    READ_ERROR = 4
    UNKNOWN_PACKET_TYPE = 6
    INVALID_ARG = 7
    OBJECT_NOT_FOUND = 8
    OBJECT_IS_DIR = 9
    PERM_DENIED = 10
    TOO_MUCH_DATA = 13
    OP_NOT_SUPPORTED = 15
    OBJECT_EXISTS = 16
    OBJECT_BUSY = 17
    NO_SPACE_LEFT = 18
    OP_WOULD_BLOCK = 19
    IO_ERROR = 20
    DIR_NOT_EMPTY = 33


_OF_ERRNO = {
    errno.ENOENT: Status.OBJECT_NOT_FOUND,
    errno.ENOTDIR: Status.READ_ERROR,
    errno.EISDIR: Status.OBJECT_IS_DIR,
    errno.EACCES: Status.PERM_DENIED,
    errno.EPERM: Status.PERM_DENIED,
    errno.EXDEV: Status.PERM_DENIED,
    errno.EEXIST: Status.OBJECT_EXISTS,
    errno.EBUSY: Status.OBJECT_BUSY,
    errno.ENOSPC: Status.NO_SPACE_LEFT,
    errno.EFBIG: Status.NO_SPACE_LEFT,
    errno.EWOULDBLOCK: Status.OP_WOULD_BLOCK,
    errno.ENOTEMPTY: Status.DIR_NOT_EMPTY,
    errno.EBADF: Status.INVALID_ARG,
    errno.EINVAL: Status.INVALID_ARG,
    errno.ENAMETOOLONG: Status.INVALID_ARG,
    errno.ELOOP: Status.INVALID_ARG,
    errno.EOVERFLOW: Status.INVALID_ARG,
}

_FLAGS = {
    1: os.O_RDONLY,
    2: os.O_RDWR | os.O_CREAT,
    3: os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    4: os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    5: os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    6: os.O_RDWR | os.O_APPEND | os.O_CREAT,
}
"""How AFC's numbers for r, r+, w, w+, a, a+ open a file."""


class AfcError(Exception):
    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def of_errno(error: OSError) -> AfcError:
    """The AFC status of an error of the file system."""
    return AfcError(_OF_ERRNO.get(error.errno or 0, Status.IO_ERROR))


class Room:
    """What is free on the phone, asked for anew every second or when it seems used up: counting takes its time."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._left = 0
        self._asked = float("-inf")

    def take(self, size: int) -> int:
        """How many of ``size`` bytes more there is room for."""
        if self._phone.full:
            return 0
        now = time.monotonic()
        if size > self._left or now - self._asked > 1:
            self._left, self._asked = self._phone.free(), now
        taken = min(size, self._left)
        self._left -= taken
        return taken


class Files:
    """A directory as one connection sees it. ``only``: the one name in it that may be reached, "" for all of it."""

    def __init__(self, phone: Phone, root: Path, only: str = "") -> None:
        self._root = os.fspath(root)
        self._only = only
        self._room = Room(phone)

    # Paths ----------------------------------------------------------------------------------------------------

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The host's path. Raises AfcError: PERM_DENIED for whatever leads out."""
        left = path.split("/")[::-1]
        found: list[str] = []
        links = 0
        while left:
            name = left.pop()
            if name == "..":
                if not found:
                    raise AfcError(Status.PERM_DENIED)
                found.pop()
            elif name not in {"", "."}:
                found.append(name)
                target = self._link(found) if follow or any(left) else None
                if target is not None:
                    links += 1
                    if links > _MOST_LINKS:
                        raise AfcError(Status.INVALID_ARG)
                    if target.startswith("/"):
                        raise AfcError(Status.PERM_DENIED)
                    found.pop()
                    left += target.split("/")[::-1]
        if self._only and found[:1] != [self._only]:
            raise AfcError(Status.PERM_DENIED)
        return "/".join([self._root, *found])

    def _link(self, names: list[str]) -> str | None:
        try:
            return os.readlink("/".join([self._root, *names]))
        except OSError:
            return None  # none, or nothing there: whoever uses the path will see

    def _below(self, path: str) -> str:
        """As :meth:`resolve`, of the name itself if it is a link; the directory that all is in may not be changed."""
        host = self.resolve(path, follow=False)
        if host == self._root or (self._only and host == f"{self._root}/{self._only}"):
            raise AfcError(Status.PERM_DENIED)
        return host

    # Reading --------------------------------------------------------------------------------------------------

    def listing(self, path: str) -> list[str]:
        """The names in a directory, ``.`` and ``..`` first."""
        try:
            return [".", "..", *sorted(os.listdir(self.resolve(path)))]
        except OSError as error:
            raise of_errno(error) from None

    def info(self, path: str) -> dict[str, str]:
        """What FILE_INFO answers; of a link itself. Times are in nanoseconds."""
        host = self.resolve(path, follow=False)
        try:
            found = os.lstat(host)
            target = os.readlink(host) if stat.S_ISLNK(found.st_mode) else None
        except OSError as error:
            raise of_errno(error) from None
        directory = stat.S_ISDIR(found.st_mode)
        kind = "S_IFDIR" if directory else "S_IFREG" if target is None else "S_IFLNK"
        told = {
            "st_size": str(_DIRECTORY_SIZE if directory else found.st_size),
            "st_blocks": str(0 if directory else -(-found.st_size // 4096) * 8),
            "st_nlink": str(found.st_nlink),
            "st_ifmt": kind,
            "st_mtime": str(found.st_mtime_ns),
            "st_birthtime": str(min(found.st_ctime_ns, found.st_mtime_ns)),
        }
        return told if target is None else told | {"LinkTarget": target}

    # Changing -------------------------------------------------------------------------------------------------

    def open(self, path: str, mode: int) -> OpenFile:
        if mode not in _FLAGS:
            raise AfcError(Status.INVALID_ARG)
        host = self.resolve(path)
        try:
            if os.path.isdir(host):  # noqa: PTH112
                raise AfcError(Status.OBJECT_IS_DIR)
            descriptor = os.open(host, _FLAGS[mode] | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise of_errno(error) from None
        return OpenFile(descriptor, self._room, append=mode >= 5)

    def make_directory(self, path: str) -> None:
        """With all that lead to it; one that is there already is well."""
        host = self.resolve(path)
        try:
            Path(host).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise AfcError(Status.OBJECT_EXISTS) from None
        except OSError as error:
            raise of_errno(error) from None

    def remove(self, path: str) -> None:
        """A file, a link, or an empty directory."""
        host = self._below(path)
        try:
            if stat.S_ISDIR(os.lstat(host).st_mode):
                os.rmdir(host)
            else:
                os.unlink(host)
        except OSError as error:
            raise of_errno(error) from None

    def remove_tree(self, path: str) -> None:
        host = self._below(path)
        try:
            if stat.S_ISDIR(os.lstat(host).st_mode):
                shutil.rmtree(host)
            else:
                os.unlink(host)
        except OSError as error:
            raise of_errno(error) from None

    def rename(self, source: str, target: str) -> None:
        """Over whatever file is there, in one step."""
        old, new = self._below(source), self._below(target)
        try:
            os.rename(old, new)
        except OSError as error:
            raise of_errno(error) from None

    def link(self, kind: int, target: str, path: str) -> None:
        """``kind`` 1: one more name for a file, 2: a symbolic link; where it leads is seen from its own directory."""
        if kind not in {1, 2}:
            raise AfcError(Status.INVALID_ARG)
        host = self._below(path)
        try:
            if kind == 1:
                os.link(self.resolve(target), host, follow_symlinks=False)
                return
            if target.startswith("/"):
                raise AfcError(Status.PERM_DENIED)
            self.resolve(f"{path.rstrip('/').rpartition('/')[0]}/{target}")
            os.symlink(target, host)
        except OSError as error:
            raise of_errno(error) from None

    def set_time(self, path: str, nanoseconds: int) -> None:
        host = self.resolve(path)
        try:
            os.utime(host, ns=(nanoseconds, nanoseconds))
        except OverflowError:
            raise AfcError(Status.INVALID_ARG) from None
        except OSError as error:
            raise of_errno(error) from None

    def truncate(self, path: str, size: int) -> None:
        file = self.open(path, 2)
        try:
            file.resize(size)
        finally:
            file.close()


class OpenFile:
    """A file that a connection has open."""

    def __init__(self, descriptor: int, room: Room, *, append: bool) -> None:
        self._descriptor = descriptor
        self._room = room
        self._append = append

    def remaining(self) -> int:
        """Bytes from where it stands to its end. AfcError where it is not open for reading."""
        if fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
            raise AfcError(Status.INVALID_ARG)
        return max(0, os.fstat(self._descriptor).st_size - self.tell())

    def read(self, size: int, portion: int) -> Iterator[bytes]:
        """``size`` bytes, a portion at a time; zeros where somebody cut the file short meanwhile."""
        while size > 0:
            part = os.read(self._descriptor, min(size, portion)) or bytes(min(size, portion))
            size -= len(part)
            yield part

    def write(self, data: bytes) -> None:
        """All of it. AfcError NO_SPACE_LEFT where there is no room for the end of it."""
        size = os.fstat(self._descriptor).st_size
        start = size if self._append else self.tell()
        try:
            fits = len(data) - self._short(start + len(data) - size)
            done = 0
            while done < fits:
                done += os.write(self._descriptor, data[done:fits])
        except OSError as error:
            raise of_errno(error) from None
        if fits < len(data):
            raise AfcError(Status.NO_SPACE_LEFT)

    def _short(self, growth: int) -> int:
        """How many bytes of this growth there is no room for."""
        return growth - self._room.take(growth) if growth > 0 else 0

    def seek(self, whence: int, offset: int) -> None:
        try:
            os.lseek(self._descriptor, offset, whence)
        except (OSError, OverflowError):
            raise AfcError(Status.INVALID_ARG) from None

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def resize(self, size: int) -> None:
        if self._short(size - os.fstat(self._descriptor).st_size):
            raise AfcError(Status.NO_SPACE_LEFT)
        try:
            os.ftruncate(self._descriptor, size)
        except OverflowError:
            raise AfcError(Status.INVALID_ARG) from None
        except OSError as error:
            raise of_errno(error) from None

    def lock(self, operation: int) -> None:
        """As flock(2) numbers them: 1 shared, 2 exclusive, 8 none; never waits."""
        try:
            fcntl.flock(self._descriptor, (operation & 0xF) | fcntl.LOCK_NB)
        except OSError as error:
            raise of_errno(error) from None

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
