"""What is said of releases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.remote.releases.build import Built
from fleet.remote.releases.difference import Difference
from fleet.remote.releases.keys import PublicKey
from fleet.remote.releases.manifest import Manifest
from fleet.remote.releases.records import Record
from provision.screen import text
from provision.text import amount, counted, local_time


def key(found: PublicKey, *, made: bool) -> Iterable[RenderableType]:
    """The public key, and what a person compares."""
    if made:
        yield Text("A key was made that signs releases. Back up releases/key.pem of the home: sites take no other.")
    yield text(found.text)
    yield text(found.fingerprint)


def built(found: Built) -> Iterable[RenderableType]:
    """The release that came of it."""
    manifest = found.manifest
    if found.new:
        yield Text(f"Release {manifest.number}: {_content(manifest)}, signed.")
        yield Text(f"Send it: fleet push {manifest.number} --plan")
    else:
        yield Text(f"Release {manifest.number} is the same already. Nothing was built.")


def listed(records: Iterable[Record], current: int | None) -> Iterable[RenderableType]:
    """All of them, newest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, right in (("Release", True), ("Built", False), ("Profiles", False), ("Size", True), ("Note", False)):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for one in records:
        number = f"{'* ' if one.number == current else ''}{one.number}"
        cells = (number, local_time(one.at), ", ".join(sorted(one.profiles)), amount(one.bytes), one.note)
        table.add_row(*map(text, cells))
    yield table if table.row_count else Text("No release was built yet: fleet release build PROFILE… --note TEXT")


def shown(manifest: Manifest, by: str) -> Iterator[RenderableType]:
    """One release, with its profiles and largest files."""
    yield Text(f"Release {manifest.number}, built {local_time(manifest.at)} by {by or 'another hub'}.", "bold")
    if manifest.note:
        yield text(manifest.note)
    yield Text(f"{_content(manifest)}; manifest {manifest.digest[:12]}")
    for name, digest in sorted(manifest.profiles.items()):
        yield text(f"  {name} {digest[:12]}")
    for place, file in sorted(manifest.files.items(), key=lambda pair: -pair[1].size)[:_FILES]:
        yield text(f"  {amount(file.size):>9}  {place}")
    if len(manifest.files) > _FILES:
        yield Text(f"  and {len(manifest.files) - _FILES} smaller files")


_FILES = 20


def difference(found: Difference, before: int, after: int) -> Iterable[RenderableType]:
    """What the second has otherwise."""
    same = not (found.changes or found.profiles_new or found.profiles_gone)
    yield Text(f"From release {before} to {after}: {'no difference' if same else amount(found.new_bytes) + ' new'}.")
    for word, names in (("new profile", found.profiles_new), ("no longer there", found.profiles_gone)):
        for name in names:
            yield text(f"  {name}: {word}")
    for change in found.changes:
        yield text(f"  {change.profile}: {change.place}: {change.before or 'nothing'} → {change.after or 'nothing'}")


def verified(manifest: Manifest) -> Iterable[RenderableType]:
    """That everything is what it was."""
    yield Text(f"Release {manifest.number} is whole: signature and {counted(len(manifest.files), 'file')} hold.")


def _content(manifest: Manifest) -> str:
    profiles, files = counted(len(manifest.profiles), "profile"), counted(len(manifest.files), "file")
    return f"{profiles}, {files}, {amount(sum(manifest.blobs.values()))}"
