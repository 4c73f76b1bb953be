"""Before the first write: whose device is this still? (facts/android.md §3.2, §5.3, §5.4)"""

from __future__ import annotations

from collections.abc import Iterator

from provision.model import Facts, Stop, Unit


def stops(facts: Facts, unit: Unit) -> tuple[Stop, ...]:
    """Every reason not to write to this device, each with what to do. Empty: the gate is open."""
    return tuple(_stops(facts, unit))


def _stops(facts: Facts, unit: Unit) -> Iterator[Stop]:
    locks = facts.locks
    if unit.ignored:
        yield Stop(
            "ignored",
            f"{facts.identity.serial} is on the ignore list.",
            "Take its line out of ignore.txt if it is a donated device.",
        )
    if locks.accounts is None:
        yield Stop("account", "The accounts on the device could not be read.", "Unlock the screen and run again.")
    elif locks.accounts:
        kinds = ", ".join(f"{count} × {kind}" for kind, count in sorted(locks.accounts.items()))
        yield Stop(
            "account",
            f"Somebody is still signed in ({kinds}).",
            "Remove every account under Settings › Accounts, then run again.",
        )
    if locks.owner:
        yield Stop(
            "owner",
            f"The device is managed by {locks.owner}.",
            "Have its organisation release it, or reset it from Settings, then run again.",
        )
    elif not locks.owner_known:
        yield Stop("owner", "Whether somebody manages the device could not be read.", "Unlock it and run again.")
    if locks.users is None:
        yield Stop("users", "Whether the device has other users could not be read.", "Unlock it and run again.")
    elif locks.users > 1:
        yield Stop(
            "users",
            f"The device has {locks.users} users.",
            "Remove guests, second spaces and cloned apps under Settings › Users, then run again.",
        )
