"""What two releases have different, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import PROFILE, Manifest
from fleet.remote.releases.store import Store
from profiles.shape import list_key, types_at
from profiles.strict_yaml import SecretName, plain, read

Place = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A value of a profile: ``place`` such as apps.reader.android.file; ``before`` and ``after`` "" is nothing.

    Files are compared by what is in them: a name, and the first digits of the hash.
    """

    profile: str
    place: str
    before: str
    after: str

    @property
    def setting(self) -> str:
        """The section of the profile to which it belongs."""
        return self.place.partition(".")[0]


@dataclass(frozen=True)
class Difference:
    """From the one release to the other. ``new_bytes``: contents that only the second has."""

    profiles_new: tuple[str, ...]
    profiles_gone: tuple[str, ...]
    changes: tuple[Change, ...]
    new_bytes: int


def between(store: Store, before: Manifest, after: Manifest) -> Difference:
    """The difference of two releases that are both in the store. Raises ReleaseError and ProfileError."""
    changes = []
    for name in sorted(before.profiles.keys() & after.profiles.keys()):
        if before.profiles[name] != after.profiles[name]:
            old, new = _values(store, before, name), _values(store, after, name)
            changes += [
                Change(name, ".".join(place), old.get(place, ""), new.get(place, ""))
                for place in sorted(old.keys() | new.keys())
                if old.get(place) != new.get(place)
            ]
    fresh = sum(size for sha256, size in after.blobs.items() if sha256 not in before.blobs)
    added, gone = after.profiles.keys() - before.profiles.keys(), before.profiles.keys() - after.profiles.keys()
    return Difference(tuple(sorted(added)), tuple(sorted(gone)), tuple(changes), fresh)


class Changes:
    """What changes from each release, by number (None: nothing), to the new one; each is looked into once."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store = store
        self._manifest = manifest
        self._before: dict[int | None, Manifest | None] = {None: None}
        self._settings: dict[tuple[int | None, str], frozenset[str]] = {}

    def bytes(self, reported: int | None) -> int:
        """Of the contents that the other has not."""
        before = self._manifest_of(reported)
        known = before.blobs if before else {}
        return sum(size for sha256, size in self._manifest.blobs.items() if sha256 not in known)

    def settings(self, reported: int | None, profile: str) -> frozenset[str]:
        """The sections of a profile that differ; "all" where the other release is not here, or has it not."""
        key = (reported, profile)
        if key not in self._settings:
            before = self._manifest_of(reported)
            if before is None or profile not in before.profiles:
                self._settings[key] = frozenset({"all"})
            else:
                changes = between(self._store, before, self._manifest).changes
                self._settings[key] = frozenset(one.setting for one in changes if one.profile == profile)
        return self._settings[key]

    def _manifest_of(self, number: int | None) -> Manifest | None:
        """``None``, too, for a release that is not here: of another hub, or taken away."""
        if number not in self._before:
            try:
                self._before[number] = self._store.signed(number or 0).manifest
            except ReleaseError:
                self._before[number] = None
        return self._before[number]


def _values(store: Store, manifest: Manifest, name: str) -> Mapping[Place, str]:
    root = plain(read(store.tree(manifest.number) / name / PROFILE))
    contents = {place.removeprefix(f"{name}/"): file.sha256[:12] for place, file in manifest.files.items()}
    return dict(_flat(root, (), (), contents))


def _flat(
    value: Any, place: Place, real: tuple[str | int, ...], contents: Mapping[str, str]
) -> Iterator[tuple[Place, str]]:
    """Every scalar with its place; entries of keyed lists go by their key, so that an entry more moves no other."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _flat(inner, (*place, key), (*real, key), contents)
        case list():
            for index, inner in enumerate(value):
                told = inner if isinstance(inner, Mapping) else {}
                name = next((str(told[key]) for key in list_key(real) if key in told), str(index + 1))
                yield from _flat(inner, (*place, name), (*real, index), contents)
        case SecretName():
            yield place, f"!secret {value.name}"
        case bool():
            yield place, "on" if value else "off"
        case str() if _is_file(real):
            below = sorted(f"{name[len(value) :]} {digest}" for name, digest in contents.items() if _in(name, value))
            yield place, " ".join([value.rpartition("/")[2], *below])
        case _:
            yield place, str(value)


def _is_file(real: tuple[str | int, ...]) -> bool:
    kinds = types_at(real)
    return Path in kinds or tuple[Path, ...] in kinds


def _in(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")
