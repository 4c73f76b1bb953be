"""A visit to a site: who answers there is checked before anything else is said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.remote.errors import RemoteError, SiteError, Unreachable
from fleet.remote.releases.keys import PublicKey
from fleet.remote.sites import records
from fleet.remote.sites.records import Site
from fleet.remote.wire.session import Hello, Session
from fleet.remote.wire.ssh import COMMAND, connected
from fleet.units import Registry

SKEW = 60
"""Seconds by which two clocks may differ before it is told."""


@dataclass(frozen=True)
class Checked:
    """How a site is: what it said, or why it said nothing. ``skew``: seconds that its clock is ahead of ours."""

    site: str
    hello: Hello | None
    error: RemoteError | None = None
    skew: int = 0

    @property
    def well(self) -> bool:
        """Whether a push would reach it."""
        return self.hello is not None and self.error is None


@contextmanager
def visiting(site: Site, home: Home) -> Iterator[Session]:
    """A session with the site. Raises Unreachable, HostKeyChanged, and SiteError where no fleet answers."""
    with connected(site.address, site.key, home) as channel:
        try:
            session = Session(channel, site.name)
        except (Unreachable, SiteError) as error:
            if failure := channel.failure():
                raise failure from error
            said = channel.complaint()
            if not said:
                raise
            raise SiteError(
                f"{site.name}: {COMMAND} does not run there: {said}",
                "Install fleet there, for that user; or give our key a forced command (docs/sites.md).",
            ) from error
        yield session


def greet(session: Session, site: str, registry: Registry, key: PublicKey) -> Hello:
    """Say who we are; note whose chain comes from there, and have the site take our releases."""
    hello = session.hello(key.text, key.hub)
    if not hello.trusts:
        session.trust(key.text, key.hub)
    with snapshot(registry.engine) as conn:
        known = records.one(conn, site)
    if known.bench != hello.bench:
        with transaction(registry.engine) as conn:
            records.met(conn, registry.ledger, site, hello.bench)
    if (known.reported, known.digest) != (hello.release, hello.digest) or known.reported_at is None:
        with transaction(registry.engine) as conn:
            records.reported(conn, registry.ledger, site, hello.release, hello.digest)
    return hello


def check(registry: Registry, site: Site, key: PublicKey) -> Checked:
    """Visit the site, and say how it is. Raises nothing that is the site's fault."""
    try:
        with visiting(site, registry.home) as session:
            hello = greet(session, site.name, registry, key)
            skew = hello.now - int(time.time())
            session.bye()
    except RemoteError as error:
        return Checked(site.name, None, error)
    return Checked(site.name, hello, skew=skew)
