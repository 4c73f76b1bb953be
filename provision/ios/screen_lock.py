"""The screen lock: over USB neither set nor taken away, and hardly read (facts, iOS §1).

``PasswordProtected`` says that the device is locked now, not that it has a passcode: locked, it surely has one;
unlocked, nothing follows. Setting a passcode takes a management server (MDM).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from profiles.secrets import Secret
from provision.ios.questions import Question, Value
from provision.ios.reading import switch
from provision.model import Cannot, Facts, Identity, Item, Unit
from provision.setting import Answer

_WHERE = "Settings › Face ID & Passcode (or Touch ID & Passcode)"
_NO_SETTING = Cannot("iOS lets no computer set a passcode over USB", f"Set it by hand: {_WHERE} › Turn Passcode On.")
_LOCKED = Cannot(
    "it is locked with a passcode, which iOS lets no computer take away",
    f"Unlock it, then {_WHERE} › Turn Passcode Off, and run again.",
    in_the_way=True,
)
_UNREAD = Cannot(
    "iOS does not tell whether it has a passcode while it is unlocked", f"Look on the device itself: {_WHERE}."
)


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    if profile.screen_lock is None or profile.screen_lock.pin != "none":
        return {}
    return {"locked": Value(key="PasswordProtected")}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> bool | None:
    """Whether it is locked now; ``None`` where it was not asked or not told."""
    return switch(answers.get("locked"))


def plan(profile: Profile, found: bool | None, _facts: Facts, _unit: Unit) -> Iterator[Item]:
    """The one item ``pin``."""
    if profile.screen_lock is None:
        return
    source = profile.where("screen_lock", "pin")
    match profile.screen_lock.pin:
        case Secret() as pin:
            yield Item("screen_lock", "pin", f"the PIN of the secret {pin.name}", _NO_SETTING, source)
        case "none":
            yield Item("screen_lock", "pin", "no screen lock", _LOCKED if found else _UNREAD, source)
        case _:
            yield Item("screen_lock", "pin", "a PIN of its own", _NO_SETTING, source)
