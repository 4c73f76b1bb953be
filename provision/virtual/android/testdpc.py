"""What TestDPC answers through ``dumpsys activity service`` once it owns the device (§3.4): restrictions only."""

from __future__ import annotations

from provision.virtual.android.phone import Phone

PACKAGE = "com.afwsamples.testdpc"


def answer(phone: Phone, service: str, words: list[str]) -> str | None:
    """The framed answer; None when no such service runs."""
    if service.partition("/")[0] != PACKAGE or phone.owner is None or phone.owner.package != PACKAGE:
        return None
    head = f"SERVICE {PACKAGE}/.DeviceAdminService 7d1c2a1 pid=4021\n  Client:\n"
    return head + "".join(f"    {line}\n" for line in _run(phone, words))


def _run(phone: Phone, words: list[str]) -> list[str]:
    match words:
        case ["set-user-restriction", key, ("true" | "false") as value]:
            if value == "true":
                phone.user_restrictions.add(key)
            else:
                phone.user_restrictions.discard(key)
            return [f"User restriction '{key}' set to {value}"]
        case ["list-user-restrictions"]:
            return sorted(phone.user_restrictions) or ["no user restrictions"]
        case _:
            return [f"Invalid command: {' '.join(words)}"]
