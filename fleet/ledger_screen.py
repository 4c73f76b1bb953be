"""What is said of the ledger, its exports and merges, and of the database that holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from fleet.database_copy import Restored
from fleet.database_state import State
from fleet.ledger import Broken, Verified
from fleet.ledger_file import Header
from fleet.ledger_merge import Merged
from provision.screen import text
from provision.text import counted, local_time, printable


def verified(
    found: Verified | Broken, names: Mapping[str, str], differ: Sequence[str] | None = None
) -> Iterable[RenderableType]:
    """That the ledger is whole, or the first place that does not hold. ``differ``: what benches said differently, where
    that was asked for."""
    if isinstance(found, Broken):
        place = f"event {found.seq} of bench {_bench(found.bench, names)}"
        yield Text(f"The ledger is broken: {place} {found.why}.", "bold red")
        yield Text("Keep this registry as it is, and compare it with a copy from before.")
        return
    yield Text(f"The ledger is whole: {counted(found.events, 'event')}, {counted(len(found.ends), 'chain')}.")
    for end in found.ends:
        yield text(f"{_bench(end.bench, names)} ends with event {end.seq}: {end.hash}")
    yield from (text(sentence, "yellow") for sentence in differ or ())
    if differ == ():
        yield Text("No two benches say different things.")


def exported(header: Header, file: str) -> Iterable[RenderableType]:
    """What is in the file, and what is not."""
    yield text(f"{file}: {_content(header)}.")
    if not header.names:
        yield Text("No names are in it.")


def merged(found: Merged, *, plan: bool = False) -> Iterable[RenderableType]:
    """What was new, and what people have to put right."""
    new = f"{counted(found.events, 'event')}, {counted(found.health, 'reading')}, {counted(found.names, 'name')}"
    yield Text(f"{'Would be taken over' if plan else 'Taken over'}: {new}; {found.known} events were known.")
    for name in found.benches:
        yield text(f"  bench {name}")
    for sentence in found.twice:
        yield text(sentence, "yellow")
    if found.twice:
        yield Text("Give one of them another: fleet unit tag SERIAL TAG.")
    for sentence in found.differ:
        yield text(sentence, "yellow")
    if found.differ:
        yield Text("Benches said two things, and the later one holds: ask both which is right.")
    for sentence in found.alike:
        yield text(sentence, "yellow")
    if found.alike:
        yield Text("Look at the label of each; where it is one: fleet unit join ONE OTHER.")
    for sentence in found.keys:
        yield text(sentence, "yellow")
    if found.keys:
        yield Text("A child in lists of two keys is two students, and nobody can tell. No names were taken over.")


def backed_up(header: Header, file: str) -> Iterable[RenderableType]:
    """What is in the backup, and what has to be kept beside it."""
    yield text(f"{file}: {_content(header)}; read back, and whole.")
    yield Text("The keys are not in it: 'fleet vault backup' and 'fleet supervision backup' keep those.")


def restored(found: Restored) -> Iterable[RenderableType]:
    """What is there now."""
    yield Text(
        f"Restored: {counted(found.events, 'event')}, {counted(found.health, 'reading')}, "
        f"{counted(found.names, 'name')}."
    )
    if found.new_bench:
        yield Text("This bench goes on with a chain of its own.")


def state(found: State) -> Iterable[RenderableType]:
    """Where the registry is and how it is."""
    rows = {
        "Registry": found.database,
        "Kept by": found.engine,
        "Version": _version(found),
        "Size": f"{found.bytes / 1e6:.1f} MB" if found.bytes is not None else "",
        "Units": str(found.units) if found.units is not None else "",
        "Events": f"{found.events} in {counted(found.chains or 0, 'chain')}" if found.events is not None else "",
        "Last event": local_time(found.last) if found.last else "",
    }
    for name, value in rows.items():
        if value:
            yield Text.assemble((f"{name:<11}", "bold"), text(value))


def _version(found: State) -> str:
    if found.version is None:
        return "none yet: the first command that writes makes it"
    if found.version == found.newest:
        return f"{found.version}, up to date"
    return f"{found.version}; this fleet has {found.newest}: 'fleet database upgrade'"


def _content(header: Header) -> str:
    chains = counted(len(header.chains), "chain")
    parts = f"{counted(header.events, 'event')} in {chains}, {counted(header.health, 'reading')}"
    return f"{parts}, {counted(header.names, 'name')}" if header.names else parts


def _bench(bench: str, names: Mapping[str, str]) -> str:
    return f"{printable(names[bench])} ({printable(bench)})" if bench in names else printable(bench)
