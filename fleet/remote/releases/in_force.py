"""The release in force on this computer, as its benches use it: a profile of it, by name."""

from __future__ import annotations

from pathlib import Path

from fleet.home import Home
from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import PROFILE
from fleet.remote.releases.store import Store
from profiles.errors import meant
from provision.text import printable


def profile_of(home: Home, release: str, name: str = "") -> Path:
    """The file of a profile of a release: ``current``, or a number. ``name`` may be left out where there is but one.

    Raises ReleaseError for a release that is not here, and for a name that is not in it.
    """
    store = Store(home)
    number = store.current() if release == "current" else _number(release)
    if number is None:
        raise ReleaseError("No release is in force here yet.", "The hub sends one: fleet push; or name a profile.")
    manifest = store.signed(number).manifest
    names = sorted(manifest.profiles)
    if not name and len(names) > 1:
        raise ReleaseError(f"Release {number} has several profiles: {', '.join(names)}.", "Say which: --profile NAME")
    if name and name not in names:
        raise ReleaseError(
            f"Release {number} has no profile {printable(name)!r}{meant(name, names)}.", f"It has: {', '.join(names)}."
        )
    return store.tree(number) / (name or names[0]) / PROFILE


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ReleaseError(f"{printable(text)!r} is no release.", "Write its number, or current.")
    return int(text)
