"""What is wrong with the files that a profile names, found before any device is touched."""

from __future__ import annotations

from collections.abc import Iterator

from profiles.errors import Problem, ProfileError
from profiles.schema import AndroidApp, App, Profile
from provision.android.apk import ApkError, AppFiles, read
from provision.android.app_install import permission


def check(profile: Profile) -> None:
    """Raise ProfileError with every app whose file is not what the profile says of it."""
    problems = [problem for app in profile.apps for problem in _app(profile, app)]
    problems += _owner(profile)
    if problems:
        raise ProfileError(problems)


def _app(profile: Profile, app: App) -> Iterator[Problem]:
    if app.android is None or not app.android.file:
        return
    try:
        found = read(app.android.file)
    except ApkError as error:
        yield _problem(profile, app, "file", str(error))
        return
    yield from (_problem(profile, app, field, text) for field, text in _mismatches(app.android, found))


def _owner(profile: Profile) -> Iterator[Problem]:
    if profile.owner is None:
        return
    places = {"package": "file"}
    try:
        found = list(_mismatches(profile.owner.app, read(profile.owner.file)))
    except ApkError as error:
        found = [("file", str(error))]
    for field, text in found:
        file, _, line = profile.where("owner", places.get(field, field)).rpartition(":")
        yield Problem(file, int(line), 1, f"owner: {text}")


def _mismatches(app: AndroidApp, found: AppFiles) -> Iterator[tuple[str, str]]:
    if found.package != app.package:
        yield "package", f"the file is of {found.package}, not of {app.package}"
    signers = {signer.sha256 for signer in found.signers}
    if app.signer and app.signer not in signers:
        yield "signer", f"the file is signed by {found.signer}, not by this signer; do not use it before you know why"
    for name in app.grant:
        if permission(name) not in found.permissions:
            yield "grant", f"the app does not ask for {permission(name)}, so it cannot be given"


def _problem(profile: Profile, app: App, field: str, message: str) -> Problem:
    file, _, line = profile.where("apps", app.id, "android", field).rpartition(":")
    return Problem(file, int(line), 1, f"{app.id}: {message}")
