"""How somebody left the phone: a screen lock, apps, and signs by which a reset can be seen. Reads only.

Whether there is a screen lock is asked without trying any: ``locksettings verify`` would count as a wrong guess.
``locksettings get-disabled`` says true only where there is no lock at all; the trust manager's ``deviceLocked=1`` means
that a credential is asked for; ``secure=`` of the keyguard is its last known state [I]. Where none of them says so it
is unknown.

Signs of a reset [I]: ``boot_count`` counts the starts since the data was erased (Settings.Global, Android 7 and later),
and ``android_id`` is made anew with the data. Neither says what is left in the memory chips.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from profiles.schema import Profile
from provision.android.command import Command, command, script
from provision.android.reading import number, text
from provision.android.table import get, value
from provision.model import Identity, Setup
from provision.setting import Answer

_GET_DISABLED_API = 27
_PACKAGE = re.compile(r"^package:([A-Za-z][\w.]{1,250})[ \t]*$", re.MULTILINE)
_CURRENT = re.compile(r"\(current\): .{0,200}?deviceLocked=([01])\b")
_SECURE = re.compile(r"^[ \t]*secure=(true|false)\b", re.MULTILINE)


def probes(_profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Whatever the profile, the same is asked."""
    asked = {
        "trust": script("dumpsys trust | grep deviceLocked="),
        "keyguard": script('dumpsys window policy | grep -E "KeyguardServiceDelegate|secure="'),
        "packages": command("pm", "list", "packages"),
        "own_apps": command("pm", "list", "packages", "-3"),
        "starts": get("global", "boot_count"),
        "installation": get("secure", "android_id"),
    }
    if identity.api >= _GET_DISABLED_API:
        asked["disabled"] = command("locksettings", "get-disabled")
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Setup:
    """See :class:`provision.model.Setup`."""
    packages = frozenset(_PACKAGE.findall(text(answers, "packages")))
    own = answers.get("own_apps")
    installation = value(answers, "installation") or ""
    starts = number(value(answers, "starts"))
    return Setup(
        screen_locked=_locked(answers),
        packages=packages or None,
        own_apps=len(_PACKAGE.findall(text(answers, "own_apps"))) if own and own.code == 0 and packages else None,
        starts=starts if starts is not None and starts >= 0 else None,
        installation=installation if re.fullmatch(r"[0-9a-f]{8,16}", installation) else "",
    )


def _locked(answers: Mapping[str, Answer]) -> bool | None:
    if text(answers, "disabled").strip() == "true":
        return False
    now = _CURRENT.search(text(answers, "trust"))
    if now and now[1] == "1":
        return True
    keyguard = _SECURE.search(text(answers, "keyguard").partition("KeyguardServiceDelegate")[2])
    return {"true": True, "false": False}[keyguard[1]] if keyguard else None
