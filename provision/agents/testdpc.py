"""TestDPC, an owner that is told over USB what to enforce, one restriction at a time (facts, Android §3.4)."""

from __future__ import annotations

from profiles.rules import AGENTS

PACKAGE = AGENTS["testdpc"]
ADMIN = f"{PACKAGE}/.DeviceAdminReceiver"
FIRST_API = 26
"""The first Android on which it can be told anything."""


def setting(key: str, *, on: bool) -> tuple[str, ...]:
    """The words after ``dumpsys`` that have it set or lift a restriction."""
    return ("activity", "--user", "0", "service", PACKAGE, "set-user-restriction", key, _word(on))


def done(key: str, *, on: bool) -> str:
    """What it says when it has done so."""
    return f"User restriction '{key}' set to {_word(on)}"


def _word(on: bool) -> str:
    return "true" if on else "false"
