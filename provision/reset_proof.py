"""Whether a device was reset between two intakes, by what it says itself (facts, Android §5, §6). Pure.

No single sign is proof: the installation number and the count of starts both begin anew when the data is erased, and
any sign that speaks against it counts more than those that speak for it. Nothing here tells of the memory chips.
"""

from __future__ import annotations

from dataclasses import dataclass

from provision.model import Facts, Unit


@dataclass(frozen=True)
class Trace:
    """What is kept of an intake to compare the next with. ``installation`` is a keyed hash ("" unknown)."""

    installation: str = ""
    starts: int | None = None
    accounts: int | None = None
    own_apps: int | None = None


@dataclass(frozen=True)
class ResetProof:
    """``shown`` and ``not_shown`` are keys of ``signs`` in intake_words.yaml."""

    proved: bool
    shown: tuple[str, ...]
    not_shown: tuple[str, ...]


def trace_of(facts: Facts, unit: Unit) -> Trace:
    """``unit`` gives the registry's key: the installation number itself is not kept."""
    setup = facts.setup
    # Of iPhones it is only known whether Find My is on, which does not tell whether somebody is signed in.
    accounts = None if facts.identity.platform == "ios" else facts.locks.accounts
    return Trace(
        installation=unit.seal(f"installation {setup.installation}") if setup.installation else "",
        starts=setup.starts,
        accounts=None if accounts is None else sum(accounts.values()),
        own_apps=setup.own_apps,
    )


def compare(before: Trace, now: Trace) -> ResetProof:
    """What speaks for a reset between the two, and what does not."""
    renewed = None if not (before.installation and now.installation) else before.installation != now.installation
    restarted = None if before.starts is None or now.starts is None else now.starts < before.starts
    told = (
        _told(renewed, "installation", "same_installation", "unread_installation"),
        _told(restarted, "starts", "more_starts", "unread_starts"),
        _told(None if now.accounts is None else not now.accounts, "no_accounts", "accounts", "unread_accounts"),
        _told(None if now.own_apps is None else not now.own_apps, "no_apps", "apps", "unread_apps"),
    )
    against = renewed is False or restarted is False or bool(now.accounts)
    return ResetProof(
        proved=(renewed is True or restarted is True) and not against,
        shown=tuple(key for is_shown, key in told if is_shown),
        not_shown=tuple(key for is_shown, key in told if not is_shown),
    )


def _told(sign: bool | None, yes: str, no: str, unread: str) -> tuple[bool, str]:
    return (sign is True, {True: yes, False: no, None: unread}[sign])
