"""What a server knows of the profiles that agents are given, by digest: documents, and which contents they name.

A document is made once, of the profile of a release that is in this home, and kept in the registry, where other servers
find it. Making one reads all files of the profile; loading it needs none of its secrets.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fleet.bulk import put_rows
from fleet.db import noting, snapshot
from fleet.home import Home
from fleet.models import agent_configs
from fleet.remote.releases.manifest import PROFILE
from fleet.remote.releases.store import Store
from fleet.units import Registry
from fleet.values import encoded
from profiles.errors import SchoolbagError
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import AnySecret
from provision.android.agent_document import VERSION
from provision.android.agent_document import document as made_of
from provision.progress import now

Document = Mapping[str, Any]

_LOOK_AGAIN = 20.0
"""Seconds for which it is believed that a document cannot be made."""


class NoDocument(SchoolbagError):
    """What a profile says of phones is not to be had here, now."""


@dataclass
class Configurations:
    """The documents that this process has read. Safe to share by threads."""

    registry: Registry
    _known: dict[str, Document] = field(default_factory=dict)
    _naming: dict[str, set[str]] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)
    _failed: dict[str, tuple[float, NoDocument]] = field(default_factory=dict)

    def known(self, digest: str) -> Document | None:
        """The document, if it was read before."""
        return self._known.get(digest)

    def of(self, digest: str) -> Document:
        """The document of the profile with this digest: read, or made. NoDocument, RegistryError.

        It may take as long as the reading of all files of the profile does; one is made at a time.
        """
        if found := self._known.get(digest):
            return found
        with self._making:
            if found := self._known.get(digest) or self._read([digest]).get(digest):
                return found
            until, error = self._failed.get(digest, (0.0, None))
            if error and time.monotonic() < until:
                raise error
            try:
                return self._make(digest)
            except NoDocument as failed:
                self._failed[digest] = (time.monotonic() + _LOOK_AGAIN, failed)
                raise

    def keep(self, document: Document) -> None:
        """A document that was made elsewhere: this process and all others know it from now on."""
        row = {
            "digest": document["digest"],
            "profile": document["profile"],
            "document": encoded(document),
            "at": now(),
        }
        with noting(self.registry.engine) as conn:
            put_rows(conn, agent_configs, [row])
        self._take(document)

    def secrets_of(self, sha256: str) -> frozenset[str]:
        """The names of the secrets by which agents may ask for this content; none where no document names it."""
        return frozenset(self._naming.get(sha256, ()))

    def not_read(self) -> set[str]:
        """The digests of what other processes have made and this one has not read. RegistryError."""
        with snapshot(self.registry.engine) as conn:
            return set(conn.scalars(select(agent_configs.c.digest))) - self._known.keys()

    def read(self, digests: Iterable[str]) -> None:
        """Read those of these that were made. RegistryError."""
        with self._making:
            self._read(digests)

    def contents(self) -> frozenset[str]:
        """All contents that documents name, by their SHA-256."""
        return frozenset(self._naming)

    def _read(self, digests: Iterable[str]) -> Mapping[str, Document]:
        with snapshot(self.registry.engine) as conn:
            found = stored(conn, digests)
        for document in found.values():
            self._take(document)
        return found

    def _take(self, document: Document) -> None:
        for one in (*document["apps"], *document["files"]):
            if document["secret"]:
                self._naming.setdefault(one["sha256"], set()).add(document["secret"])
        self._known[document["digest"]] = document

    def _make(self, digest: str) -> Document:
        profile = of_release(self.registry.home, digest)
        try:
            document = made_of(profile)
        except OSError as error:
            raise NoDocument(f"A file of the profile {profile.profile} cannot be read: {error.strerror}.") from error
        self.keep(document)
        return document


def stored(conn: Connection, digests: Iterable[str]) -> dict[str, Document]:
    """Those documents of these profiles that some server has made, as this version makes them."""
    query = select(agent_configs.c.digest, agent_configs.c.document).where(agent_configs.c.digest.in_(list(digests)))
    found = {row.digest: json.loads(row.document) for row in conn.execute(query)}
    return {digest: document for digest, document in found.items() if document["v"] == VERSION}


def of_release(home: Home, digest: str) -> Profile:
    """The profile with this digest, of the newest release here that has it. NoDocument when none has."""
    store = Store(home)
    for number in reversed(store.numbers()):
        try:
            names = [name for name, found in store.signed(number).manifest.profiles.items() if found == digest]
            if names:
                return load(str(store.tree(number) / names[0] / PROFILE), AnySecret())
        except SchoolbagError:  # one that is damaged, or being swept away
            continue
    raise NoDocument(
        f"No release here has the profile {digest[:12]}….",
        "Bring releases to this computer, or provision with a profile of a release (docs/agents.md).",
    )
