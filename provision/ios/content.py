"""Files and trees of files, put among the documents of an app that shares them (facts, iOS §1: VendDocuments).

iOS has no shared storage: the profile names the app that receives them. Nothing on the device hashes its files, so they
are compared by size and by time, which is set when they are sent. The manifest (``.schoolbag.ID`` in the target folder,
written last) holds the hash of what was sent under each name, so that times may differ between benches; where it is
missing, a run was cut short, and what has our size and our time already is not sent again. Asked to look deep, every
file is read back over the cable and hashed here.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from profiles.schema import Content, IosApp, Profile
from provision.ios import ipa
from provision.ios.actions import PART, RemoveFiles, SendFiles, Sent
from provision.ios.ipa import IpaError
from provision.ios.questions import Question, Shared, SharedFile
from provision.ios.reading import value
from provision.model import Action, Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from provision.sources import ODD, Source, digest, source
from provision.text import amount, counted, printable

_NOT_THERE = ("ApplicationLookupFailed", "InstallationLookupFailed")


@dataclass(frozen=True)
class File:
    """A file on the device, or what the manifest says of it: size in bytes, time in whole seconds since 1970.

    ``sha256`` (hex) is "" where it is not known.
    """

    size: int
    time: int
    sha256: str = ""


@dataclass(frozen=True)
class Shelf:
    """What lies in the target folder, and what our manifest says was placed there, by path below it.

    ``ended``: when the manifest was written, by the device's clock. ``refused``: the device's word, where it does not
    let us look.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    placed: Mapping[str, File] = field(default_factory=dict)
    ended: int = 0
    refused: str = ""

    def untouched(self, there: File, placed: File) -> bool:
        """Since it was placed. Where a device does not let the time be set [I], it is not newer than the manifest."""
        kept = any(file.time == self.placed[name].time for name, file in self.files.items() if name in self.placed)
        return there.size == placed.size and (there.time == placed.time if kept else there.time <= self.ended)


def probes(profile: Profile, _identity: Identity, deep: bool) -> Mapping[str, Question]:
    """Listing and manifest of every entry whose app is known."""
    asked: dict[str, Question] = {}
    for entry in profile.content:
        bundle = _bundle(profile, entry)
        if isinstance(bundle, str):
            asked[f"{entry.id} files"] = Shared(bundle, entry.to, deep)
            asked[f"{entry.id} manifest"] = SharedFile(bundle, _manifest(entry))
    return asked


def parse(answers: Mapping[str, Answer], profile: Profile, _identity: Identity) -> Mapping[str, Shelf]:
    """See :class:`Shelf`; by id, only what was asked."""
    return {
        entry.id: _shelf(entry, answers[f"{entry.id} files"], answers[f"{entry.id} manifest"])
        for entry in profile.content
        if f"{entry.id} files" in answers
    }


def plan(profile: Profile, found: Mapping[str, Shelf], facts: Facts, _unit: Unit) -> Iterator[Item]:
    """One item per entry, under its id."""
    free = facts.health.storage_free
    for entry in profile.content:
        wanted, bundle = source(entry.from_), _bundle(profile, entry)
        state = (
            bundle
            if isinstance(bundle, Cannot)
            else _state(profile, entry, bundle, wanted, found.get(entry.id, Shelf()), free)
        )
        if free is not None and isinstance(state, Step):
            free = max(0, free - sum(action.size for action in state.actions))
        yield Item(
            "content",
            entry.id,
            f"{counted(len(wanted.files), 'file')} in {entry.to} of {entry.ios or 'an app'}",
            state,
            source=profile.where("content", entry.id),
            required=entry.required,
        )


def _app(profile: Profile, entry: Content) -> IosApp | None:
    return next((app.ios for app in profile.apps if app.id == entry.ios), None)


def _bundle(profile: Profile, entry: Content) -> str | Cannot:
    """The bundle identifier of the app that receives it."""
    app = _app(profile, entry)
    if app is None:
        return Cannot(
            "iOS has no storage that all apps share, and the profile names no app to put it into",
            f"Add the app that opens it to content {entry.id}: ios: ID (an id of apps).",
        )
    try:
        return ipa.bundle_of(app)
    except IpaError as error:
        return Cannot(error.what.rstrip("."), error.next_action)


def _state(
    profile: Profile, entry: Content, bundle: str, wanted: Source, shelf: Shelf, free: int | None
) -> Met | Step | Cannot:
    if wanted.odd:
        return Cannot(f"the file name {wanted.odd!a} cannot be written on a device", "Rename the file.")
    if no := _shut(profile, entry, bundle, shelf):
        return no
    files = {name: _here(path) for name, (path, _) in wanted.files.items()}
    missing = [name for name, file in files.items() if not _is_there(name, file, shelf)]
    gone = sorted(_left(shelf, files))
    if not missing and not gone:
        read = all(file.sha256 for file in shelf.files.values())
        return Met(
            f"all of it is there ({counted(len(files), 'file')}), with these {'hashes' if read else 'sizes and times'}"
        )
    need = sum(files[name].size for name in missing)
    if free is not None and need > free:
        return Cannot(
            f"it needs {amount(need)} and {amount(free)} are free",
            "Remove what is not needed from the device, or give it a smaller set.",
            in_the_way=True,
        )
    why = (
        f"{len(missing)} of {len(files)} files are missing or differ" if missing else "files of an earlier run are left"
    )
    return Step(why, tuple(_actions(entry, bundle, wanted, files, missing, gone)))


def _shut(profile: Profile, entry: Content, bundle: str, shelf: Shelf) -> Cannot | None:
    """Why nothing can be put into that app, where it is so. An app that this run installs is not there yet."""
    app = _app(profile, entry)
    comes = app is not None and app.file is not None
    if app is not None and app.file is not None and not ipa.read(app.file).shares_files:
        return Cannot(
            f"the app {bundle} takes no files over USB (UIFileSharingEnabled is not set)",
            "Have its maker switch file sharing on, or choose another app.",
        )
    if shelf.refused in _NOT_THERE:
        return None if comes else _absent(bundle)
    if shelf.refused:
        return Cannot(
            f"the device does not tell what the app {bundle} holds ({printable(shelf.refused)})",
            "Unlock it and run again.",
        )
    return None


def _absent(bundle: str) -> Cannot:
    return Cannot(
        f"the app {bundle} is not on this device, or takes no files over USB",
        "Install it first, or choose an app that shares its documents.",
    )


def _here(path: Path) -> File:
    stat = path.stat()
    return File(stat.st_size, max(0, int(stat.st_mtime)), digest(path))


def _is_there(name: str, file: File, shelf: Shelf) -> bool:
    """By hash where it was read; else by the hash that was sent, while size and time are still those; else by ours."""
    there, placed = shelf.files.get(_plain(name)), shelf.placed.get(_plain(name))
    if there is None:
        return False
    if there.sha256:
        return there.sha256 == file.sha256
    if placed is not None and shelf.untouched(there, placed):
        return placed.sha256 == file.sha256
    return (there.size, there.time) == (file.size, file.time)


def _left(shelf: Shelf, files: Mapping[str, File]) -> Iterator[str]:
    """What we placed and do not want any more, and what an interrupted run left of ours."""
    wanted = set(map(_plain, files))
    for name in shelf.files:
        if (name in shelf.placed or name.endswith(PART)) and name not in wanted:
            yield name


def _actions(
    entry: Content,
    bundle: str,
    wanted: Source,
    files: Mapping[str, File],
    missing: list[str],
    gone: list[str],
) -> Iterator[Action]:
    if gone:
        yield RemoveFiles(bundle, tuple(f"{entry.to}/{name}" for name in gone))
    listed = {name: [file.size, file.time, file.sha256] for name, file in files.items()}
    manifest = json.dumps({"v": 1, "files": listed}, ensure_ascii=False).encode()
    sent = [Sent(wanted.files[name][0], f"{entry.to}/{name}", files[name].size, files[name].time) for name in missing]
    yield SendFiles(bundle, (*sent, Sent(manifest, _manifest(entry), len(manifest))))


def _manifest(entry: Content) -> str:
    return f"{entry.to}/.schoolbag.{entry.id}"


def _shelf(entry: Content, listing: Answer, manifest: Answer) -> Shelf:
    """Anything in either that is not as we know it is left out. What was placed may be taken away, so it has to lie
    below the target folder, and the manifest is no content."""
    if listing.code != 0:
        return Shelf(refused=listing.text or "no reason")
    said = value(listing)
    files = {
        _plain(entry["path"]): File(entry["size"], entry["time"], _hash(entry.get("sha256")))
        for entry in (said if isinstance(said, list) else ())
        if isinstance(entry, dict) and _is_file(entry.get("path"), entry.get("size"), entry.get("time"))
    }
    ended = files.pop(PurePosixPath(_manifest(entry)).name, File(0, 0)).time
    return Shelf(files, _placed(value(manifest)), ended)


def _placed(data: Any) -> Mapping[str, File]:
    try:
        said = json.loads(data) if isinstance(data, bytes) else {}
    except (ValueError, RecursionError):
        return {}
    listed = said.get("files") if isinstance(said, dict) else None
    return {
        _plain(name): File(row[0], row[1], _hash(row[2]))
        for name, row in (listed if isinstance(listed, dict) else {}).items()
        if isinstance(row, list) and len(row) == 3 and _is_file(name, row[0], row[1])
    }


def _is_file(name: Any, size: Any, time: Any) -> bool:
    if not isinstance(name, str) or not isinstance(size, int) or not isinstance(time, int) or ODD.search(name):
        return False
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _hash(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _plain(name: str) -> str:
    """One spelling of letters with accents: older systems take them apart."""
    return unicodedata.normalize("NFC", name)
