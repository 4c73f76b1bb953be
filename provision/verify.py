"""Fourth verb: what came of each item, judged by the last plan made from fresh facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provision.apply import Attempt
from provision.model import NOT_BEGUN, Cannot, Item, Met, Outcome, Result, Step, Verdict


def outcomes(
    items: Iterable[Item], attempts: Mapping[str, Attempt], *, lost: bool = False, held: bool = False
) -> tuple[Outcome, ...]:
    """One outcome per item of the last plan. ``lost``: the device went before this plan could be made afresh.
    ``held``: what had to come first was not done, so that nothing else was begun."""
    return tuple(_outcome(item, attempts.get(item.id), lost, held) for item in items)


def _outcome(item: Item, attempt: Attempt | None, lost: bool, held: bool) -> Outcome:
    if attempt is None:
        return _untouched(item, lost, held)
    if lost:
        return _lost(item, attempt)
    state = item.state
    if isinstance(state, Met) and not state.sealed:
        return Outcome(item, Result.VERIFIED, state.why, changed=True)
    if attempt.error:
        return Outcome(item, Result.FAILED, attempt.error.what, attempt.error.next_action, changed=True)
    if isinstance(state, Met) or (isinstance(state, Step) and state.sealed):
        return Outcome(item, Result.UNVERIFIED, "done; this device does not let it be read back", changed=True)
    if isinstance(state, Cannot):
        return Outcome(item, Result.FAILED, state.why, state.next_action, changed=True)
    return Outcome(item, Result.FAILED, f"accepted, but read back unchanged: {state.why}", _AGAIN, changed=True)


_AGAIN = "Run it once more; if it stays so, set it by hand and tell your coordinator."


def _untouched(item: Item, lost: bool, held: bool) -> Outcome:
    match item.state:
        case Met(why, sealed):
            return Outcome(item, Result.UNVERIFIED if sealed else Result.VERIFIED, why)
        case Cannot(why, next_action, in_the_way, holds):
            failed = item.required or in_the_way or holds
            return Outcome(item, Result.FAILED if failed else Result.IMPOSSIBLE, why, next_action)
        case Step() if held:
            return Outcome(item, Result.FAILED, NOT_BEGUN, "Mend that and run again.")
        case Step(why=why, actions=()) if not lost:
            return Outcome(item, Result.FAILED, why, "Run fleet provision on it.")
        case Step(why=why):
            said = "not reached before the device went" if lost else f"differs from the profile: {why}"
            return Outcome(item, Result.FAILED, said, "Run fleet provision on it.")


def _lost(item: Item, attempt: Attempt) -> Outcome:
    if attempt.error:
        return Outcome(item, Result.FAILED, attempt.error.what, attempt.error.next_action, changed=True)
    return Outcome(item, Result.UNVERIFIED, "done, but the device went before it could be read back", changed=True)


def parted(item: Item, attempt: Attempt | None) -> Outcome:
    """The outcome of an item that was done after the last read-back, or held back because others had failed."""
    if attempt is None:
        return Outcome(item, Result.FAILED, "held back, because other items failed", "Mend these and run again.")
    if attempt.error:
        return Outcome(item, Result.FAILED, attempt.error.what, attempt.error.next_action, changed=True)
    return Outcome(item, Result.UNVERIFIED, "done last; nothing can be read after it", changed=True)


def verdict(results: Iterable[Outcome]) -> Verdict:
    """``failed`` when anything failed, ``partial`` when something is unverified or impossible, else ``verified``."""
    seen = {outcome.result for outcome in results}
    if Result.FAILED in seen:
        return Verdict.FAILED
    return Verdict.PARTIAL if seen - {Result.VERIFIED} else Verdict.VERIFIED
