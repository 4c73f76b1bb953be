"""Places, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from fleet.account.custody.machine import words
from fleet.account.custody.place_units import Counted
from fleet.account.custody.places import Place
from provision.screen import table, text
from provision.text import counted, local_time


def listed(found: Sequence[Place], held: Mapping[str, Mapping[str, int]]) -> Iterable[RenderableType]:
    if not found:
        yield Text("No such place yet; fleet place add makes one.")
        return
    grid = table("PLACE", "KIND", "NAME", "AREA", "UNITS")
    grid.columns[0].no_wrap = True
    for one in found:
        grid.add_row(text(one.place), text(one.kind), text(one.name), text(one.area), states(held.get(one.place, {})))
    yield grid


def shown(found: Place, held: Mapping[str, int], counts: Sequence[Counted]) -> Iterable[RenderableType]:
    yield text(" · ".join(part for part in (found.place, found.kind, found.name, found.area) if part), "bold")
    yield Text.assemble("Units: ", states(held))
    for one in counts:
        yield text(
            f"Counted {local_time(one.at)}: {one.found} of {one.expected} found, "
            f"{counted(one.unexpected, 'unit')} not expected here, {one.variance:+d}"
        )


def states(held: Mapping[str, int]) -> Text:
    """``40 at school, 2 in transit``."""
    return text(", ".join(f"{number} {words(state)}" for state, number in sorted(held.items())) or "none")
