"""Before the first write: whose device is this still? (facts, Android §3.2, §5.3, §5.4; iOS §1)"""

from __future__ import annotations

from collections.abc import Iterator

from provision.errors import LET_GO
from provision.model import Facts, Locks, Stop, Unit
from provision.text import on_the_phone


def stops(facts: Facts, unit: Unit) -> tuple[Stop, ...]:
    """Every reason not to write to this device, each with what to do. Empty: the gate is open."""
    return tuple(_stops(facts, unit))


def _stops(facts: Facts, unit: Unit) -> Iterator[Stop]:
    if unit.ignored:
        yield Stop(
            "ignored",
            f"{facts.identity.serial} is on the ignore list.",
            "Take its line out of ignore.txt if it is a donated device.",
        )
    yield from _ios(facts.locks, unit) if facts.identity.platform == "ios" else _android(facts, unit)


def _ios(locks: Locks, unit: Unit) -> Iterator[Stop]:
    """Find My stands for the accounts, which cannot be read; a device that was erased has nobody's."""
    if locks.find_my:
        yield Stop(
            "find_my",
            "It needs its owner: Find My is on, so it is locked to their Apple Account.",
            LET_GO,
        )
    elif locks.accounts is None and not unit.erased:
        yield Stop(
            "find_my",
            "It needs its owner: whether Find My is on could not be read.",
            "Unlock it, trust this computer and run again.",
        )
    yield from _owner(locks, "Have this organisation release it and erase it, then run again.")


def _android(facts: Facts, unit: Unit) -> Iterator[Stop]:
    """An owner that we set ourselves is nobody's but ours."""
    locks = facts.locks
    if locks.accounts is None:
        yield Stop("account", "The accounts on the device could not be read.", "Unlock the screen and run again.")
    elif locks.accounts:
        kinds = ", ".join(f"{count} × {kind}" for kind, count in sorted(locks.accounts.items()))
        yield Stop(
            "account",
            f"Somebody is still signed in ({kinds}).",
            on_the_phone(facts.makers.taps("remove_accounts")),
        )
    if not unit.owns(locks):
        yield from _owner(locks, "Have its organisation release it, or reset it from Settings, then run again.")
    if locks.users is None:
        yield Stop("users", "Whether the device has other users could not be read.", "Unlock it and run again.")
    elif locks.users > 1:
        yield Stop(
            "users",
            f"The device has {locks.users} users.",
            on_the_phone(facts.makers.taps("remove_users")),
        )


def _owner(locks: Locks, released: str) -> Iterator[Stop]:
    if locks.owner:
        yield Stop("owner", f"The device is managed by {locks.owner}.", released)
    elif not locks.owner_known:
        yield Stop("owner", "Whether somebody manages the device could not be read.", "Unlock it and run again.")
