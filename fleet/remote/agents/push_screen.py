"""What is said of pushes by way of agents: the plan, and how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from fleet.remote.agents.gate import Wave
from fleet.remote.agents.planning import Plan, Planned
from fleet.remote.agents.stands import UnitStand
from fleet.remote.waves.kept import Push, State
from provision.screen import table, text
from provision.text import amount, counted, local_time

UNITS = 200
"""Units that are shown at once."""


def planned(found: Plan, release: int) -> Iterable[RenderableType]:
    """How many, what changes, how much, and what waits for Wi-Fi."""
    if found.waves:
        rows = table("Wave", "Units", "Each fetches", "Above ¼ of a day", "Settings that change")
        for one in found.waves:
            settings = ", ".join(f"{name} {number}" for name, number in sorted(one.settings.items())) or "none"
            cells = (one.wave, one.units, f"{amount(one.most)} at most", _above(one), settings)
            rows.add_row(*map(text, cells))
        yield rows
    waits: dict[str, int] = {}
    for one in found.waves:
        for name, number in one.waits.items():
            waits[name] = waits.get(name, 0) + number
    yield from (text(f"{name} waits for Wi-Fi at {counted(number, 'unit')}.") for name, number in sorted(waits.items()))
    if waits:
        yield Text("All else that these units are to fetch, or to lose, waits with it; restrictions do not wait.")
    yield from (text(f"{name} is of several parts: no agent can install it.", "yellow") for name in found.left_out)
    if found.without_agent:
        yield text(
            f"Not reached: {counted(found.without_agent, 'unit')} that left the bench without an agent; "
            "what the profile asks of an owner takes a bench there.",
            "yellow",
        )
    number, total = sum(one.units for one in found.waves), sum(one.bytes for one in found.waves)
    yield Text(f"Release {release} to {counted(number, 'unit')} at home: {amount(total)} in all.")


def _above(one: Planned) -> str:
    return f"{one.above} of {one.known}" if one.known else "no quota known"


def pictured(push: Push, waves: Sequence[Wave]) -> Iterable[RenderableType]:
    """How a push stands: wanted, fetched and confirmed are three things."""
    why = f" ({push.why})" if push.why else ""
    yield text(f"{push.name}, release {push.release}, via agents: {push.state}{why}", "bold")
    rows = table("Wave", "Units", "Wanted", "Fetched", "Confirmed", "Failed", "Silent")
    for wave in waves:
        name = str(wave.number) if wave.number <= push.wave else f"{wave.number}, not open"
        cells = (name, wave.total, wave.wanted, wave.fetched, wave.confirmed, wave.failed, wave.silent)
        rows.add_row(*map(text, cells))
    yield rows
    if push.state is State.PAUSED:
        yield text(
            f"fleet push status --units shows which units. See to them, then: fleet push resume {push.name}; "
            f"or end it: fleet push abort {push.name}"
        )


def units(push: Push, found: Sequence[UnitStand]) -> Iterable[RenderableType]:
    """Unit by unit."""
    yield text(f"{push.name}, release {push.release}, via agents: {push.state}", "bold")
    rows = table("Wave", "Unit", "Should have", "Stands", "Last contact", "What")
    for one in found:
        at = {"fetched": one.fetched_at, "confirmed": one.confirmed_at}.get(one.stand)
        stands = f"{one.stand}, {local_time(at)}" if at else one.stand
        seen = local_time(one.seen_at) if one.seen_at else "never"
        cells = (one.wave, one.tag or one.serial, one.profile, stands, seen, "; ".join(one.drift))
        rows.add_row(*map(text, cells))
    if found:
        yield rows
    if len(found) == UNITS:
        yield Text("There may be more: --json has them all.")


def begun(push: Push, waves: Sequence[Wave]) -> str:
    """What has begun, or how it ended, in one line."""
    number = sum(wave.total for wave in waves)
    match push.state:
        case State.DONE:
            left = number - sum(wave.confirmed for wave in waves)
            late = f"; {counted(left, 'unit')} will be given it when they come" if left else ""
            return f"Release {push.release} is with the units that came{late}."
        case State.RUNNING:
            return (
                f"Release {push.release} is wanted for {counted(number, 'unit')} in {counted(len(waves), 'wave')}: "
                "fleet serve gives it to those that come. How it stands: fleet push status"
            )
    return f"{push.name} is {push.state}: {push.why}."
