"""What a server has to know of a profile to answer the agents of its phones; nothing in it is secret.

JSON-able, and the same for the same profile: a server keeps it by the profile's digest, with the files that it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profiles.restrictions import table
from profiles.schema import Profile
from provision import sources
from provision.android import apk
from provision.android.apk import ApkError, AppFiles

VERSION = 1


def document(profile: Profile) -> dict[str, Any]:
    """What the profile says of Android phones, for :func:`provision.agents.configuration.answer`.

    Keys ``v profile digest secret server restrictions time_zone apps files removed left_out``: ``restrictions`` maps
    each denied key of Android to the first API that knows it; ``apps`` are of one APK each, ``left_out`` the packages
    that the agent cannot install (several APKs, expansion files, no file that can be read). Sizes are in bytes, hashes
    in hex. Reads all files of the profile. OSError when one cannot be read.
    """
    apps = dict(_apps(profile))
    owner = profile.owner
    return {
        "v": VERSION,
        "profile": profile.profile,
        "digest": profile.digest,
        "secret": owner.secret.name if owner and owner.secret else None,
        "server": owner.server if owner else None,
        "restrictions": {
            row.owner.key: row.owner.api
            for name, rule in profile.restrictions.rules.items()
            if rule.deny and (row := table()[name]).owner
        },
        "time_zone": profile.identity.time_zone if profile.identity else None,
        "apps": [_app(app) for app in apps.values() if app],
        "files": [_file(path, name) for name, path in _content(profile)],
        "removed": [ref.android for ref in profile.restrictions.remove if ref.android],
        "left_out": sorted(package for package, app in apps.items() if app is None),
    }


def files(profile: Profile) -> dict[str, Path]:
    """The files that the document of ``profile`` names, by their SHA-256: those that an agent may ask for."""
    apps = {app.apks[0].sha256: app.apks[0].path for _, app in _apps(profile) if app}
    return {**apps, **{sources.digest(path): path for _, path in _content(profile)}}


def _apps(profile: Profile) -> Iterator[tuple[str, AppFiles | None]]:
    for app in profile.apps:
        if app.android and app.android.file:
            try:
                read = apk.read(app.android.file)
            except ApkError:  # the item of this app says so on the bench
                read = None
            yield app.android.package, read if read and len(read.apks) == 1 and not read.obbs else None


def _app(app: AppFiles) -> dict[str, Any]:
    (only,) = app.apks
    return {
        "pkg": app.package,
        "name": app.package,
        "version": app.version_name,
        "code": app.version_code,
        "sha256": only.sha256,
        "size": only.size,
    }


def _content(profile: Profile) -> Iterator[tuple[str, Path]]:
    """Each file by its place below the phone's shared storage."""
    for entry in profile.content:
        for name, (path, _) in sources.source(entry.from_).files.items():
            if not sources.ODD.search(name):  # no device could be told of it; the item of this content says so
                yield f"{entry.to}/{name}", path


def _file(path: Path, name: str) -> dict[str, Any]:
    return {
        "path": name,
        "sha256": sources.digest(path),
        "md5": sources.digest(path, "md5"),
        "size": path.stat().st_size,
    }
