"""What all else builds on comes first: where it cannot be had, or fails, nothing else is begun."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from provision.errors import Refused
from provision.model import NOT_BEGUN, Action, Cannot, Effect, Met, Result, Step, Unit, Verdict
from provision.progress import Progress
from provision.results_screen import last_line
from provision.results_screen import results as results_shown
from provision.run import Mode, run
from tests.provision.test_run import PROFILE, QUIET, UNIT, Box, Flip, results


class Donors(Box):
    """``erased`` makes another device of it; ``mine`` may only be switched on after that."""

    def _state(self, name: str, kind: str, found: set[str], unit: Unit) -> Met | Step | Cannot:
        state = super()._state(name, kind, found, unit)
        if name == "erased" and kind == "impossible":
            return Cannot("it needs its owner", "Ask them.", holds=True)
        return replace(state, effect=Effect.ERASE) if name == "erased" and isinstance(state, Step) else state


def test_what_was_to_come_first_and_was_refused_holds_all_else() -> None:
    box = Donors({"erased": "refuses", "mine": "obeys"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert box.log == ["erased"]
    assert results(report) == {"erased": Result.FAILED, "mine": Result.FAILED}
    assert [outcome.why for outcome in report.outcomes] == ["it said no", NOT_BEGUN]
    assert report.steps == 1
    assert (report.error, report.next_action) == ("It said no.", "ask again"), "the whole of it failed for this"
    out = Console(width=80, file=io.StringIO())
    out.print(results_shown([report]))
    shown = out.file.getvalue()  # type: ignore[attr-defined]
    assert "Not begun, because what has to come first failed: items of T-1 (1)." in shown
    assert NOT_BEGUN not in shown, "not again for each"
    assert "It may be unplugged." in shown


def test_what_cannot_come_first_holds_all_else() -> None:
    box = Donors({"erased": "impossible", "mine": "obeys", "last": "parting"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert (box.log, report.verdict) == ([], Verdict.FAILED)
    assert report.outcomes[0].next_action == "Ask them."
    assert (report.error, report.next_action) == ("It needs its owner.", "Ask them.")
    verified = run(box, PROFILE, UNIT, QUIET, mode=Mode.VERIFY)
    assert verified.outcomes[1].why.startswith("differs from the profile"), "nobody asked for it to be done"


def test_after_it_the_rest_is_planned_anew_and_done() -> None:
    box = Donors({"erased": "obeys", "mine": "obeys"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert (box.log, report.verdict) == (["erased", "mine"], Verdict.VERIFIED)


def test_whose_it_is_is_asked_again_of_what_was_made_anew() -> None:
    """An organisation shows itself only when the device is activated: nothing more is done to it, with a reason."""
    box = Enrolled({"erased": "obeys", "mine": "obeys"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert box.log == ["erased"]
    assert [stop.kind for stop in report.stops] == ["owner"]
    assert "is managed by a school" in report.error
    assert results(report) == {"erased": Result.VERIFIED, "mine": Result.FAILED}, "what was done is told all the same"
    allowed = Enrolled({"erased": "obeys", "mine": "obeys"})
    assert run(allowed, PROFILE, UNIT, QUIET, allow="agreed").verdict is Verdict.VERIFIED
    assert allowed.log == ["erased", "mine"]


class Enrolled(Donors):
    """Held by somebody from its erasing on."""

    @property
    def readers(self) -> Mapping[str, Any]:
        self.locks = replace(self.locks, owner="a school" if "erased" in self.on else None)
        return super().readers


class Ours(Donors):
    """Erased as often as it is asked to be ``again``; its user sets it up in between. ``fails``: once, at first."""

    def __init__(self, kinds: Mapping[str, str], *, fresh: bool = False, fails: bool = False) -> None:
        super().__init__(kinds)
        self.fresh, self.fails = fresh, fails

    def _state(self, name: str, kind: str, found: set[str], unit: Unit) -> Met | Step | Cannot:
        state = super()._state(name, kind, found, unit)
        if name != "erased":
            return state
        again = unit.again and not (self.fresh and "mine" not in found)
        return Step("it is used", (Flip("erased"),), Effect.ERASE) if again else Met("it was")

    def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
        if self.fails:
            raise Refused("it said no")
        super().perform(action, progress)


def test_the_word_again_is_good_for_one_erasing() -> None:
    again = replace(UNIT, erase=True, again=True)
    used = Ours({"erased": "obeys", "mine": "obeys"})
    assert run(used, PROFILE, again, QUIET).verdict is Verdict.VERIFIED
    assert used.log == ["erased", "mine"]
    came_erased = Ours({"erased": "obeys", "mine": "obeys"}, fresh=True)
    assert run(came_erased, PROFILE, again, QUIET).verdict is Verdict.VERIFIED
    assert came_erased.log == ["mine"], "what came erased is not erased once it is ours"
    refuses = Ours({"erased": "obeys", "mine": "obeys"}, fails=True)
    assert results(run(refuses, PROFILE, again, QUIET))["erased"] is Result.FAILED, "not wiped is not right"


def test_what_was_accepted_and_not_done_holds_all_else() -> None:
    box = Donors({"erased": "lies", "mine": "obeys"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert box.log == ["erased"]
    assert "read back unchanged" in report.outcomes[0].why


class Rider(Box):
    """``mine`` comes with ``carrier``, and has no action of its own."""

    def _state(self, name: str, kind: str, found: set[str], unit: Unit) -> Met | Step | Cannot:
        if name == "mine" and "carrier" not in found:
            return Step("it comes with the carrier", ())
        return Met("it came with it") if name == "mine" else super()._state(name, kind, found, unit)


def test_what_comes_with_another_item_is_no_step_of_its_own() -> None:
    told: list[Progress] = []
    box = Rider({"mine": "obeys", "carrier": "obeys"})
    report = run(box, PROFILE, UNIT, told.append)
    assert (report.verdict, report.steps) == (Verdict.VERIFIED, 1)
    assert [row.fields["item"] for row in told if row.event in ("step", "done")] == ["switch.carrier"] * 2
    planned = run(Rider({"mine": "obeys", "carrier": "obeys"}), PROFILE, UNIT, QUIET, mode=Mode.PLAN)
    assert "1 step would be done" in last_line(planned)
    failed = run(Rider({"mine": "obeys", "carrier": "refuses"}), PROFILE, UNIT, QUIET)
    assert [outcome.why for outcome in failed.outcomes] == ["it comes with the carrier", "it said no"]
