"""What is wrong with the files that a profile names, on any platform, found before any device is touched."""

from __future__ import annotations

from profiles.errors import Problem, ProfileError
from profiles.schema import Profile
from provision.android import preflight as android
from provision.ios import preflight as ios


def check(profile: Profile) -> None:
    """Raise ProfileError with every app whose file is not what the profile says of it, or that no device would take."""
    problems: list[Problem] = []
    for platform in (android, ios):
        try:
            platform.check(profile)
        except ProfileError as error:
            problems += error.problems
    if problems:
        raise ProfileError(problems)
