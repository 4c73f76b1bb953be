"""How the phone leaves the bench: what the tool switched for its own work is back, and debugging is kept or off.

Reads ``verifier_verify_adb_installs`` (facts/android.md §2.2) and ``adb_enabled``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from profiles.schema import Profile
from provision.android.actions import CHECKS_OFF, VERIFIER, Run
from provision.android.command import Command, command
from provision.model import Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer


@dataclass(frozen=True)
class Bench:
    """``verifier``: whether apps installed by adb are checked, which is so unless it was switched off."""

    verifier: bool


def probes(profile: Profile, identity: Identity, deep: bool) -> Mapping[str, Command]:  # noqa: ARG001
    return {"verifier": command("settings", "get", "global", VERIFIER)}


def parse(answers: Mapping[str, Answer], profile: Profile, identity: Identity) -> Bench:  # noqa: ARG001
    return Bench(verifier=answers["verifier"].text.strip() != "0")


def plan(profile: Profile, found: Bench, facts: Facts, unit: Unit) -> Iterator[Item]:  # noqa: ARG001
    yield Item("bench", "verifier", "on", _verifier(found), leaves="" if found.verifier else CHECKS_OFF)
    off = profile.bench.debugging == "off"
    yield Item(
        "bench",
        "debugging",
        "off" if off else "kept on",
        _debugging_off() if off else Met("the profile keeps USB debugging"),
        source=profile.where("bench", "debugging"),
        leaves="USB debugging",
    )


def _verifier(found: Bench) -> Met | Step:
    if found.verifier:
        return Met("apps installed over USB are checked")
    return Step(
        "the check of apps installed over USB is off, as it is while apps are being installed",
        (Run(command("settings", "put", "global", VERIFIER, 1)),),
    )


def _debugging_off() -> Step:
    return Step(
        "USB debugging is on, since the device answers",
        (Run(command("settings", "put", "global", "adb_enabled", 0), cuts_link=True),),
        parting=True,
    )
