"""Files put into place on the phone's shared storage: sent under another name, hashed there, then renamed.

So a pulled cable leaves no half file in place, and what was renamed is never sent again. ``sha256sum`` is missing on
some Android 7 (inferred), where ``md5sum`` does: this guards against broken transfers, not against forgery.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from provision import sources
from provision.android.actions import Run, Send, Sent
from provision.android.command import script
from provision.model import Action

PART = ".schoolbag-part"

TOOL = "h=sha256sum; command -v $h >/dev/null 2>&1 || h=md5sum"
"""Shell: ``$h`` is the hashing tool of this phone."""

_GROUP = 32 * 1024 * 1024
"""Bytes sent between two renames: what a pulled cable can cost."""

_CLEAN = f"""
mkdir -p "$1" && cd "$1" || exit 1
find . -name '*{PART}' -type f -exec rm -f {{}} +
shift
for d in "$@"; do mkdir -p "$d" || exit 1; done
"""

_PLACE = f"""
h="$1"; cd "$2" || exit 1
shift 2
while [ $# -gt 1 ]; do
  [ "$($h < "$2{PART}" | cut -d ' ' -f 1)" = "$1" ] || {{ echo "damaged: $2"; exit 1; }}
  mv -f "$2{PART}" "$2" || exit 1
  shift 2
done
"""


@dataclass(frozen=True)
class Placed:
    """A file here, its name below the target folder, its size, and its hash as the phone's tool prints it."""

    source: Path
    name: str
    size: int
    digest: str


def place(target: str, files: Iterable[Placed], folders: Iterable[str], tool: str) -> Iterator[Action]:
    """Make ``target`` and its ``folders``, clear what an interrupted run left, send the files and rename them."""
    below = (f"./{folder}" for folder in folders)
    yield Run(script(_CLEAN, target, *below, says=f"make {target!r}, clear what was cut short"))
    for group in _groups(files):
        yield Send(tuple(Sent(file.source, f"{target}/{file.name}{PART}", file.size) for file in group))
        words = (word for file in group for word in (file.digest, f"./{file.name}"))
        yield Run(script(_PLACE, tool, target, *words, says=f"check {len(group)} hashes, rename into place"))


def folders_of(names: Iterable[str]) -> list[str]:
    """The folders that files of these names need below their target."""
    return sorted({str(PurePosixPath(name).parent) for name in names} - {"."})


def _groups(files: Iterable[Placed]) -> Iterator[list[Placed]]:
    group: list[Placed] = []
    for file in files:
        group.append(file)
        if sum(one.size for one in group) >= _GROUP:
            yield group
            group = []
    if group:
        yield group


def digest(path: Path, tool: str) -> str:
    """What ``tool`` (sha256sum or md5sum) prints of ``path``, hex."""
    return sources.digest(path, tool.removesuffix("sum"))


def known_tool(said: str) -> str:
    """The hashing tool that a phone named; only these two are ever run."""
    return "md5sum" if said.strip() == "md5sum" else "sha256sum"
