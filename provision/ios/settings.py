"""What is read from an iPhone or iPad and what is set on it, in the order of applying.

Whose it is comes first, since an erased device is another one; what a person has to install by hand comes last.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.ios import (
    apps,
    bench,
    cellular,
    configuration,
    content,
    health,
    home_screen,
    identity,
    makers,
    network,
    restrictions,
    screen_lock,
    setup,
    sim,
)
from provision.ios.keybag import Keybag
from provision.ios.locks import LocksReader
from provision.ios.questions import Question
from provision.ios.supervision import SupervisionSetting
from provision.setting import Reader, Setting


def readers(keybag: Keybag | None) -> Mapping[str, Reader[Question]]:
    """``keybag``: the one that this bench supervises with, ``None`` where it has none."""
    return {
        "health": health,
        "locks": LocksReader(keybag),
        "cellular": cellular,
        "makers": makers,
        "setup": setup,
    }


def settings(keybag: Keybag | None) -> Mapping[str, Setting[Question]]:
    """See :func:`readers`."""
    return {
        "supervision": SupervisionSetting(keybag),
        "identity": identity,
        "apps": apps,
        "content": content,
        "network": network,
        "sim": sim,
        "restrictions": restrictions,
        "home_screen": home_screen,
        "screen_lock": screen_lock,
        "configuration": configuration,
        "bench": bench,
    }
