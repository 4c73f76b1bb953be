"""What all else builds on comes first: where it cannot be had, or fails, nothing else is begun."""

from __future__ import annotations

from dataclasses import replace

from provision.model import Cannot, Effect, Met, Result, Step, Unit, Verdict
from provision.run import Mode, run
from tests.provision.test_run import PROFILE, QUIET, UNIT, Box, results


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
    assert [outcome.why for outcome in report.outcomes] == ["it said no", "not begun: what has to come first failed"]
    assert report.steps == 1


def test_what_cannot_come_first_holds_all_else() -> None:
    box = Donors({"erased": "impossible", "mine": "obeys", "last": "parting"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert (box.log, report.verdict) == ([], Verdict.FAILED)
    assert report.outcomes[0].next_action == "Ask them."
    verified = run(box, PROFILE, UNIT, QUIET, mode=Mode.VERIFY)
    assert verified.outcomes[1].why.startswith("differs from the profile"), "nobody asked for it to be done"


def test_after_it_the_rest_is_planned_anew_and_done() -> None:
    box = Donors({"erased": "obeys", "mine": "obeys"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert (box.log, report.verdict) == (["erased", "mine"], Verdict.VERIFIED)


def test_what_was_accepted_and_not_done_holds_all_else() -> None:
    box = Donors({"erased": "lies", "mine": "obeys"})
    report = run(box, PROFILE, UNIT, QUIET)
    assert box.log == ["erased"]
    assert "read back unchanged" in report.outcomes[0].why
