"""What is read from an Android device and what is set on it, in the order of applying: install first, restrict late,
lock last, then its owner, then how it leaves the bench."""

from __future__ import annotations

from collections.abc import Mapping

from provision.android import (
    apps,
    bench,
    cellular,
    content,
    enforced,
    health,
    home_screen,
    identity,
    locks,
    makers,
    network,
    owner,
    restrictions,
    screen_lock,
    setup,
    sim,
)
from provision.android.command import Command
from provision.setting import Reader, Setting

READERS: Mapping[str, Reader[Command]] = {
    "health": health,
    "locks": locks,
    "cellular": cellular,
    "makers": makers,
    "setup": setup,
    "enforced": enforced,
}

SETTINGS: Mapping[str, Setting[Command]] = {
    "apps": apps,
    "content": content,
    "identity": identity,
    "network": network,
    "sim": sim,
    "restrictions": restrictions,
    "home_screen": home_screen,
    "screen_lock": screen_lock,
    "owner": owner,
    "bench": bench,
}
