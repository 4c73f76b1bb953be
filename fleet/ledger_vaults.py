"""By which keys of the vault the students of a registry were named.

A pseudonym is made with the key: of benches with two keys a child in the lists of both is two students, and nobody can
tell. Each bench says in its chain with which key it names students (``bench.vault``); that says nothing of the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from fleet.errors import OtherKey
from fleet.ledger_file import Source
from fleet.models import bench_vaults, benches
from provision.text import printable


@dataclass(frozen=True)
class Keys:
    """What a merge takes of students that were named with other keys.

    ``own``: the fingerprint of this bench's key, "" without one. ``several``: students of a second key are taken,
    without names. ``backup``: everything, as it was.
    """

    own: str = ""
    several: bool = False
    backup: bool = False

    def names(self, found: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether the encrypted names of a file are taken: one that this bench cannot open would lock them all."""
        return self.backup or not found or (len(found) == 1 and self.own in ("", *found))


ANY = Keys()


def fingerprint(key: bytes | None) -> str:
    """By which two benches can tell whether they have one key. It says nothing of the key; "" without one."""
    return hashlib.blake2b(b"fingerprint", key=key, digest_size=8).hexdigest() if key else ""


def known(conn: Connection) -> Mapping[str, tuple[str, ...]]:
    """The fingerprints of the keys, each with the benches that use it, as people call them."""
    query = (
        select(bench_vaults.c.vault, bench_vaults.c.bench, benches.c.name)
        .outerjoin(benches, benches.c.bench == bench_vaults.c.bench)
        .order_by(bench_vaults.c.since, bench_vaults.c.bench)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in conn.execute(query):
        found[row.vault] = (*found.get(row.vault, ()), printable(row.name or row.bench))
    return found


def check(
    source: Source, keys: Keys, before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]
) -> None:
    """OtherKey when the file brought a second key."""
    if keys.backup or keys.several:
        return
    if len(after) > 1 and (new := [name for key, names in after.items() if key not in before for name in names]):
        ours = ", ".join(name for names in before.values() for name in names) or "another bench of this file"
        source.refuse(
            f"{', '.join(new)} names students with another key of the vault than {ours}",
            "Nothing was taken over: who is in lists of both would be two students. Benches need one key before their "
            "first list (fleet vault restore). To take it over apart, and without names: --other-key.",
            OtherKey,
        )


def told(found: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Which benches use which key, in sentences, where there are several."""
    several = len(found) > 1
    return tuple(f"Key {key} of the vault: {', '.join(names)}." for key, names in found.items() if several)
