"""How somebody left the iPhone: apps, whether it is locked now, and a sign by which an erasing can be seen. Reads only.

``PasswordProtected`` says that it is locked at this moment, not whether it has a passcode (facts, iOS §1), so "no" is
unknown here. Sign of an erasing [I]: lockdownd makes its own key anew when its data was erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from profiles.schema import Profile
from provision.ios.questions import Apps, Question, Value
from provision.ios.reading import mapping, switch, value
from provision.model import Identity, Setup
from provision.setting import Answer


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Whatever the profile, the same is asked."""
    return {"apps": Apps(), "locked": Value("", "PasswordProtected"), "key": Value("", "DevicePublicKey")}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Setup:
    """See :class:`provision.model.Setup`. The packages are bundle identifiers."""
    apps = mapping(answers.get("apps"))
    own = [name for name, app in apps.items() if isinstance(app, dict) and app.get("ApplicationType") == "User"]
    key = value(answers.get("key"))
    return Setup(
        screen_locked=True if switch(answers.get("locked")) else None,
        packages=frozenset(apps) or None,
        own_apps=len(own) if apps else None,
        installation=hashlib.sha256(key).hexdigest() if isinstance(key, bytes) and key else "",
    )
