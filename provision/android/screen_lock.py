"""The screen lock: none, or a PIN (facts §2.3: ``locksettings``, from 8.0; its ``verify`` from 8.1).

``locksettings verify`` tries a PIN, a wrong one counts on the phone, and after some it checks none for a while
("Request throttled"). So whether there is a lock is taken from the facts, which ask without trying (setup), and a PIN
is tried only on a phone where we set one: setting it leaves a mark on the phone (a file, gone with a reset), and the
question tries the PIN only where the mark is. A try that was wrong takes the mark away, so that there is one wrong try
at most, whoever changed the PIN, the phone's user or the profile. The mark holds nothing: what is made of a short PIN,
the PIN can be found from. It is put there before the PIN is, so that a pulled cable leaves no PIN of ours without it.

A lock that we did not set, or whose PIN is another one by now, cannot be changed: it is in the way. 8.0 has no
``verify``: there the PIN is only known by the mark and the seal of our last run, which holds for one installation of
the phone. The phone's own texts quote the PIN, so it is cut out of them on the phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from profiles.schema import Profile
from profiles.secrets import Secret, UnitPin
from provision.android.actions import Run
from provision.android.command import Command, script
from provision.android.reading import text
from provision.android.refusals import NO, unreadable
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer

_ITEM = "screen_lock.pin"
_OWN = "a PIN of its own"
_SET_API, _VERIFY_API = 26, 27
_MARK = "/data/local/tmp/.schoolbag.lock"
# A PIN is digits (profiles.load sees to it), so what stands between quotes is all that may be one.
_HIDE = """ 2>&1 | sed "s/'[^']*'/.../g\""""
_VERIFY_PIN = f"""
[ -f "$2" ] || exit 0
said=$(locksettings verify --old "$1"{_HIDE})
echo "$said"
case "$said" in *"didn't match"*) rm -f "$2" ;; esac
"""
_SET_PIN = f"""
: > "$2"
said=$(locksettings set-pin "$1"{_HIDE})
echo "$said"
case "$said" in *"Pin set to"*) ;; *) rm -f "$2" ;; esac
"""
_CLEAR = "locksettings clear" + _HIDE
_REFUSED = (*NO, "didn't match", "Request throttled", "admin policies")
_SIGNS = (
    ("didn't match", "other"),
    ("no password", "none"),
    ("throttled", "throttled"),
    ("verified successfully", "wanted"),
)
_IN_THE_WAY = Cannot(
    "it has a screen lock already, whose PIN is not the one that we set",
    "Remove it by hand: Settings › Security › Screen lock › None. Then run again.",
    in_the_way=True,
)
_THROTTLED = Cannot(
    "the phone checks no PIN for a while, after too many wrong ones",
    "Wait some minutes with the phone switched on, then run again.",
    in_the_way=True,
)


class Lock(StrEnum):
    """What the phone says of its screen lock when the PIN is tried, where it is."""

    NONE = "none"
    WANTED = "wanted"
    OTHER = "other"
    THROTTLED = "throttled"
    UNTRIED = "untried"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Found:
    """``said`` is the phone's answer to the try; ``marked``: we set a PIN on it, asked where none can be tried."""

    lock: Lock = Lock.UNTRIED
    said: str = ""
    marked: bool = False


def probes(profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Asked only for a PIN: it is tried on a phone with our mark; where there is no ``verify``, for the mark."""
    pin = profile.screen_lock.pin if profile.screen_lock else None
    if not isinstance(pin, Secret) or identity.api < _SET_API:
        return {}
    if identity.api < _VERIFY_API:
        return {"mark": script('[ ! -f "$1" ] || echo ours', _MARK)}
    return {"verify": script(_VERIFY_PIN, pin, _MARK)}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    said = text(answers, "verify")
    if not said.strip():
        return Found(marked=text(answers, "mark").strip() == "ours")
    lock = next((Lock(word) for sign, word in _SIGNS if sign in said), Lock.UNKNOWN)
    return Found(lock, said[:2000])


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """The item ``pin``."""
    if profile.screen_lock is None:
        return
    source = profile.where("screen_lock", "pin")
    match profile.screen_lock.pin:
        case UnitPin() as pin:
            yield Item("screen_lock", "pin", _OWN, _pin(pin, found, facts, unit), source)
        case Secret() as pin:
            yield Item("screen_lock", "pin", f"the PIN of the secret {pin.name}", _pin(pin, found, facts, unit), source)
        case "none":
            yield Item("screen_lock", "pin", "no screen lock", _none(facts, unit), source)
        case _:  # no PIN was made for it yet: who only looks is told what a run would do
            yield Item("screen_lock", "pin", _OWN, _pin(UnitPin(""), found, facts, unit), source)


def _pin(pin: Secret, found: Found, facts: Facts, unit: Unit) -> Met | Step | Cannot:
    if facts.identity.api < _SET_API:
        return _too_old(facts.identity)
    setting = (Run(script(_SET_PIN, pin, _MARK), refused=_REFUSED, expect="Pin set to"),)
    if facts.identity.api < _VERIFY_API:
        return _unseen(pin, setting, found, facts, unit)
    match found.lock:
        case Lock.WANTED:
            return Met("it has this PIN already")
        case Lock.NONE:
            return Step("it has no screen lock", setting)
        case Lock.OTHER:
            return _IN_THE_WAY
        case Lock.THROTTLED:
            return _THROTTLED
        case Lock.UNTRIED if facts.setup.screen_locked is not None:
            return _IN_THE_WAY if facts.setup.screen_locked else Step("it has no screen lock", setting)
        case _:
            return unreadable("whether it has a screen lock", found.said, facts.identity)


def _none(facts: Facts, unit: Unit) -> Met | Step | Cannot:
    if facts.identity.api < _SET_API:
        return _too_old(facts.identity)
    if facts.setup.screen_locked is not None:
        return _IN_THE_WAY if facts.setup.screen_locked else Met("it has none")
    if facts.identity.api >= _VERIFY_API:
        return unreadable("whether it has a screen lock")
    seal = _seal("", facts, unit)
    if unit.sealed.get(_ITEM) == seal:
        return Met("it was cleared by our last run, and cannot be read back", sealed=seal)
    clear = Run(script(_CLEAR), refused=_REFUSED, expect="Lock credential cleared")
    return Step("this Android does not tell its screen lock", (clear,), sealed=seal)


def _unseen(pin: Secret, setting: tuple[Run, ...], found: Found, facts: Facts, unit: Unit) -> Met | Step | Cannot:
    locked, seal = facts.setup.screen_locked, _seal(pin.reveal(), facts, unit)
    if locked and not found.marked:
        return _IN_THE_WAY
    if found.marked and locked is not False and unit.sealed.get(_ITEM) == seal:
        return Met("it was set by our last run, and cannot be read back", sealed=seal)
    why = "it has no screen lock" if locked is False else "this Android does not tell its PIN"
    return Step(why, setting, sealed=seal)


def _seal(value: str, facts: Facts, unit: Unit) -> str:
    return unit.seal(f"pin {facts.setup.installation} {value}")


def _too_old(identity: Identity) -> Cannot:
    return Cannot(
        f"Android {identity.version} does not let the computer read or set the screen lock",
        "Set it by hand: Settings › Security › Screen lock.",
    )
