"""What the system keeps the phone's user from: the effective restrictions of user 0 in ``dumpsys user``. Reads only.

The heading ``Effective restrictions:`` and what is below it, deeper indented, have been the same since Android 7: a key
per line, or ``none`` or ``null``. What else is told of a user, and in which order, has not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from provision.android.command import Command, command
from provision.android.reading import text
from provision.model import Identity
from provision.owned import Enforced
from provision.setting import Answer

_USER = re.compile(r"[ \t]{0,8}UserInfo\{(\d{1,9}):")
_HEADING = re.compile(r"([ \t]{1,16})Effective restrictions:[ \t]*")
_KEY = re.compile(r"([ \t]{1,32})([a-z][a-z0-9_]{2,79})[ \t]*")
_EMPTY = {"none", "null"}


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Whatever the profile, the same is asked."""
    return {"users": command("dumpsys", "user")}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Enforced:
    """See :class:`provision.model.Enforced`."""
    lines = _below_heading(_of_first_user(text(answers, "users").split("\n")))
    if lines is None:
        return Enforced()
    keys = set(lines)
    return Enforced(tuple(sorted(keys - _EMPTY))) if keys else Enforced()


def _of_first_user(lines: list[str]) -> Iterator[str]:
    """The lines of user 0: what follows its line up to that of another user."""
    inside = False
    for line in lines:
        if user := _USER.match(line):
            inside = int(user[1]) == 0
        elif inside:
            yield line


def _below_heading(lines: Iterator[str]) -> list[str] | None:
    """The words below the heading; ``None`` where there is no such heading."""
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            return list(_deeper(lines, len(heading[1])))
    return None


def _deeper(lines: Iterator[str], indent: int) -> Iterator[str]:
    for line in lines:
        key = _KEY.fullmatch(line)
        if key is None or len(key[1]) <= indent:
            return
        yield key[2]
