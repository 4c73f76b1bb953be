"""The tables of what is far away: releases, sites, pushes; and what the contacts with sites have come to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table

from fleet.models.base import metadata

releases = Table(
    "releases",
    metadata,
    Column("release", String, primary_key=True),
    Column("number", Integer, nullable=False, index=True),
    Column("digest", String, nullable=False),
    Column("note", String, nullable=False),
    Column("profiles", String, nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
)
"""``release`` is the number as text; ``digest`` that of the manifest; ``profiles`` canonical JSON of name to digest."""

sites = Table(
    "sites",
    metadata,
    Column("site", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("host_key", String, nullable=False),
    Column("bench", String, index=True),
    Column("since", String, nullable=False),
    Column("removed_at", String),
    Column("wanted", Integer),
    Column("wanted_at", String),
    Column("reported", Integer),
    Column("reported_digest", String),
    Column("reported_at", String),
)
"""``address`` is ``ssh://user@host:port``, ``host_key`` as known_hosts has it (type and base64). ``bench``: whose chain
comes from there. ``wanted`` is the number of the release that it should have, ``reported`` the one that it said it has,
by number and digest."""

pushes = Table(
    "pushes",
    metadata,
    Column("push", String, primary_key=True),
    Column("number", Integer, nullable=False, index=True),
    Column("release", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("rules", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("changed", String, nullable=False),
    Column("via", String, nullable=False, server_default="site"),
    Column("wave", Integer, nullable=False, server_default="1"),
    Column("clock", String),
)
"""``state`` is running, paused, aborted, expired or done; ``why`` says who or what ended or paused it. ``rules`` is
canonical JSON: waves, the failure rate to stop at, hours, expiry, whether devices are brought to it at once. ``via`` is
site or agent; of a push via agents ``wave`` is the last one that is open, counted from 1. ``clock`` is
what the clock said when it changed, where that was told: the time of the ledger may be ahead of it."""

push_sites = Table(
    "push_sites",
    metadata,
    Column("push", String, ForeignKey(pushes.c.push), primary_key=True),
    Column("site", String, primary_key=True),
    Column("wave", Integer, nullable=False),
    Index(None, "site"),
    sqlite_with_rowid=False,
)
"""Which sites a push goes to, and in which wave, counted from 1."""

wants = Table(
    "wants",
    metadata,
    Column("unit", String, primary_key=True),
    Column("site", String, nullable=False),
    Column("push", String, nullable=False),
    Column("release", Integer, nullable=False),
    Column("profile", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("at", String, nullable=False),
    Index(None, "site", "push"),
    sqlite_with_rowid=False,
)
"""What each unit should have by the last push that means it: the profile of a release, by name and digest; ``site`` is
where it was looked at last. Like ``contacts`` it may be lost. What it has is in ``runs``."""

contacts = Table(
    "contacts",
    metadata,
    Column("site", String, primary_key=True),
    Column("push", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("at", String, nullable=False),
    Column("next_at", String, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("rate", Integer),
    Column("verdicts", String, nullable=False),
    Column("brought", String),
    Column("mark", String),
    Column("zone", Integer),
    Column("error", String, nullable=False),
    Column("next_action", String, nullable=False),
    Index(None, "push", "state", "next_at"),
    sqlite_with_rowid=False,
)
"""How the work at each site stands: no record of what happened (that is the ledger), so it may be lost. ``state`` is
waiting, connecting, sending, bringing, done or failed; ``sent`` and ``total`` are bytes of the release, ``rate`` bytes
per second as last measured. ``verdicts`` is canonical JSON of verdict to number of devices, of the last bringing, and
``brought`` the digest of the release of which it was. ``mark``: how the site's registry was when its chain was last
taken over; ``zone``: minutes east of UTC of its clock."""
