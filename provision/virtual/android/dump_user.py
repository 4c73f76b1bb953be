"""``dumpsys user``: the users and what each of them is restricted in.

The headings of a user's restrictions, with one key per line, ``none`` or ``null`` under each, are those of
UserManagerService: per user from 7 on, with the owner's global ones beside them from 8 on. What else is printed around
them is [inferred].
"""

from __future__ import annotations

from collections.abc import Iterable

from provision.virtual.android.phone import Phone, User
from provision.virtual.android.restrictions import is_global, known, table

_POLICY_API = 24
_GLOBAL_API = 26


def text(phone: Phone, _args: list[str]) -> str:
    """The whole dump."""
    lines = ["Current user: 0"] if phone.api >= 29 else []
    lines += ["Users:"]
    for number, user in enumerate(phone.users):
        lines += [*_user(phone, user, number), ""]
    if _POLICY_API <= phone.api < _GLOBAL_API:
        # Before 8 what the owner sets for the whole device was kept once, not with each user [inferred].
        lines += ["  Device policy global restrictions:", *_keys(_of_owner(phone, whole_device=True), blanks=4), ""]
    lines += ["  Guest restrictions:", *_keys(set(table()["guest"].split()) & known(phone.api), blanks=4)]
    lines += [f"  Device managed: {str(phone.owner is not None).lower()}", f"  Max users: {phone.tree['max_users']}"]
    return "\n".join(lines) + "\n"


def _user(phone: Phone, user: User, number: int) -> list[str]:
    flags = ("c13" if user.id == 0 else "c10") if phone.api >= 30 else ("13" if user.id == 0 else "10")
    lines = [f"  UserInfo{{{user.id}:{user.name}:{flags}}} serialNo={number}"]
    if phone.api >= 30:
        lines += [f"    Type: android.os.usertype.full.{'SYSTEM' if user.id == 0 else 'SECONDARY'}"]
    lines += [f"    State: {'RUNNING_UNLOCKED' if user.running else '-1'}", "    Created: <unknown>"]
    lines += ["    Last logged in: +5m12s341ms ago" if user.running else "    Last logged in: <unknown>"]
    own = phone.restrictions.own if user.id == 0 else set()
    lines += ["    Restrictions:", *_keys(own)]
    if phone.api < _POLICY_API:
        return lines
    whole, local = _of_owner(phone, whole_device=True), _of_owner(phone, whole_device=False)
    mine = local if user.id == (phone.owner.user if phone.owner else 0) else set()
    if phone.api >= _GLOBAL_API:
        lines += ["    Device policy global restrictions:", *_keys(whole or None)]
    lines += ["    Device policy local restrictions:", *_keys(mine or None)]
    return [*lines, "    Effective restrictions:", *_keys(own | whole | mine)]


def _of_owner(phone: Phone, *, whole_device: bool) -> set[str]:
    return {key for key in phone.restrictions.policy if is_global(key) == whole_device}


def _keys(keys: Iterable[str] | None, blanks: int = 6) -> list[str]:
    """One per line; ``null`` where there never were any."""
    shown = ["null"] if keys is None else sorted(keys) or ["none"]
    return [" " * blanks + key for key in shown]
