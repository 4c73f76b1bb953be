"""Files and trees of files on the shared storage: put into place by :mod:`provision.android.placing`.

The manifest (``.schoolbag.ID`` in the target folder, written last) holds sizes, times and hashes as the phone gave
them: while sizes and times are those of the manifest its hashes are believed, otherwise the phone hashes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from profiles.schema import Content, Profile
from provision.android.actions import Run, Send, Sent
from provision.android.command import Command, script
from provision.android.placing import PART, TOOL, Placed, digest, folders_of, known_tool, place
from provision.model import Action, Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from provision.sources import ODD, Source, source
from provision.text import amount

STORAGE = PurePosixPath("/sdcard")

_OURS = f"find \"$@\" -type f ! -name '*{PART}'"
_STATS = f"{_OURS} -exec stat -c '%s %Y %n' {{}} + 2>/dev/null | sort | sed 's/^/stat /'"

_LOOK = f"""
manifest=".schoolbag.$2"; deep="$3"
{TOOL}
echo "tool $h"
cd "$1" 2>/dev/null || exit 0
shift 3
find . -name '*{PART}' -type f 2>/dev/null | head -n 1 | sed 's/^/part /'
stats="$(grep '^stat ' "$manifest" 2>/dev/null)"
if [ -n "$stats" ] && [ -z "$deep" ] && [ "$({_STATS})" = "$stats" ]; then
  sed 's/^hash /placed /' "$manifest"; grep '^hash ' "$manifest"
else
  [ -f "$manifest" ] && sed 's/^hash /placed /' "$manifest"
  {_OURS} -exec $h {{}} + 2>/dev/null | sed 's/^/hash /'
fi
"""

_REMOVE = """
cd "$1" || exit 0
shift
rm -f "$@"
for d in "$@"; do
  while d="${d%/*}"; [ "$d" != . ]; do rmdir "$d" 2>/dev/null || break; done
done
"""

_FINISH = f"""
cd "$1" || exit 1
manifest=".schoolbag.$2"
shift 2
{_STATS} >> "$manifest{PART}" && mv -f "$manifest{PART}" "$manifest"
"""


@dataclass(frozen=True)
class Tree:
    """What lies at the target: hash (hex) of each file by its path below the target folder; ``placed`` by us.

    ``cut_short``: an interrupted run left something that has to go.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    placed: frozenset[str] = frozenset()
    tool: str = "sha256sum"
    cut_short: bool = False


def probes(profile: Profile, identity: Identity, deep: bool) -> Mapping[str, Command]:  # noqa: ARG001
    wanted = {entry: source(entry.from_) for entry in profile.content}
    return {
        entry.id: script(_LOOK, _target(entry), entry.id, "deep" if deep else "", *_tops(files))
        for entry, files in wanted.items()
        if not files.odd
    }


def parse(answers: Mapping[str, Answer], profile: Profile, identity: Identity) -> Mapping[str, Tree]:  # noqa: ARG001
    return {name: _tree(answer.text) for name, answer in answers.items()}


def plan(profile: Profile, found: Mapping[str, Tree], facts: Facts, unit: Unit) -> Iterator[Item]:  # noqa: ARG001
    free = facts.health.storage_free
    for entry in profile.content:
        wanted = source(entry.from_)
        state = _state(entry, wanted, found.get(entry.id, Tree()), free)
        if free is not None and isinstance(state, Step):
            free -= sum(action.size for action in state.actions)
        yield Item(
            "content",
            entry.id,
            f"{len(wanted.files)} files in {entry.to}",
            state,
            source=profile.where("content", entry.id),
            required=entry.required,
        )


def _state(entry: Content, wanted: Source, there: Tree, free: int | None) -> Met | Step | Cannot:
    if wanted.odd:
        return Cannot(f"the file name {wanted.odd!a} cannot be written on a phone", "Rename the file.")
    hashes = {name: digest(path, there.tool) for name, (path, _) in wanted.files.items()}
    missing = [name for name, value in hashes.items() if there.hashes.get(name) != value]
    gone = _gone(there.placed, hashes, missing)
    if not missing and not gone and not there.cut_short:
        return Met(f"all {len(hashes)} files are there, with these hashes")
    need = sum(wanted.files[name][1] for name in missing)
    if free is not None and need > free:
        return Cannot(
            f"it needs {amount(need)} and {amount(free)} are free",
            "Remove what is not needed from the device, or give it a smaller set.",
            in_the_way=True,
        )
    why = (
        f"{len(missing)} of {len(hashes)} files are missing or differ"
        if missing
        else "files of an earlier run are left"
    )
    return Step(why, tuple(_actions(entry, wanted, hashes, missing, gone, there.tool)))


def _gone(placed: Iterable[str], wanted: Iterable[str], missing: Iterable[str]) -> list[str]:
    """What we placed and do not want any more.

    Names that differ in capitals only are one file to most phones: it goes only where it has to come back as wanted.
    """
    wanted, missing = set(wanted), {name.casefold() for name in missing}
    stays = {name.casefold() for name in wanted} - missing
    return sorted(name for name in placed if name not in wanted and name.casefold() not in stays)


def _actions(
    entry: Content, wanted: Source, hashes: Mapping[str, str], missing: Iterable[str], gone: list[str], tool: str
) -> Iterator[Action]:
    target = _target(entry)
    if gone:
        # First of all, because what differs in capitals only would take the old file's name.
        below = (f"./{name}" for name in gone)
        yield Run(script(_REMOVE, target, *below, says=f"remove {len(gone)} files of before"))
    files = (Placed(wanted.files[name][0], name, wanted.files[name][1], hashes[name]) for name in missing)
    yield from place(target, files, folders_of(hashes), tool)
    listed = "".join(f"hash {value}  {name}\n" for name, value in hashes.items()).encode()
    yield Send((Sent(listed, f"{target}/.schoolbag.{entry.id}{PART}", len(listed)),))
    yield Run(script(_FINISH, target, entry.id, *_tops(wanted), says="write the manifest"))


def _tree(text: str) -> Tree:
    """Lines ``tool NAME``, ``hash HEX  PATH``, ``placed HEX  PATH``, ``part PATH``; anything else is left out.

    What was ``placed`` is what the phone's manifest says, and may be taken away: only what lies below the target.
    """
    tool = "sha256sum"
    hashes: dict[str, str] = {}
    placed: set[str] = set()
    cut_short = False
    for line in text.split("\n"):
        kind, _, rest = line.partition(" ")
        value, _, name = rest.partition("  ")
        name = name.removeprefix("./")
        if kind == "tool":
            tool = known_tool(rest)
        elif kind == "hash":
            hashes[name] = value
        elif kind == "placed" and _is_below(name):
            placed.add(name)
        elif kind == "part":
            cut_short = True
    return Tree(hashes, frozenset(placed), tool, cut_short)


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and not ODD.search(name)


def _target(entry: Content) -> str:
    return str(STORAGE / entry.to)


def _tops(wanted: Source) -> list[str]:
    """The names directly below the target folder that are ours: a pupil's own files beside them do not count."""
    return sorted({f"./{PurePosixPath(name).parts[0]}" for name in wanted.files})
