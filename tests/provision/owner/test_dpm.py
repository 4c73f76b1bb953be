"""What ``dpm`` says when it takes an owner, by version and make, and that a refusal is told in our words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from profiles.schema import Owner, Profile
from provision.android import owner
from provision.android.actions import Run
from provision.android.adb import Link
from provision.android.device import AndroidDevice
from provision.android.shell import ShellResult
from provision.errors import Refused
from provision.model import Facts, Identity, Locks, Step, Unit

APK = Path(__file__).parents[3] / "examples" / "apps" / "schoolbag-reader-1.apk"
PHONE = Identity("android", "S1", "samsung", "SM-A536B", "16", 36)
LONG = "com.hmdm.launcher/com.hmdm.launcher.AdminReceiver"
SHORT = "com.hmdm.launcher/.AdminReceiver"


class Line:
    """A link to a phone that answers every script with the same."""

    def __init__(self, says: str, code: int) -> None:
        self.says, self.code = says, code

    def shell(self, _text: str, _seconds: float) -> ShellResult:
        return ShellResult(self.says.encode(), b"", self.code)


def named(says: str, code: int = 0, who: Identity = PHONE) -> None:
    profile = Profile(profile="case", owner=Owner(agent="headwind", file=(APK,)))
    facts = Facts(who, locks=Locks(accounts={}, users=1))
    items: list[Any] = [item for item in owner.plan(profile, owner.Found(), facts, Unit()) if item.key == "owner"]
    assert isinstance(items[0].state, Step)
    (action,) = items[0].state.actions
    assert isinstance(action, Run)
    AndroidDevice(cast("Link", Line(says, code)), who, {}, {}).perform(action, lambda _: None)


@pytest.mark.parametrize(
    "says",
    [
        f"Success: Device owner set to package ComponentInfo{{{LONG}}}\nActive admin set to component {{{LONG}}}\n",
        f"Success: Device owner set to package {SHORT}\nActive admin set to component {SHORT}\n",
        # One UI 8
        f"{SHORT} was already an admin for user 0. No need to set it again.\nSuccess: Device owner set to {SHORT}\n",
    ],
)
def test_a_yes_is_a_yes_whatever_is_said_around_it(says: str) -> None:
    named(says)


@pytest.mark.parametrize(
    ("says", "code", "reason"),
    [
        ("Error: java.lang.IllegalStateException: User not running: 0\n\tat android.app", 1, "its user is not started"),
        ("java.lang.IllegalStateException: User 0 not running.\n", 0, "its user is not started"),
        ("", 0, "The device refused"),
        ("something of a maker's own", 7, "something of a maker's own"),
    ],
)
def test_a_no_is_told_even_with_exit_status_0(says: str, code: int, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        named(says, code)
    assert reason in refused.value.what
