"""Many devices at once: each is run on a thread of its own, and its report goes into the registry as it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fleet.buglog import Bug, as_error
from fleet.errors import HomeError, UnitBusy
from fleet.home import Home
from fleet.sinks import Sinks
from fleet.tags import checked_prefix
from fleet.units import Registry
from profiles.errors import SchoolbagError
from profiles.schema import Profile
from profiles.secrets import UnitPin
from provision.bench import Attached, Company, side_by_side
from provision.device import Device
from provision.errors import DeviceError
from provision.lanes import Lane, Lanes
from provision.lines import Lines
from provision.model import Identity, Report, Stop, Unit, Verdict
from provision.owned import Agent
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


OwnPin = Callable[[Identity, bool], UnitPin | None]
"""The PIN that is kept for a unit; the flag says to make one where there is none. It is kept before it is given."""


OwnAgent = Callable[[Identity, Profile, bool], Agent]
"""How a unit stands with the agent that is to own it, by the profile; the flag says that it may be enrolled anew."""


@dataclass(frozen=True)
class Order:
    """What a command asks of every device.

    ``erase``: iPhones and iPads that an intake accepts may be erased, ``again``: those under our own supervision, too;
    Android devices never are.
    """

    profile: Profile
    mode: Mode = Mode.PROVISION
    allow: str = ""
    deep: bool = False
    tag_prefix: str | None = None
    erase: bool = False
    again: bool = False
    own_pin: OwnPin | None = None
    own_agent: OwnAgent | None = None

    def agent_of(self, who: Identity) -> Agent | None:
        """How this unit stands with its agent; ``None`` where the profile names none for it. RegistryError, OSError."""
        if self.own_agent is None or self.profile.owner is None or who.platform != "android":
            return None
        return self.own_agent(who, self.profile, self.mode is Mode.PROVISION)

    def for_unit(self, who: Identity) -> Profile:
        """The profile as this unit has it, with its own PIN where it has one. VaultError.

        Only a run that changes devices makes one. None is made for an iPhone or iPad: nobody can set it there.
        """
        if self.own_pin is None or not self.profile.wants_unit_pin or who.platform != "android":
            return self.profile
        pin = self.own_pin(who, self.mode is Mode.PROVISION)
        return self.profile.with_unit_pin(pin) if pin else self.profile


Objection = Callable[[Attached], SchoolbagError | None]
"""What an intake, made now, has against erasing a device; None: nothing."""


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


def provision(
    places: Sequence[Attached], order: Order, registry: Registry, sinks: Sinks, objection: Objection = lambda _: None
) -> Summary:
    """Carry out ``order`` on every one of ``places``, side by side. What ends one device's run ends no other's.

    A device that waits for a person (Trust, a locked screen) is waited for on its own thread. Where the order erases,
    ``objection`` is asked first. At Ctrl-C every link is closed, and each run says so in its report. Raises UnitError
    and RegistryError before any device is worked on, and not after.
    """
    if order.tag_prefix is not None:
        checked_prefix(order.tag_prefix)
    together = _Together(places, order, registry, sinks.emit, objection)
    ended = side_by_side(together.serve, [together.known(place) for place in places], together.stop)
    bug = any(isinstance(end.error, Bug) for end in ended)
    return Summary(tuple(end.report for end in ended), together.company.over.is_set(), sinks.told(), bug)


def waiting(emit: Emit, place: Attached, error: SchoolbagError) -> None:
    """Tell that a hand is needed on a device, and why."""
    fields = {"port": place.port, "what": error.what, "next_action": error.next_action}
    emit(Progress("waiting", place.address, place.serial, None, fields))


class _Together:
    """Devices that are worked on in one run of the command."""

    def __init__(
        self, places: Sequence[Attached], order: Order, registry: Registry, emit: Emit, objection: Objection
    ) -> None:
        self.company = Company(places, self._waits)
        self._order = order
        self._registry = registry
        self._emit = emit
        self._objection = objection
        self._lanes = Lanes()

    def stop(self) -> bool:
        self.company.stop()
        return True

    def known(self, place: Attached) -> tuple[Attached, Unit]:
        """One after another, so that new tags follow the order of the ports."""
        return place, _unit(place, self._order, self._registry)

    def serve(self, known: tuple[Attached, Unit]) -> Ended:
        """Never raises."""
        place, unit = known
        if place.waits:
            place, unit = self._let_in(place)
        against = self._objection(place) if place.device and unit.erase else None
        if against and self._order.mode is not Mode.PLAN:
            return _told(Ended(_failed(place, unit, self._order, against), against), place, unit, self._emit)
        return _one(place, unit, self._lanes.to(place.port), self._order, self._registry, self._emit, against)

    def _waits(self, place: Attached) -> None:
        assert place.problem is not None
        waiting(self._emit, place, place.problem)

    def _let_in(self, place: Attached) -> tuple[Attached, Unit]:
        place = self.company.let_in(place)
        try:
            return place, _unit(place, self._order, self._registry)
        except SchoolbagError as error:
            return replace(place, device=None, problem=DeviceError(error.what, error.next_action)), Unit()


def carry_out(place: Attached, order: Order, registry: Registry, emit: Emit, lane: Lane) -> Ended:
    """Carry out ``order`` on one device and record it. Raises UnitError and RegistryError only before it is touched.

    Where the order erases, an intake has accepted the device in this same attachment: that is the caller's to see to.
    """
    return _one(place, _unit(place, order, registry), lane, order, registry, emit)


def _unit(place: Attached, order: Order, registry: Registry) -> Unit:
    if place.device is None:
        return Unit()
    who = place.device.identity
    prefix = order.tag_prefix if order.mode is Mode.PROVISION else None
    erase = order.erase and who.platform == "ios"
    return replace(registry.unit_for(who, tag_prefix=prefix), erase=erase, again=erase and order.again)


def _one(
    place: Attached,
    unit: Unit,
    lane: Lane,
    order: Order,
    registry: Registry,
    emit: Emit,
    against: SchoolbagError | None = None,
) -> Ended:
    """Never raises. The report is told when it has been recorded. ``against``: what a plan would be stopped by."""
    if place.device is None:
        assert place.problem is not None
        ended = Ended(_failed(place, unit, order, place.problem))
    else:
        ended = _held(place, place.device, unit, lane, order, registry, _but_reports(emit))
    if against:
        stop = Stop("intake", against.what, against.next_action)
        ended = replace(ended, report=replace(ended.report, stops=(stop, *ended.report.stops)))
    return _told(ended, place, unit, emit)


def _told(ended: Ended, place: Attached, unit: Unit, emit: Emit) -> Ended:
    who = ended.report.identity
    told = {**report_fields(ended.report), "busy": isinstance(ended.error, UnitBusy)}
    emit(Progress("report", place.address, who.serial if who else "", unit.tag, told))
    return ended


def _but_reports(emit: Emit) -> Emit:
    """A run tells its report before it is recorded, which is too early to be believed."""

    def tell(progress: Progress) -> None:
        if progress.event != "report":
            emit(progress)

    return tell


def _held(
    place: Attached, device: Device, unit: Unit, lane: Lane, order: Order, registry: Registry, emit: Emit
) -> Ended:
    alone = registry.home.hold(device.identity.serial) if order.mode is Mode.PROVISION else contextlib.nullcontext()
    try:
        with alone:
            return _recorded(_worked(place, device, unit, lane, order, emit), order, registry)
    except SchoolbagError as error:  # somebody else is at work on it: nothing was done, so nothing is recorded
        return Ended(_failed(place, unit, order, error), error)


def _worked(place: Attached, device: Device, unit: Unit, lane: Lane, order: Order, emit: Emit) -> Ended:
    try:
        profile = order.for_unit(device.identity)
        unit = replace(unit, agent=order.agent_of(device.identity))
        return Ended(run(device, profile, unit, emit, mode=order.mode, allow=order.allow, deep=order.deep, lane=lane))
    except Exception as error:  # noqa: BLE001
        told = as_error(error)
        return Ended(_failed(place, unit, order, told), told)


def _recorded(ended: Ended, order: Order, registry: Registry) -> Ended:
    if order.mode is Mode.PLAN:
        return ended
    report = ended.report
    try:
        sim = order.profile.sim
        registry.record(report, report.identity, sim.data_plan if sim else None)
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
