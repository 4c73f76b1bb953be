"""The files of a profile that go to devices as they are: listed and hashed once for all devices of a run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ODD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and what python makes of bytes that are not UTF-8."""


@dataclass(frozen=True)
class Source:
    """The files to be there: path below the target folder -> the file here and its size."""

    files: Mapping[str, tuple[Path, int]]

    @property
    def odd(self) -> str:
        """The first name that no device could be told of, or ""."""
        return next((name for name in self.files if ODD.search(name)), "")


@lru_cache(maxsize=64)
def source(path: Path) -> Source:
    """The file or tree at ``path``, read once for all devices of a run."""
    if path.is_file():
        return Source({path.name: (path, path.stat().st_size)})
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return Source({p.relative_to(path).as_posix(): (p, p.stat().st_size) for p in files})


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hash (hex) of what is in ``path``; read once for all devices while it is unchanged."""
    stat = path.stat()
    return _digest(path, algorithm, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=65536)
def _digest(path: Path, algorithm: str, size: int, modified: int) -> str:  # noqa: ARG001 -- a changed file is another key
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
