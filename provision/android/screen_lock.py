"""The screen lock: none, or a PIN (facts §2.3: ``locksettings``, from 8.0; its ``verify`` from 8.1).

``verify`` tells whether the phone has no lock, the wanted PIN or another one. A wrong guess counts on the phone, and
after some it checks nothing for a while ("Request throttled"), so it is asked once per reading. A lock whose PIN is
not known cannot be changed. 8.0 has no ``verify``: there the PIN is only known by the seal of our last run. The
phone's own texts quote the PIN, so it is cut out of them on the phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from profiles.schema import Profile
from profiles.secrets import Secret
from provision.android.actions import Run
from provision.android.command import Command, script
from provision.android.reading import text
from provision.android.refusals import NO, unreadable
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer

_SET_API, _VERIFY_API = 26, 27
# A PIN is digits (profiles.load sees to it), so what stands between quotes is all that may be one.
_HIDE = """ 2>&1 | sed "s/'[^']*'/.../g\""""
_VERIFY_NONE = "locksettings verify" + _HIDE
_VERIFY_PIN = 'locksettings verify --old "$1"' + _HIDE
_SET_PIN = 'locksettings set-pin "$1"' + _HIDE
_CLEAR = "locksettings clear" + _HIDE
_REFUSED = (*NO, "didn't match", "Request throttled", "admin policies")
_SIGNS = (
    ("didn't match", "other"),
    ("no password", "none"),
    ("throttled", "throttled"),
    ("verified successfully", "wanted"),
)
_REMOVE = "Remove it by hand: Settings › Security › Screen lock › None. Then run again."


class Lock(StrEnum):
    """What the phone says of its screen lock."""

    NONE = "none"
    WANTED = "wanted"
    OTHER = "other"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Found:
    """``said`` is the phone's answer where it is none of the known ones."""

    lock: Lock = Lock.UNKNOWN
    said: str = ""


def probes(profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Asked only where there is a ``verify`` and something to verify."""
    if profile.screen_lock is None or identity.api < _VERIFY_API:
        return {}
    match profile.screen_lock.pin:
        case Secret() as pin:
            return {"verify": script(_VERIFY_PIN, pin)}
        case "none":
            return {"verify": script(_VERIFY_NONE)}
        case _:
            return {}


def parse(answers: Mapping[str, Answer], profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    said = text(answers, "verify")
    lock = next((Lock(word) for sign, word in _SIGNS if sign in said), Lock.UNKNOWN)
    if lock is Lock.WANTED and profile.screen_lock and profile.screen_lock.pin == "none":
        lock = Lock.NONE
    return Found(lock, said[:2000])


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """The item ``pin``."""
    if profile.screen_lock is None:
        return
    source = profile.where("screen_lock", "pin")
    match profile.screen_lock.pin:
        case Secret() as pin:
            yield Item("screen_lock", "pin", f"the PIN of the secret {pin.name}", _pin(pin, found, facts, unit), source)
        case "none":
            yield Item("screen_lock", "pin", "no screen lock", _none(found, facts.identity, unit), source)
        case _:
            state = Cannot("needs the vault, which this version has not", "Use none, or !secret name, in the profile.")
            yield Item("screen_lock", "pin", "a PIN of its own", state, source)


def _pin(pin: Secret, found: Found, facts: Facts, unit: Unit) -> Met | Step | Cannot:
    if facts.identity.api < _SET_API:
        return _too_old(facts.identity)
    setting = (Run(script(_SET_PIN, pin), refused=_REFUSED, expect="Pin set to"),)
    if facts.identity.api < _VERIFY_API:
        return _unseen(unit, pin.reveal(), setting)
    match found.lock:
        case Lock.WANTED:
            return Met("it has this PIN already")
        case Lock.NONE:
            return Step("it has no screen lock", setting)
        case _:
            return _locked(found, facts.identity)


def _none(found: Found, identity: Identity, unit: Unit) -> Met | Step | Cannot:
    if identity.api < _SET_API:
        return _too_old(identity)
    if identity.api < _VERIFY_API:
        return _unseen(unit, "", (Run(script(_CLEAR), refused=_REFUSED, expect="Lock credential cleared"),))
    if found.lock is Lock.NONE:
        return Met("it has none")
    return _locked(found, identity)


def _locked(found: Found, identity: Identity) -> Cannot:
    match found.lock:
        case Lock.OTHER:
            return Cannot("it has a screen lock already, and nobody told us its PIN", _REMOVE)
        case Lock.THROTTLED:
            return Cannot(
                "the phone checks no PIN for a while, after too many wrong ones",
                "Wait some minutes with the phone switched on, then run again.",
            )
        case _:
            return unreadable("whether it has a screen lock", found.said, identity)


def _unseen(unit: Unit, value: str, actions: tuple[Run, ...]) -> Met | Step:
    seal = unit.seal(f"pin {value}")
    if unit.sealed.get("screen_lock.pin") == seal:
        return Met("it was set by our last run, and cannot be read back", sealed=seal)
    return Step("this Android does not tell its screen lock", actions, sealed=seal)


def _too_old(identity: Identity) -> Cannot:
    return Cannot(
        f"Android {identity.version} does not let the computer read or set the screen lock",
        "Set it by hand: Settings › Security › Screen lock.",
    )
