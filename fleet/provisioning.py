"""Many devices at once: each is run on a thread of its own, and its report goes into the registry as it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fleet.buglog import Bug, as_error
from fleet.errors import HomeError
from fleet.home import Home
from fleet.sinks import Sinks
from fleet.tags import checked_prefix
from fleet.units import Registry
from profiles.errors import SchoolbagError
from profiles.schema import Profile
from provision.android.device import AndroidDevice
from provision.bench import Attached, side_by_side
from provision.lanes import Lane, Lanes
from provision.lines import Lines
from provision.model import Report, Unit, Verdict
from provision.progress import Emit, Progress, now
from provision.run import Mode, report_fields, run


@contextmanager
def run_log(home: Home) -> Iterator[Lines]:
    """The log of one run: what it says while it works, as JSON lines, in a file of its own in the home folder."""
    name = f"{now().replace(':', '')}-{os.getpid()}.jsonl"
    try:
        file = (home.runs() / name).open("x", encoding="utf-8")
    except OSError as error:
        raise HomeError(f"No run log can be written in {home.path}: {error.strerror}.", "Free some space.") from error
    try:
        yield Lines(file)
    finally:
        with contextlib.suppress(OSError):  # the disk is full: its last lines are lost, and Sinks has told it
            file.close()


@dataclass(frozen=True)
class Order:
    """What a command asks of every device."""

    profile: Profile
    mode: Mode = Mode.PROVISION
    allow: str = ""
    deep: bool = False
    tag_prefix: str | None = None


@dataclass(frozen=True)
class Summary:
    """How it ended: devices by verdict, and the steps applied to all of them together.

    ``silent``: a sentence for each listener that could not be told all. ``bug``: something of ours broke.
    """

    reports: tuple[Report, ...]
    interrupted: bool = False
    silent: tuple[str, ...] = ()
    bug: bool = False

    def fields(self) -> dict[str, object]:
        """The last JSON line (docs/json.md, ``summary``)."""
        count = {verdict: sum(r.verdict is verdict for r in self.reports) for verdict in Verdict}
        return {
            "devices": len(self.reports),
            **{str(verdict): count[verdict] for verdict in (Verdict.VERIFIED, Verdict.PARTIAL, Verdict.FAILED)},
            "steps": sum(report.steps for report in self.reports),
        }

    def exit_code(self, *, strict: bool) -> int:
        """130 when it was interrupted, 3 at a bug, 1 when a device failed (``strict``: or is partial) or all could not
        be told, else 0."""
        bad = {Verdict.FAILED, Verdict.PARTIAL} if strict else {Verdict.FAILED}
        if self.interrupted:
            return 130
        if self.bug:
            return 3
        return int(bool(self.silent) or any(report.verdict in bad for report in self.reports))


@dataclass(frozen=True)
class Ended:
    """What came of one device. ``error`` is what kept its run or its record from being made."""

    report: Report
    error: SchoolbagError | None = None


def provision(places: Sequence[Attached], order: Order, registry: Registry, sinks: Sinks) -> Summary:
    """Carry out ``order`` on every one of ``places``, side by side. What ends one device's run ends no other's.

    At Ctrl-C every link is closed, and each run says so in its report. Raises UnitError and RegistryError before any
    device is worked on, and not after.
    """

    interrupted = False

    def stop() -> bool:
        nonlocal interrupted
        interrupted = True
        for place in places:
            if place.device:
                place.device.stop()
        return True

    if order.tag_prefix is not None:
        checked_prefix(order.tag_prefix)
    lanes = Lanes()
    jobs = [(place, _unit(place, order, registry), lanes.to(place.port)) for place in places]
    ended = side_by_side(lambda job: _one(*job, order, registry, sinks.emit), jobs, stop)
    bug = any(isinstance(end.error, Bug) for end in ended)
    return Summary(tuple(end.report for end in ended), interrupted, sinks.told(), bug)


def carry_out(place: Attached, order: Order, registry: Registry, emit: Emit, lane: Lane) -> Ended:
    """Carry out ``order`` on one device and record it. Raises UnitError and RegistryError only before it is touched."""
    return _one(place, _unit(place, order, registry), lane, order, registry, emit)


def _unit(place: Attached, order: Order, registry: Registry) -> Unit:
    """One after another, so that new tags follow the order of the ports."""
    if place.device is None:
        return Unit()
    prefix = order.tag_prefix if order.mode is Mode.PROVISION else None
    return registry.unit_for(place.device.identity, tag_prefix=prefix)


def _one(place: Attached, unit: Unit, lane: Lane, order: Order, registry: Registry, emit: Emit) -> Ended:
    """Never raises. The report is told when it has been recorded."""
    if place.device is None:
        assert place.problem is not None
        ended = Ended(_failed(place, unit, order, place.problem))
    else:
        ended = _held(place, place.device, unit, lane, order, registry, _but_reports(emit))
    who = ended.report.identity
    emit(Progress("report", place.address, who.serial if who else "", unit.tag, report_fields(ended.report)))
    return ended


def _but_reports(emit: Emit) -> Emit:
    """A run tells its report before it is recorded, which is too early to be believed."""

    def tell(progress: Progress) -> None:
        if progress.event != "report":
            emit(progress)

    return tell


def _held(
    place: Attached, device: AndroidDevice, unit: Unit, lane: Lane, order: Order, registry: Registry, emit: Emit
) -> Ended:
    alone = registry.home.hold(device.identity.serial) if order.mode is Mode.PROVISION else contextlib.nullcontext()
    try:
        with alone:
            return _recorded(_worked(place, device, unit, lane, order, emit), order, registry)
    except SchoolbagError as error:  # somebody else is at work on it: nothing was done, so nothing is recorded
        return Ended(_failed(place, unit, order, error), error)


def _worked(place: Attached, device: AndroidDevice, unit: Unit, lane: Lane, order: Order, emit: Emit) -> Ended:
    try:
        return Ended(
            run(device, order.profile, unit, emit, mode=order.mode, allow=order.allow, deep=order.deep, lane=lane)
        )
    except Exception as error:  # noqa: BLE001
        told = as_error(error)
        return Ended(_failed(place, unit, order, told), told)


def _recorded(ended: Ended, order: Order, registry: Registry) -> Ended:
    if order.mode is Mode.PLAN:
        return ended
    report = ended.report
    try:
        registry.record(report, report.identity)
    except Exception as error:  # noqa: BLE001
        told = as_error(error)
        changed = replace(
            report,
            verdict=Verdict.FAILED,
            error=f"{report.error} Not recorded: {told.what}".strip(),
            next_action=f"{report.next_action} {told.next_action}".strip(),
        )
        return Ended(changed, told)
    return ended


def _failed(place: Attached, unit: Unit, order: Order, error: SchoolbagError) -> Report:
    at = now()
    return Report(
        address=place.address,
        port=place.port,
        identity=place.device.identity if place.device else None,
        tag=unit.tag,
        profile=order.profile.profile,
        profile_digest=order.profile.digest,
        facts=None,
        plan=(),
        outcomes=(),
        verdict=Verdict.FAILED,
        steps=0,
        started=at,
        ended=at,
        error=error.what,
        next_action=error.next_action,
    )
