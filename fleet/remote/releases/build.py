"""Building a release: profiles are resolved, their files copied by hash, the whole is numbered and signed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet import VERSION
from fleet.db import snapshot, transaction
from fleet.remote.errors import ReleaseError
from fleet.remote.releases import keys, records
from fleet.remote.releases.manifest import PROFILE, File, Manifest, parse
from fleet.remote.releases.store import Signed, Store
from fleet.units import Registry
from profiles.bundle import Bundle, bundle
from provision.progress import now
from provision.text import printable

Tell = Callable[[str, int, int], None]
"""Called with a file's name, its number and how many there are."""


@dataclass(frozen=True)
class Built:
    """``new`` is False when the newest release is the same already: then that one is meant, and nothing was made."""

    manifest: Manifest
    new: bool


def build(registry: Registry, profiles: Sequence[str], note: str, tell: Tell) -> Built:
    """The release of these profiles (names of the library, or files).

    Raises ProfileError with every problem of a profile, ReleaseError when there is no key, two profiles have one name,
    a file changes meanwhile, or the disk is full. Cut off at any moment, nothing is there but copies of files.
    """
    keys.public(registry.home)
    store = Store(registry.home)
    bundles = [bundle(name) for name in profiles]
    names = [one.name for one in bundles]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ReleaseError(f"Two of the profiles are called {printable(twice)}.", "Name each profile once.")
    files = _files(store, bundles, tell)
    with snapshot(registry.engine) as conn:
        newest = _newest(records.last(conn), store)
    digests = {one.name: one.digest for one in bundles}
    if newest and (newest.files, newest.profiles, newest.note) == (files, digests, note):
        return Built(newest, new=False)
    with transaction(registry.engine) as conn:
        number = max([records.last(conn), *store.numbers()]) + 1
        manifest = parse(Manifest(number, now(), note, VERSION, digests, files).content())
        content = manifest.content()
        records.add(conn, registry.ledger, manifest)
        store.keep(Signed(content, keys.sign(registry.home, content)))
    return Built(manifest, new=True)


def _files(store: Store, bundles: Sequence[Bundle], tell: Tell) -> dict[str, File]:
    total = sum(len(one.files) for one in bundles)
    found: dict[str, File] = {}
    number = 0
    for one in bundles:
        mine = {PROFILE: _text(store, one.text)}
        for place, path in one.files.items():
            number += 1
            tell(path.name, number, total)
            mine[place] = store.add(path)
        found |= {f"{one.name}/{place}": file for place, file in mine.items()}
    return found


def _text(store: Store, text: str) -> File:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PROFILE
        path.write_text(text, encoding="utf-8")
        return store.add(path)


def _newest(number: int, store: Store) -> Manifest | None:
    return store.signed(number).manifest if number and store.tree(number).exists() else None
