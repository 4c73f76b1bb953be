"""Putting an offered release in force at a site: nothing is believed, everything is checked, then one rename."""

from __future__ import annotations

import os
from collections.abc import Collection

from fleet import VERSION
from fleet.home import Home, Options
from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import PROFILE, Manifest
from fleet.remote.releases.store import Signed, Store
from profiles.errors import ProfileError
from profiles.secrets import Secrets

_SECRET = b"!secret"
"""A profile without one is here what it is at the hub, where the same version of fleet has read it."""

_KEPT = 3
"""So many releases stay at a site, so that going back to the last ones moves no bytes."""


def activate(home: Home, options: Options, signed: Signed, came: Collection[str], *, older: bool) -> Manifest:
    """The release is in force from now on. Its signature was checked before, and the contents that just ``came``; those
    that have been here for longer are hashed again.

    ReleaseError when it is older than what is in force and nobody said that it may be, when a content is missing, and
    when a profile cannot be used here or is not what the manifest says; then what was in force stays.
    """
    manifest = signed.manifest
    store = Store(home)
    current = store.current()
    if current and manifest.number < current and not older:
        raise ReleaseError(
            f"Release {manifest.number} is older than {current}, which is in force there.",
            "To go back: fleet push rollback. Another hub may have sent the newer one.",
        )
    if store.missing(manifest):
        raise ReleaseError(f"Not all of release {manifest.number} is there yet.", "The next contact sends the rest.")
    for sha256 in manifest.blobs.keys() - set(came):
        store.check_blob(sha256)
    store.keep(signed)
    for name, digest in manifest.profiles.items():
        if manifest.fleet != VERSION or _SECRET in (store.tree(manifest.number) / name / PROFILE).read_bytes():
            _check(store, manifest.number, name, digest, Secrets(os.environ, options.secrets_file))
    store.activate(manifest.number)
    store.sweep(_KEPT)
    return manifest


def _check(store: Store, number: int, name: str, digest: str, secrets: Secrets) -> None:
    """That the profile can be used here, with the secrets of this site, and is the one that the hub resolved."""
    from profiles.load import load

    try:
        profile = load(str(store.tree(number) / name / PROFILE), secrets)
    except ProfileError as error:
        raise ReleaseError(
            f"Profile {name} of release {number} cannot be used at this site: {error.problems[0].message}.",
            "Give the secret at the site; if it is anything else, update fleet there.",
        ) from error
    if (profile.profile, profile.digest) != (name, digest):
        raise ReleaseError(
            f"Profile {name} of release {number} is another one here than at the hub.", "Update fleet at the site."
        )
