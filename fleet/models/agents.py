"""The tables of devices that are managed at home: their agents, what these told, and what they are ordered to do."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, text

from fleet.models.base import metadata

agents = Table(
    "agents",
    metadata,
    Column("unit", String, primary_key=True),
    Column("number", String, primary_key=True),
    Column("agent", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("server", String, nullable=False),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("ended_at", String),
    Column("why", String, nullable=False),
    Index(None, "number"),
)
"""The enrolments: one per setting-up of a device. ``number`` is the SHA-256 (hex) of the device number, which is in no
table: who reads the registry cannot pass for the device. It lives while ``ended_at`` is NULL; ``why`` it ended. What it
was set up with is ``profile`` and its ``digest``; ``server`` is its address at home."""

agent_contacts = Table(
    "agent_contacts",
    metadata,
    Column("number", String, primary_key=True),
    Column("unit", String, nullable=False),
    Column("seen_at", String, nullable=False),
    Column("home_at", String),
    Column("fetched", String),
    Column("fetched_at", String),
    Column("since", String),
    Column("confirmed", String),
    Column("confirmed_at", String),
    Column("told_at", String),
    Column("owner", Boolean),
    Column("battery_level", Integer),
    Column("iccid", String),
    Column("missing", String, nullable=False),
    Column("drift", String, nullable=False),
    Index(None, "unit"),
    Index(None, "seen_at"),
    Index(
        "ix_agent_contacts_told",
        "unit",
        sqlite_where=text("drift <> '[]' OR missing <> '[]' OR owner IS 0"),
        postgresql_where=text("drift <> '[]' OR missing <> '[]' OR owner IS false"),
    ),
    sqlite_with_rowid=False,
)
"""What an agent asked and told last, by the number of its enrolment. Whoever has the secret that all agents share can
say any of it, so it is a hint of health and never custody; it is no record of what happened, and may be lost.

``seen_at``: its last contact; ``home_at``: its last one with a server that is not a bench's. ``fetched`` and
``confirmed`` are digests of profiles: which configuration it was given last, and which one it told to have carried out.
``fetched_at`` is when it was given it last, ``since`` when it was given it first.
``told_at`` is its last report: whether it is the ``owner``, battery in percent, ICCID; ``missing`` (permissions that
were withdrawn) and ``drift`` (apps and files that are not as they should be) are lists of short texts, as JSON."""

agent_configs = Table(
    "agent_configs",
    metadata,
    Column("digest", String, primary_key=True),
    Column("profile", String, nullable=False),
    Column("document", String, nullable=False),
    Column("at", String, nullable=False),
    sqlite_with_rowid=False,
)
"""What a server tells agents of a profile, by its digest: canonical JSON (:mod:`provision.agents.configuration`). It
follows from the profile, and may be lost."""

orders = Table(
    "orders",
    metadata,
    Column("unit", String, primary_key=True),
    Column("order_id", String, primary_key=True),
    Column("number", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("state", String, nullable=False),
    Column("changed", String, nullable=False),
    Column("by", String, nullable=False),
    Index(None, "state"),
)
"""What a device at home is ordered to do. ``order_id`` is bench and number of the event that gave it; ``number`` the
(hashed) one of the enrolment that is meant, and no other: the next to have the device is not wiped for the last.
``kind`` is message, lock, unlock, locate_off, locate_on, reboot or wipe; ``text`` what is shown. ``state``: asked (a
second person has to say so, too), open (the device is told at its next contact), begun (of a wipe: its agent said that
it is about to; whether it did, nobody can say), done (its agent said so, or its opposite came), withdrawn. ``by`` is
who changed the state last."""
