"""The screen lock: over USB neither set nor taken away, and read on supervised devices (facts, iOS §1).

Whether it has a passcode, a device tells to whom it is supervised by. ``PasswordProtected`` says that it is locked now:
then it surely has one; unlocked, nothing follows. Setting a passcode takes a management server (MDM).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from profiles.secrets import Secret
from provision.ios.questions import Passcode, Question, Value
from provision.ios.reading import switch
from provision.model import Cannot, Facts, Identity, Item, Met, Unit
from provision.setting import Answer

_WHERE = "Settings › Face ID & Passcode (or Touch ID & Passcode)"
_NO_SETTING = Cannot("iOS lets no computer set a passcode over USB", f"Set it by hand: {_WHERE} › Turn Passcode On.")
_LOCKED = Cannot(
    "it has a passcode, which iOS lets no computer take away",
    f"On the device: {_WHERE} › Turn Passcode Off; then run again.",
    in_the_way=True,
)
_UNREAD = Cannot(
    "iOS tells whether it has a passcode to its supervisor only; it is not locked right now",
    f"Look on the device itself: {_WHERE}.",
)


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    if profile.screen_lock is None or profile.screen_lock.pin != "none":
        return {}
    return {"locked": Value(key="PasswordProtected"), "passcode": Passcode()}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> bool | None:
    """Whether it has a passcode; ``None`` where it was not asked or not told."""
    return True if switch(answers.get("locked")) else switch(answers.get("passcode"))


def plan(profile: Profile, found: bool | None, _facts: Facts, _unit: Unit) -> Iterator[Item]:
    """The one item ``pin``."""
    if profile.screen_lock is None:
        return
    source = profile.where("screen_lock", "pin")
    match profile.screen_lock.pin:
        case Secret() as pin:
            yield Item("screen_lock", "pin", f"the PIN of the secret {pin.name}", _NO_SETTING, source)
        case "none":
            yield Item("screen_lock", "pin", "no screen lock", _none(found), source)
        case _:
            yield Item("screen_lock", "pin", "a PIN of its own", _NO_SETTING, source)


def _none(passcode: bool | None) -> Met | Cannot:
    if passcode is None:
        return _UNREAD
    return _LOCKED if passcode else Met("it says that it has no passcode")
