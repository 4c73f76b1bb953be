"""The release in force on this computer, as its benches use it: a profile of it, by name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fleet.home import Home
from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import PROFILE
from fleet.remote.releases.store import Store
from profiles.errors import SchoolbagError, meant
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.preflight import check
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


def wanted(home: Home, profile: str, release: str) -> Profile:
    """The profile that devices are brought to: of a release where one is named, else of the library or a file.

    Raises ReleaseError, ProfileError, and what is wrong with the files of the profile.
    """
    name = str(profile_of(home, release, profile)) if release else profile
    found = load(name, Secrets(os.environ, home.secrets_file))
    check(found)
    return found


class Named:
    """The profile that somebody named: the same for every device."""

    def __init__(self, home: Home, profile: str) -> None:
        self._found = wanted(home, profile, "")

    def __call__(self) -> Profile:
        """What to bring the next device to."""
        return self._found


class InForce:
    """The profile of the release in force, read anew when another one is: for who serves devices for days."""

    def __init__(self, home: Home, profile: str) -> None:
        self._home = home
        self._profile = profile
        self._number = Store(home).current()
        self._found = wanted(home, profile, "current")

    def __call__(self) -> Profile:
        """What to bring the next device to. What cannot be used is not taken; the site has told the hub so."""
        number = Store(self._home).current()
        if number != self._number:
            with contextlib.suppress(SchoolbagError):
                self._found = wanted(self._home, self._profile, "current")
                self._number = number
        return self._found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ReleaseError(f"{printable(text)!r} is no release.", "Write its number, or current.")
    return int(text)
