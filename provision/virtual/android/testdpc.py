"""What TestDPC answers through ``dumpsys activity service`` once it owns the device (§3.4): what a bench asks of it.

The words of success and of errors other than those of ``set-user-restriction`` are [inferred].
"""

from __future__ import annotations

from collections.abc import Callable

from provision.virtual.android.envelope import JavaError, illegal
from provision.virtual.android.packages import Package
from provision.virtual.android.phone import Phone
from provision.virtual.android.policy import give_up, may_suspend, owns, restrict

PACKAGE = "com.afwsamples.testdpc"
_SINCE = 26


def answer(phone: Phone, service: str, words: list[str]) -> str | None:
    """The framed answer; None when no such service runs."""
    if service.partition("/")[0] != PACKAGE or not owns(phone, PACKAGE) or phone.api < _SINCE:
        return None
    head = f"SERVICE {PACKAGE}/.DeviceAdminService 7d1c2a1 pid=4021\n  Client:\n"
    return head + "".join(f"    {line}\n" for line in _run(phone, words))


def _run(phone: Phone, words: list[str]) -> list[str]:
    name, rest = (words[0] if words else ""), words[1:]
    if name not in _COMMANDS:
        return [f"Invalid command: {' '.join(words)}"]
    try:
        return _COMMANDS[name](phone, rest)
    except JavaError as error:
        return [f"Error executing {name}: {error}"]


def _set_user_restriction(phone: Phone, words: list[str]) -> list[str]:
    key, value = _arguments(words, 2)
    try:
        restrict(phone, PACKAGE, key, on=_boolean(value))
    except JavaError as error:
        return [f"Error setting user restriction '{key}' to {value}: {error}"]
    return [f"User restriction '{key}' set to {value}"]


def _list_user_restrictions(phone: Phone, _words: list[str]) -> list[str]:
    return sorted(phone.restrictions.policy) or ["no user restrictions"]


def _set_suspended(phone: Phone, words: list[str]) -> list[str]:
    on = _boolean(words[0] if words else "")
    refused = []
    for name in words[1:]:
        package = phone.packages.installed(name, 0)
        if package is None or not may_suspend(phone, package):
            refused.append(name)
        else:
            package.state(0).suspended = on
    done = [name for name in words[1:] if name not in refused]
    lines = [f"Packages {'' if on else 'un'}suspended: {', '.join(done)}"] if done else []
    return lines + ([f"Could not change: {', '.join(refused)}"] if refused else [])


def _set_uninstall_blocked(phone: Phone, words: list[str]) -> list[str]:
    name, value = _arguments(words, 2)
    _package(phone, name).uninstall_blocked = _boolean(value)
    return [f"Uninstall blocked for '{name}' set to {value}"]


def _set_hidden(phone: Phone, words: list[str]) -> list[str]:
    name, value = _arguments(words, 2)
    _package(phone, name).state(0).hidden = _boolean(value)
    return [f"Package '{name}' hidden set to {value}"]


def _lock_now(phone: Phone, _words: list[str]) -> list[str]:
    phone.screen_off = True
    return ["Device locked"]


def _reboot(phone: Phone, _words: list[str]) -> list[str]:
    phone.on_reboot("")
    return ["Device will be rebooted"]


def _wipe(phone: Phone, _words: list[str]) -> list[str]:
    phone.on_wipe()
    return ["Data will be wiped"]


def _clear_owner(phone: Phone, _words: list[str]) -> list[str]:
    give_up(phone)
    return ["Device owner cleared"]


def _transfer(phone: Phone, words: list[str]) -> list[str]:
    """No admin of these phones says in its XML that it takes over an owner's place (§3.4)."""
    (component,) = _arguments(words, 1)
    if phone.api < 28:
        return ["Invalid command: transfer-ownership"]
    _package(phone, component.partition("/")[0])
    raise illegal(f"Provided target doesn't support ownership transfer: ComponentInfo{{{component}}}")


def _package(phone: Phone, name: str) -> Package:
    package = phone.packages.installed(name, 0)
    if package is None:
        raise illegal(f"Unknown package: {name}")
    return package


def _arguments(words: list[str], count: int) -> list[str]:
    if len(words) < count:
        raise illegal(f"Argument expected: {count} needed, {len(words)} given")
    return words[:count]


def _boolean(word: str) -> bool:
    if word not in {"true", "false"}:
        raise illegal(f"Invalid value: {word}")
    return word == "true"


_COMMANDS: dict[str, Callable[[Phone, list[str]], list[str]]] = {
    "set-user-restriction": _set_user_restriction,
    "list-user-restrictions": _list_user_restrictions,
    "set-suspended-packages": _set_suspended,
    "set-uninstall-blocked": _set_uninstall_blocked,
    "set-hidden-package": _set_hidden,
    "lock-now": _lock_now,
    "reboot": _reboot,
    "wipe-data": _wipe,
    "clear-device-owner": _clear_owner,
    "transfer-ownership": _transfer,
}
