"""The manifest: what a release consists of, in the one form that is signed.

Canonical JSON in UTF-8: ``{"at", "files": {place: [sha256, size]}, "fleet", "note", "number", "profiles": {name:
digest}, "schoolbag": "release", "v": 1}``. A place is a relative path with "/" between its parts; the profile of a name
is at ``<name>/profile.yaml``, with the files that it names below ``<name>/files/``. Nothing in it is believed before it
was checked: it may come from a hub that is not ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fleet.remote.errors import ReleaseError
from fleet.values import canonical

VERSION = 1
MOST_BYTES = 32 * 2**20
"""Of a manifest: some hundred thousand files."""

PROFILE = "profile.yaml"
_MOST_FILES = 200_000
_LARGEST = 2**40
_LONGEST_PLACE, _LONGEST_PART = 1024, 255
_NOTE = 2000
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_RESERVED = re.compile(r"\A(\.{1,2}|manifest\.(json|sig))\Z")


class File(NamedTuple):
    """What is at a place: bytes by their SHA-256 (hex), and how many."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """``profiles`` are digests of resolved profiles by name; ``fleet`` is the version that made it."""

    number: int
    at: str
    note: str
    fleet: str
    profiles: Mapping[str, str]
    files: Mapping[str, File]

    def content(self) -> bytes:
        """The bytes that are signed and hashed."""
        told: dict[str, Any] = {
            **vars(self),
            "profiles": dict(self.profiles),
            "files": {place: [*file] for place, file in self.files.items()},
        }
        return canonical({"schoolbag": "release", "v": VERSION, **told}).encode()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of :meth:`content`: what the release is known by beside its number."""
        return hashlib.sha256(self.content()).hexdigest()

    @property
    def blobs(self) -> dict[str, int]:
        """Each content once: size by SHA-256."""
        return {file.sha256: file.size for file in self.files.values()}


def parse(content: bytes) -> Manifest:
    """The manifest in ``content``. Raises ReleaseError for what is none, or not in its one form."""
    manifest = None
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(len(content))
        told: Mapping[str, Any] = json.loads(content)
        if type(told["v"]) is int and told["v"] > VERSION and told["schoolbag"] == "release":
            raise ReleaseError("The release was built by a newer fleet.", "Update fleet on this computer.")
        manifest = _manifest(told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    if manifest is None or manifest.content() != content:
        raise ReleaseError("The manifest of the release is damaged.", "Build the release again, or get it again.")
    return manifest


def _manifest(told: Mapping[str, Any]) -> Manifest:
    files = {_place(place): _file(*file) for place, file in told["files"].items()}
    profiles = {_matching(_NAME, name): _matching(_HASH, digest) for name, digest in told["profiles"].items()}
    if not profiles or len(files) > _MOST_FILES or any(f"{name}/{PROFILE}" not in files for name in profiles):
        raise ValueError(told)
    if {place.partition("/")[0] for place in files} != profiles.keys() or _inside_each_other(files):
        raise ValueError(told)
    note, version = told["note"], told["fleet"]
    if not (isinstance(note, str) and isinstance(version, str) and len(note) <= _NOTE and len(version) <= _NOTE):
        raise TypeError(told)
    return Manifest(_number(told["number"], 1, 10**9), _matching(_AT, told["at"]), note, version, profiles, files)


def _place(place: str) -> str:
    """A relative path that leads nowhere but down."""
    parts = place.split("/")
    if len(place) > _LONGEST_PLACE or len(parts) < 2 or any(map(_bad, parts)):
        raise ValueError(place)
    return place


def _bad(part: str) -> bool:
    too_long = len(part.encode()) > _LONGEST_PART
    return not part or too_long or not part.isprintable() or "\\" in part or _RESERVED.match(part) is not None


def _inside_each_other(files: Mapping[str, File]) -> bool:
    """A place cannot be a file and a folder."""
    folders = {place[:at] for place in files for at, sign in enumerate(place) if sign == "/"}
    return not folders.isdisjoint(files)


def _file(sha256: str, size: int) -> File:
    return File(_matching(_HASH, sha256), _number(size, 0, _LARGEST))


def _number(value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(value)
    return value


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text
