"""Losses that repeat and faults that stand out, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from fleet.account.custody.losses import LEAST, Fault, Repeat
from provision.screen import table, text
from provision.text import local_time

_MOST = 40


def losses(repeats: Sequence[Repeat], faults: Sequence[Fault]) -> Iterable[RenderableType]:
    if repeats:
        yield Text("Lost more than once:", "bold")
        grid = table("WHO", "STUDENTS", "LOSSES", "LAST")
        for repeat in repeats[:_MOST]:
            keys = ", ".join(f"{key[0]}-{key[1:]}" for key in repeat.students)
            grid.add_row(text(repeat.of), text(keys), text(repeat.losses), text(local_time(repeat.last)))
        yield grid
        yield from _more(len(repeats))
    else:
        yield Text("Nobody lost more than one unit.")
    yield Text()
    yield from _faults(faults)


def _faults(faults: Sequence[Fault]) -> Iterable[RenderableType]:
    if not faults:
        yield Text("No faults were recorded.")
        return
    yield Text("Faults:", "bold")
    grid = table("", "NAME", "FAULT", "HERE", "ELSEWHERE", "")
    for fault in faults[:_MOST]:
        here, elsewhere = f"{fault.units} of {fault.total}", f"{fault.rest_units} of {fault.rest_total}"
        verdict = text("above the rest", "bold red") if fault.above else text(_why_not(fault))
        grid.add_row(text(fault.of), text(fault.name), text(fault.fault), text(here), text(elsewhere), verdict)
    yield grid
    yield from _more(len(faults))


def _why_not(fault: Fault) -> str:
    if fault.units < LEAST:
        return "too few to tell"
    return "no others to compare with" if not fault.rest_total else ""


def _more(number: int) -> Iterable[RenderableType]:
    if number > _MOST:
        yield Text(f"… and {number - _MOST} more; --json has them all.")
