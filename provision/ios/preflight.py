"""What is wrong with the IPAs that a profile names, found before any device is touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from profiles.errors import Problem, ProfileError
from profiles.schema import App, Content, Profile
from provision.ios import ipa
from provision.ios.ipa import Ipa, IpaError


def check(profile: Profile) -> None:
    """Raise ProfileError with every app whose file no device would take, or that is not what the profile says of it."""
    problems = [problem for app in profile.apps for problem in _app(profile, app)]
    problems += [problem for entry in profile.content for problem in _content(profile, entry)]
    if problems:
        raise ProfileError(problems)


def _app(profile: Profile, app: App) -> Iterator[Problem]:
    if app.ios is None or app.ios.file is None:
        return
    try:
        found = ipa.read(app.ios.file)
    except IpaError as error:
        yield _problem(profile, str(error), "apps", app.id, "ios", "file")
        return
    if app.ios.bundle not in (None, found.bundle):
        message = f"the file is of {found.bundle}, not of {app.ios.bundle}"
        yield _problem(profile, message, "apps", app.id, "ios", "bundle")
    if found.ended(datetime.now(UTC)):
        message = (
            f"{app.ios.file.name}: its provisioning profile ended on {found.signing.ends:%Y-%m-%d}. "
            "Have its maker sign it anew."
        )
        yield _problem(profile, message, "apps", app.id, "ios", "file")


def _content(profile: Profile, entry: Content) -> Iterator[Problem]:
    app = next((app.ios for app in profile.apps if app.id == entry.ios), None)
    found = _readable(app.file) if app and app.file else None
    if found and not found.shares_files:
        message = f"the app {entry.ios} takes no files over USB (its UIFileSharingEnabled is not set)"
        yield _problem(profile, message, "content", entry.id, "ios")


def _readable(file: Path) -> Ipa | None:
    try:
        return ipa.read(file)
    except IpaError:
        return None  # said of the app itself


def _problem(profile: Profile, message: str, *place: str) -> Problem:
    file, _, line = profile.where(*place).rpartition(":")
    return Problem(file, int(line), 1, f"{place[1]}: {message}")
