"""The identity of a profile: a hash of what it says and of the files that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from profiles.errors import Problem, ProfileError, shown
from profiles.secrets import Secret, UnitPin


def digest_of(profile: BaseModel) -> str:
    """SHA-256 (hex) of canonical JSON: sorted keys, files by their hash, secrets by their name."""
    text = json.dumps(_canonical(profile), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def files_below(path: Path) -> Iterator[Path]:
    """The file itself, or every file of a folder, sorted by name. Folders that are links are not entered."""
    if not path.is_dir():
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.is_dir() and not child.is_symlink():
            yield from files_below(child)
        else:
            yield child


def _canonical(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _canonical(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: _canonical(child) for key, child in value.items()}
    if isinstance(value, tuple):
        return [_canonical(child) for child in value]
    if isinstance(value, Path):
        return {"name": value.name, "files": [_hashed(file, value) for file in files_below(value)]}
    if isinstance(value, UnitPin):  # the profile of all units is one, whatever PIN each has
        return value.name
    return {"secret": value.name} if isinstance(value, Secret) else value


def _hashed(file: Path, top: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ProfileError([Problem(shown(file), 0, 0, f"cannot be read: {error.strerror}")]) from None
    return [file.relative_to(top).as_posix(), digest]
