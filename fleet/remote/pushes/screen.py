"""What is said of pushes: the plan, the live picture, how they stand."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fleet.remote.pushes.planning import Planned
from fleet.remote.pushes.wants import Stand, UnitStand
from fleet.remote.pushes.work import BUSY, State, Wave, Work
from fleet.remote.waves.kept import Push
from fleet.remote.waves.kept import State as PushState
from provision.screen import table, text
from provision.text import amount, counted, local_time

_MOST = 12
_STYLES = {State.DONE: "green", State.FAILED: "red"}


def planned(found: Sequence[Planned], release: int) -> Iterable[RenderableType]:
    """Which sites, how much, how long, what changes."""
    if not found:
        yield Text("No site would get it: fleet site list")
        return
    rows = table("Wave", "Site", "Has", "To send", "Time", "Units", "Settings that change")
    for one in found:
        settings = ", ".join(f"{name} {number}" for name, number in sorted(one.settings.items())) or "none"
        other = f"; {one.other} have another profile" if one.other else ""
        cells = (one.wave, one.site, one.reported or "nothing", amount(one.bytes), _time(one.seconds), one.units)
        rows.add_row(*map(text, (*cells, settings + other)))
    yield rows
    total, number = sum(one.bytes for one in found), sum(one.units for one in found)
    yield Text(
        f"Release {release} to {counted(len(found), 'site')}, {counted(number, 'unit')}: {amount(total)} at most."
    )


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "not measured"
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def pictured(push: Push, waves: Sequence[Wave], shown: Sequence[Work]) -> Iterable[RenderableType]:
    """How a push stands: its waves, who is at work, who failed and what to do."""
    why = f" ({push.why})" if push.why else ""
    yield Text(f"{push.name}, release {push.release}: {push.state}{why}", "bold")
    rows = table("Wave", "Sites", "Done", "At work", "Waiting", "Off", "Failed")
    for wave in waves:
        waiting = wave.of(State.WAITING) - wave.off
        cells = (wave.number, wave.total, wave.of(State.DONE), wave.of(*BUSY), waiting, wave.off, wave.failed)
        rows.add_row(*map(text, cells))
    yield rows
    if shown:
        yield _sites(shown[:_MOST])
    if len(shown) > _MOST:
        yield Text(f"and {len(shown) - _MOST} more: fleet push status {push.name} --all")


def every_site(shown: Iterable[Work]) -> RenderableType:
    """All sites of a push."""
    return _sites(shown)


def _sites(shown: Iterable[Work]) -> Table:
    rows = table("Site", "State", "Sent", "Devices", "What")
    for one in shown:
        sent = f"{amount(one.sent)} of {amount(one.total)}" if one.total else ""
        devices = ", ".join(f"{number} {verdict}" for verdict, number in sorted(one.verdicts.items()))
        what = f"{one.error} {one.next_action}".strip()
        if one.state is State.WAITING and one.attempts + len(one.error):
            what = f"{one.error} Again at {local_time(one.next_at)}.".strip()
        rows.add_row(text(one.site), text(one.state, _STYLES.get(one.state, "")), *map(text, (sent, devices, what)))
    return rows


def units(
    push: Push, counts: Mapping[str, Mapping[Stand, int]], found: Sequence[UnitStand]
) -> Iterable[RenderableType]:
    """Unit by unit: what it should have, and what was read back of it."""
    total = {stand: sum(one[stand] for one in counts.values()) for stand in Stand}
    number = sum(total.values())
    yield Text(
        f"{push.name}, release {push.release}: {counted(number, 'unit')}; {total[Stand.MET]} have it, "
        f"{total[Stand.FAILED]} failed, {total[Stand.LEFT]} to come.",
        "bold",
    )
    rows = table("Site", "Unit", "Should have", "Was read back", "At", "What")
    for one in found:
        has = {Stand.MET: f"as it should be ({one.verdict})", Stand.FAILED: "failed"}
        what = f"{one.error} {one.next_action}".strip() if one.stand is Stand.FAILED else ""
        read = has.get(one.stand, f"another {one.has_profile} ({one.verdict})")
        wanted = f"{one.profile} of release {one.release}"
        rows.add_row(*map(text, (one.site, one.tag or one.serial, wanted, read, local_time(one.looked_at), what)))
    if found:
        yield rows
    if len(found) == UNITS:
        yield Text("There may be more: --json has them all.")


UNITS = 200
"""Units that are shown at once."""


def listed(found: Sequence[Push]) -> Iterable[RenderableType]:
    """All pushes, newest first."""
    if not found:
        yield Text("Nothing was pushed yet: fleet push RELEASE --plan")
        return
    rows = table("Push", "Release", "Via", "State", "Begun", "By", "Why")
    for one in found:
        rows.add_row(*map(text, (one.name, one.release, one.via, one.state, local_time(one.at), one.actor, one.why)))
    yield rows


def ended(push: Push, waves: Sequence[Wave]) -> str:
    """What to do now, in one line."""
    left, failed = sum(one.of(State.WAITING, *BUSY) for one in waves), sum(one.failed for one in waves)
    match push.state:
        case PushState.DONE if not failed:
            return f"Release {push.release} is in force at {counted(sum(one.total for one in waves), 'site')}."
        case PushState.DONE:
            return f"Over; {counted(failed, 'site')} need somebody. Then again: fleet push {push.release}"
        case PushState.PAUSED:
            return f"Paused: {push.why}. See to them, then: fleet push resume {push.name}"
        case PushState.RUNNING:
            return f"{counted(left, 'site')} still to come. Later: fleet push {push.release}; --wait stays with it."
    return f"{push.name} is {push.state}: {push.why}."


def left(push: Push, workers: int) -> str:
    """That the workers do it, in one line."""
    who = f"{counted(workers, 'worker')} at it." if workers else "No worker runs yet: fleet worker."
    return f"{push.name}, of release {push.release}, is {push.state}; {who} How it stands: fleet push status --watch"


class Board:
    """The live picture while a push runs; a line per site that is done or failed where there is no terminal."""

    def __init__(self, out: Console, release: int) -> None:
        self._out = out
        self._release = release
        self._busy: dict[str, tuple[State, dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._ended = {State.DONE: 0, State.FAILED: 0}
        self._live = Live(get_renderable=self.picture, console=out, refresh_per_second=4, transient=True)

    def __enter__(self) -> Board:
        if self._out.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._out.is_terminal:
            self._live.stop()

    def emit(self, site: str, state: State, fields: dict[str, Any]) -> None:
        """From any thread."""
        with self._lock:
            if state in BUSY:
                known = self._busy.get(site, (state, {}))[1]
                self._busy[site] = (state, {**known, **fields})
                return
            self._busy.pop(site, None)
            if state in self._ended:
                self._ended[state] += 1
        what = f" {fields['error']} {fields.get('next_action', '')}" if fields.get("error") else ""
        self._out.print(text(f"{site}: {state}.{what}".strip(), _STYLES.get(state, "")))

    def picture(self) -> RenderableType:
        """Who is at work."""
        with self._lock:
            busy = sorted(self._busy.items())
            done, failed = self._ended[State.DONE], self._ended[State.FAILED]
        rows = table("Site", "State", "Sent")
        for site, (state, told) in busy[:_MOST]:
            sent = f"{amount(told['sent'])} of {amount(told['total'])}" if told.get("total") else ""
            rows.add_row(text(site), text(state), text(sent))
        head = Text(f"Release {self._release}: {done} done, {failed} failed, {len(busy)} at work", "bold")
        return Group(head, rows) if busy else head
