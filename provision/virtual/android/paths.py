# ruff: noqa: PTH115, PTH208
# Host paths are the phone's paths byte for byte; pathlib would tidy them.
"""Paths on the phone: who may go where, and what a path leads to. Links are followed here, never by the host."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from provision.virtual.android.process import SHELL_UID

SHARED = "/storage/emulated/0"
SCRATCH = "/data/local/tmp"
NULL = "/dev/null"
_MAX_LINKS = 40

# What uid 2000 may do to a directory itself, and to what lies below it. The longest path counts.
_RIGHTS: dict[str, tuple[str, str]] = {
    "/": ("rx", "rx"),
    "/cache": ("", ""),
    "/data": ("x", ""),
    "/data/app": ("x", "rx"),
    "/data/data": ("x", ""),
    "/data/local": ("x", ""),
    SCRATCH: ("rwx", "rwx"),
    "/data/user": ("x", ""),
    "/dev": ("rx", ""),
    NULL: ("rw", ""),
    "/mnt": ("x", ""),
    "/storage": ("rx", ""),
    "/storage/emulated": ("x", ""),
    "/storage/self": ("rx", "r"),
    SHARED: ("rwx", "rwx"),
}


class Paths:
    """The directory tree below the host directory ``host``, as uid 2000 or the phone's services (0, 1000) see it."""

    def __init__(self, host: str, *, deny_app_dirs: bool) -> None:
        self._host = host
        self._rights = dict(_RIGHTS)
        if deny_app_dirs:
            self._rights |= {f"{SHARED}/Android/data": ("x", ""), f"{SHARED}/Android/obb": ("x", "")}

    def resolve(self, path: str, *, follow: bool = True, uid: int = SHELL_UID) -> str:
        """The path without links, ``.`` and ``..``. Its last part need not exist (the one before must)."""
        if "\0" in path:
            raise failure(errno.EINVAL, path)
        done: list[str] = []
        todo = parts(path)[::-1]
        follow = follow or path.endswith("/")
        links = 0
        while todo:
            name = todo.pop()
            self._enter("/" + "/".join(done), path, uid)
            if name == "..":
                done = done[:-1]
                continue
            name = self._as_kept("/" + "/".join(done), name)
            here = "/" + "/".join([*done, name])
            target = self._link(here, path, last=not todo) if follow or todo else None
            if target is None:
                done.append(name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise failure(errno.ELOOP, path)
            todo += parts(target)[::-1]
            if target.startswith("/"):
                done = []
        return "/" + "/".join(done)

    def _as_kept(self, directory: str, name: str) -> str:
        """Shared storage finds a name whatever its capitals, and keeps those that it was made with (sdcardfs, FUSE)."""
        if not f"{directory}/".startswith(f"{SHARED}/") or os.path.lexists(f"{self._host}{directory}/{name}"):
            return name
        folded = name.casefold()
        return next((kept for kept in os.listdir(self._host + directory) if kept.casefold() == folded), name)

    def _enter(self, directory: str, path: str, uid: int) -> None:
        if "x" not in self.may(directory, uid):
            raise failure(errno.EACCES, path)
        if directory != "/" and not stat.S_ISDIR(os.lstat(self._host + directory).st_mode):
            raise failure(errno.ENOTDIR, path)

    def _link(self, here: str, path: str, *, last: bool) -> str | None:
        try:
            return os.readlink(self._host + here)
        except FileNotFoundError:
            if not last:
                raise failure(errno.ENOENT, path) from None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise failure(error.errno or errno.EIO, path) from None
        return None

    def may(self, real: str, uid: int) -> str:
        if uid in (0, 1000):
            return "rwx"
        at = real
        while at not in self._rights:
            at = at.rpartition("/")[0] or "/"
        return self._rights[at][0 if at == real else 1]

    def need(self, right: str, real: str, path: str, uid: int) -> None:
        if right in self.may(real, uid):
            return
        held = real.startswith(("/data", "/storage", "/mnt", "/cache", "/proc", "/sys/", "/dev"))
        raise failure(errno.EACCES if right != "w" or held else errno.EROFS, path)

    def for_change(self, path: str, uid: int) -> tuple[str, str]:
        """The real phone path of an entry about to be made, replaced or taken away, and its host path."""
        if parts(path)[-1:] in ([".."], []):
            raise failure(errno.EBUSY, path)
        real = self.resolve(path, follow=False, uid=uid)
        self.need("w", real.rpartition("/")[0] or "/", path, uid)
        return real, self._host + real

    def host(self, path: str, *, uid: int = 0) -> Path:
        """Where the host keeps the file of that phone path."""
        return Path(self._host + self.resolve(path, uid=uid))


def join(cwd: str, path: str) -> str:
    """``path`` seen from ``cwd``."""
    return path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}"


def parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def failure(number: int, path: str = "") -> OSError:
    return OSError(number, os.strerror(number), path)
