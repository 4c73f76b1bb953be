"""The main job on one device: facts, plan, gate, apply, facts, plan, verify, in this order and one way.

There is no resume state: an interrupted run is run again, and its first facts are the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from profiles.schema import Profile
from provision import gate, verify
from provision.apply import Attempt, apply
from provision.device import Device
from provision.errors import DeviceError, NotReady, Unplugged
from provision.facts import collect
from provision.lanes import Lane
from provision.model import Cannot, Effect, Facts, Item, Met, Outcome, Report, Result, Step, Stop, Unit, Verdict
from provision.plan import parting, plan, steps
from provision.progress import Emit, Say, now, speaker
from provision.text import sentence


class Mode(StrEnum):
    """``provision`` changes the device, ``plan`` says what would change, ``verify`` says what differs."""

    PROVISION = "provision"
    PLAN = "plan"
    VERIFY = "verify"


def run(
    device: Device,
    profile: Profile,
    unit: Unit,
    emit: Emit,
    *,
    mode: Mode = Mode.PROVISION,
    allow: str = "",
    deep: bool = False,
    lane: Lane | None = None,
) -> Report:
    """Make the device what ``profile`` says, or say what would be done. Never raises for what a device does.

    ``allow`` is the technician's reason for passing the gate; it is kept in the report. ``lane`` is the way to the
    device where others share its bus.
    """
    say = speaker(emit, device.address, device.identity.serial, unit.tag)
    job = _Job(device, profile, unit, say, deep, allow, lane or Lane())
    say("device", **_who(device), mode=str(mode))
    try:
        job.look()
        if mode is not Mode.VERIFY:
            job.ask_the_gate()
        if mode is Mode.PROVISION:
            job.work()
    except DeviceError as error:
        job.error = error
    report = job.report(mode)
    for outcome in report.outcomes:
        say("item", **outcome_fields(outcome))
    say("report", **report_fields(report))
    return report


@dataclass
class _Job:
    """The values of one run while it goes; each is replaced, never changed in place."""

    device: Device
    profile: Profile
    unit: Unit
    say: Say
    deep: bool
    allow: str
    lane: Lane
    started: str = field(default_factory=now)
    facts: Facts | None = None
    items: tuple[Item, ...] = ()
    attempts: dict[str, Attempt] = field(default_factory=dict)
    stops: tuple[Stop, ...] = ()
    unread: tuple[Attempt, ...] = ()
    held: bool = False
    error: DeviceError | None = None

    def look(self) -> None:
        self.facts = collect(self.device, self.profile, deep=self.deep)
        self.unit = self.unit.now()
        self.items = plan(self.device.settings, self.profile, self.facts, self.unit)

    def ask_the_gate(self) -> None:
        """Only before a first write: a device that is as it should be is nobody's business."""
        assert self.facts is not None
        if self._todo() or parting(self.items):
            self.stops = tuple(dict.fromkeys((*self.stops, *gate.stops(self.facts, self.unit))))

    def work(self) -> None:
        """Passes until no plan shows a step that was not tried: what one pass switches on, the next switches off."""
        if self._stopped():
            return
        while (todo := self._todo()) and not self._waits():
            self.say("todo", items=[(item.id, _size(item)) for item in todo])
            attempts = apply(self.device, todo, self.say, self.lane)
            self.attempts |= {attempt.item.id: attempt for attempt in attempts}
            self.unread = attempts
            if lost := next((attempt.error for attempt in attempts if attempt.lost), None):
                raise lost
            self._used_up(attempts)
            self.look()
            self.unread = ()
            if any(attempt.anew for attempt in attempts):
                self.ask_the_gate()  # whose it is may show only now
                if self._stopped():
                    break
        self.held = self._waits() or self._stopped()
        if not self._stopped() and verify.verdict(self._settled()) is not Verdict.FAILED:
            last = apply(self.device, parting(self.items), self.say, self.lane)
            self.attempts |= {attempt.item.id: attempt for attempt in last}

    def _stopped(self) -> bool:
        return bool(self.stops) and not self.allow

    def _used_up(self, attempts: Iterable[Attempt]) -> None:
        """The word that a device may be erased again is good for one erasing, or for none where it came erased."""
        erasings = [attempt for attempt in attempts if _effect(attempt.item) is Effect.ERASE]
        self.unit = replace(
            self.unit,
            erased=self.unit.erased or any(attempt.error is None for attempt in erasings),
            again=self.unit.again and any(attempt.error for attempt in erasings),
        )

    def _todo(self) -> tuple[Item, ...]:
        return tuple(item for item in steps(self.items) if item.id not in self.attempts)

    def _waits(self) -> bool:
        """What all else builds on is not there: the device was to be made another one (erased, activated) first."""
        return any(self._comes_first(item) for item in self.items if not isinstance(item.state, Met))

    def _comes_first(self, item: Item) -> bool:
        attempt = self.attempts.get(item.id)
        return (isinstance(item.state, Cannot) and item.state.holds) or (attempt is not None and attempt.anew)

    def _settled(self) -> tuple[Outcome, ...]:
        """The outcomes of all that is not done after the last read-back."""
        later = set(parting(self.items))
        settled = (item for item in self.items if item not in later)
        return verify.outcomes(settled, self.attempts, lost=self.error is not None, held=self.held)

    def _unparted(self, item: Item, attempt: Attempt | None) -> Outcome:
        """What is done after the last read-back, in a run that did not come to it."""
        return verify.outcomes([item], {} if attempt is None else {item.id: attempt}, lost=self.error is not None)[0]

    def report(self, mode: Mode) -> Report:
        stopped = self._stopped() and mode is not Mode.PLAN
        outcomes: tuple[Outcome, ...] = ()
        if mode is not Mode.PLAN and (not stopped or self.attempts):
            judge = verify.parted if mode is Mode.PROVISION and not self.error else self._unparted
            last = (judge(item, self.attempts.get(item.id)) for item in parting(self.items))
            outcomes = self._settled() + tuple(last)
        first = next((o for o in outcomes if o.result is Result.FAILED and self._comes_first(o.item)), None)
        what, next_action = self._reason(stopped, first)
        failed = self.error is not None or stopped
        planned = Verdict.PLANNED if mode is Mode.PLAN else verify.verdict(outcomes)
        return Report(
            address=self.device.address,
            port=self.device.port,
            identity=self.device.identity,
            tag=self.unit.tag,
            profile=self.profile.profile,
            profile_digest=self.profile.digest,
            facts=self.facts,
            plan=self.items,
            outcomes=outcomes,
            verdict=Verdict.FAILED if failed else planned,
            steps=len(self.attempts),
            started=self.started,
            ended=now(),
            error=what,
            next_action=next_action,
            stops=self.stops,
            allowed=self.allow if self.stops else "",
            left_on=_left_on(self.items, outcomes, self.unread),
            lost=isinstance(self.error, Unplugged | NotReady),
            held=self.held,
        )

    def _reason(self, stopped: bool, first: Outcome | None) -> tuple[str, str]:
        """Why the whole of it failed, and what to do. ``first``: what had to come first, and failed."""
        if self.error:
            return self.error.what, self.error.next_action
        if stopped:
            what, todo = (" ".join(getattr(stop, part) for stop in self.stops) for part in ("what", "next_action"))
            return what, f"{todo} Or pass --allow REASON, which is recorded."
        if not self.held or first is None:
            return "", ""
        return sentence(first.why[:1].upper() + first.why[1:]), first.next_action


def _left_on(items: Iterable[Item], outcomes: Iterable[Outcome], unread: Iterable[Attempt]) -> tuple[str, ...]:
    """What a technician must know is still switched on when the cable is pulled.

    ``unread``: attempts after which nothing was read any more; what their actions switch may be so still.
    """
    done = {o.item.id for o in outcomes if o.changed and o.result is not Result.FAILED}
    left = [item.leaves for item in items if item.leaves and item.id not in done]
    for attempt in unread:
        assert isinstance(attempt.item.state, Step)
        left += [action.leaves for action in attempt.item.state.actions if action.leaves]
    return tuple(dict.fromkeys(left))


def _effect(item: Item) -> Effect:
    return item.state.effect if isinstance(item.state, Step) else Effect.NONE


def _size(item: Item) -> int:
    return sum(action.size for action in item.state.actions) if isinstance(item.state, Step) else 0


def _who(device: Device) -> dict[str, object]:
    who = device.identity
    return {
        "platform": who.platform,
        "maker": who.maker,
        "model": who.model,
        "version": who.version,
        "skin": who.skin,
        "port": device.port,
    }


def outcome_fields(outcome: Outcome) -> dict[str, object]:
    """An outcome as JSON lines and the registry write it (docs/json.md, ``item``)."""
    item = outcome.item
    return {
        "item": item.id,
        "result": str(outcome.result),
        "want": item.want,
        "why": outcome.why,
        "next_action": outcome.next_action,
        "changed": outcome.changed,
        "required": item.required,
        "strength": str(item.strength) if item.strength else None,
        "source": item.source,
    }


def plan_fields(item: Item) -> dict[str, object]:
    """An item of a plan as JSON lines write it (docs/json.md, ``plan``)."""
    state = item.state
    return {
        "item": item.id,
        "state": {Met: "met", Step: "step"}.get(type(state), "cannot"),
        "want": item.want,
        "why": state.why,
        "actions": [action.masked for action in state.actions] if isinstance(state, Step) else [],
        "effect": str(state.effect) if isinstance(state, Step) else "none",
        "strength": str(item.strength) if item.strength else None,
        "source": item.source,
    }


def report_fields(report: Report) -> dict[str, object]:
    """A report as JSON lines write it (docs/json.md, ``report``)."""
    return {
        "verdict": str(report.verdict),
        "steps": report.steps,
        "profile": report.profile,
        "error": report.error,
        "next_action": report.next_action,
        "stops": [stop.kind for stop in report.stops],
        "left_on": list(report.left_on),
        "lost": report.lost,
        "plan": [plan_fields(item) for item in report.plan] if report.verdict is Verdict.PLANNED else [],
    }
