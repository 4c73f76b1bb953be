"""Apps: those of the profile, each as :mod:`provision.android.app_install` has it.

While apps are being installed the check of apps that come over USB is off; the ``bench`` setting has it back on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from profiles.schema import App, Profile
from provision.android.actions import VERIFIER
from provision.android.app_install import Installed, Now, Wanted, installed, installing_forbidden, look
from provision.android.command import Command, command
from provision.android.reading import text
from provision.model import Cannot, Facts, Identity, Item, Step, Unit
from provision.setting import Answer


@dataclass(frozen=True)
class Found:
    """The apps of the profile by id, and whether apps that come over USB are checked."""

    apps: Mapping[str, Installed]
    verifier: bool


def probes(profile: Profile, _identity: Identity, deep: bool) -> Mapping[str, Command]:
    asked = {app.id: look(app.android.package, deep=deep) for app in profile.apps if app.android}
    return {" verifier": command("settings", "get", "global", VERIFIER), **asked}


def parse(answers: Mapping[str, Answer], profile: Profile, _identity: Identity) -> Found:
    apps = {app.id: installed(text(answers, app.id)) for app in profile.apps if app.android}
    return Found(apps, verifier=answers[" verifier"].text.strip() != "0")


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    free, forbidden = facts.health.storage_free, installing_forbidden(profile, facts)
    for app in profile.apps:
        if app.android is None:
            continue
        wanted = Wanted.of(app.android, facts.identity)
        now = Now(f"apps.{app.id}", unit, found.verifier, free, forbidden)
        state = wanted if isinstance(wanted, Cannot) else wanted.state(found.apps[app.id], now)
        if free is not None and isinstance(state, Step):
            free -= sum(action.size for action in state.actions)
        yield Item(
            "apps", app.id, _want(app, wanted), state, source=profile.where("apps", app.id), required=app.required
        )


def _want(app: App, wanted: Wanted | Cannot) -> str:
    assert app.android is not None
    return app.android.package if isinstance(wanted, Cannot) else wanted.name
