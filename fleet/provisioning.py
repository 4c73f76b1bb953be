"""Many devices at once: each is run on a thread of its own, and its report goes into the registry as it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fleet.errors import HomeError
from fleet.home import Home
from fleet.units import Registry
from profiles.schema import Profile
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
    with file:
        yield Lines(file)


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
    """How it ended: devices by verdict, and the steps applied to all of them together."""

    reports: tuple[Report, ...]
    interrupted: bool = False

    def fields(self) -> dict[str, object]:
        """The last JSON line (docs/json.md, ``summary``)."""
        count = {verdict: sum(r.verdict is verdict for r in self.reports) for verdict in Verdict}
        return {
            "devices": len(self.reports),
            **{str(verdict): count[verdict] for verdict in (Verdict.VERIFIED, Verdict.PARTIAL, Verdict.FAILED)},
            "steps": sum(report.steps for report in self.reports),
        }

    def exit_code(self, *, strict: bool) -> int:
        """130 when it was interrupted, 1 when a device failed (``strict``: or is partial), else 0."""
        bad = {Verdict.FAILED, Verdict.PARTIAL} if strict else {Verdict.FAILED}
        if self.interrupted:
            return 130
        return int(any(report.verdict in bad for report in self.reports))


def provision(places: Sequence[Attached], order: Order, registry: Registry, emit: Emit) -> Summary:
    """Carry out ``order`` on every one of ``places``, side by side. What ends one device's run ends no other's.

    At Ctrl-C every link is closed, and each run says so in its report.
    """

    interrupted = False

    def stop() -> bool:
        nonlocal interrupted
        interrupted = True
        for place in places:
            if place.device:
                place.device.stop()
        return True

    lanes = Lanes()
    jobs = [(place, _unit(place, order, registry), lanes.to(place.port)) for place in places]
    reports = side_by_side(lambda job: _one(*job, order, registry, emit), jobs, stop)
    return Summary(reports, interrupted)


def carry_out(place: Attached, order: Order, registry: Registry, emit: Emit, lane: Lane) -> Report:
    """The same for one device, on the caller's thread."""
    return _one(place, _unit(place, order, registry), lane, order, registry, emit)


def _unit(place: Attached, order: Order, registry: Registry) -> Unit:
    """One after another, so that new tags follow the order of the ports."""
    if place.device is None:
        return Unit()
    prefix = order.tag_prefix if order.mode is Mode.PROVISION else None
    return registry.unit_for(place.device.identity, tag_prefix=prefix)


def _one(place: Attached, unit: Unit, lane: Lane, order: Order, registry: Registry, emit: Emit) -> Report:
    if place.device is None:
        return _unusable(place, order, emit)
    report = run(
        place.device, order.profile, unit, emit, mode=order.mode, allow=order.allow, deep=order.deep, lane=lane
    )
    if order.mode is not Mode.PLAN:
        registry.record(report, place.device.identity)
    return report


def _unusable(place: Attached, order: Order, emit: Emit) -> Report:
    assert place.problem is not None
    at = now()
    report = Report(
        address=place.address,
        port=place.port,
        identity=None,
        tag=None,
        profile=order.profile.profile,
        profile_digest=order.profile.digest,
        facts=None,
        plan=(),
        outcomes=(),
        verdict=Verdict.FAILED,
        steps=0,
        started=at,
        ended=at,
        error=place.problem.what,
        next_action=place.problem.next_action,
    )
    emit(Progress("report", place.address, fields=report_fields(report)))
    return report
