"""Small profiles and releases."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fleets import Fleet


def profile(folder: Path, name: str = "small", *, size: int = 1000, extra: str = "") -> Path:
    """A profile with one content of ``size`` random bytes; ``extra`` are more lines of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "book.bin").write_bytes(random.Random(size).randbytes(size))
    file = folder / f"{name}.yaml"
    content = "content: [{id: book, from: book.bin, to: Learning/book.bin}]"
    file.write_text(f"profile: {name}\n{content}\n{extra}\n", encoding="utf-8")
    return file


def built(hub: Fleet, *profiles: Path, note: str = "one") -> int:
    """The number of a release of these profiles."""
    done = hub("release", "build", *profiles, "--note", note, "--json")
    assert done.code == 0, done.err
    return int(done.lines[-1]["number"])
