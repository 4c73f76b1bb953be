"""The ledger, and the tables of what happens at the benches."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from fleet.models.base import metadata

events = Table(
    "events",
    metadata,
    Column("bench", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("body", String, nullable=False),
    Column("prev", String, nullable=False),
    Column("hash", String, nullable=False),
    Index(None, "subject"),
)

chains = Table(
    "chains",
    metadata,
    Column("bench", String, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", String, nullable=False),
    Column("at", String, index=True),
)
"""Where each chain ends: what an append continues, and how a cut-off end is noticed. Written by the ledger only. ``at``
is the time of its last event: a hub has thousands of chains, and no append may come before any of them."""

benches = Table(
    "benches",
    metadata,
    Column("bench", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("since", String, nullable=False),
)

units = Table(
    "units",
    metadata,
    Column("key", String, primary_key=True),
    Column("platform", String, nullable=False),
    Column("serial", String, nullable=False, index=True),
    Column("tag", String, index=True),
    Column("state", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("maker", String, nullable=False),
    Column("model", String, nullable=False),
    Column("version", String, nullable=False),
    Column("imei", String, nullable=False, index=True),
    Column("facts", String, nullable=False),
    Column("first_seen", String, nullable=False),
    Column("last_seen", String, nullable=False),
    Column("last_verdict", String),
    Column("last_profile", String),
    Column("last_digest", String),
    Index(None, "state", "last_seen"),
)
"""``key`` is ``platform:serial``, and the subject of the unit's events. ``facts`` is canonical JSON of what the last
run that got that far read: api, build, skin, sims, locks. Benches that were offline may have given a ``tag`` twice.
``first_seen``: when it became a unit; ``last_seen``: when a bench last saw it, or a report of one came, "" never."""

tag_series = Table(
    "tag_series",
    metadata,
    Column("prefix", String, primary_key=True),
    Column("last", Integer, nullable=False),
)
"""The highest number ever given per prefix: a number that was on a label once is never given again."""

runs = Table(
    "runs",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("bench", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("started", String, nullable=False),
    Column("ended", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("port", String, nullable=False),
    Column("error", String, nullable=False),
    Column("next_action", String, nullable=False),
    Column("allowed", String, nullable=False),
    Column("left_on", String, nullable=False),
    Index(None, "ended", "unit"),
    Index(None, "profile", "ended", "digest"),
    Index(None, "bench"),
)
"""The last run of each unit; the runs before it are in the ledger. ``left_on`` is a JSON list."""

items = Table(
    "items",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("item", String, nullable=False),
    Column("result", String, nullable=False),
    Column("want", String, nullable=False),
    Column("why", String, nullable=False),
    Column("next_action", String, nullable=False),
    Column("source", String, nullable=False),
    Column("strength", String),
    Column("required", Boolean, nullable=False),
    Column("changed", Boolean, nullable=False),
)
"""The last run of each unit, item by item."""

seals = Table(
    "seals",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("item", String, primary_key=True),
    Column("sealed", String, nullable=False),
)
"""Keyed hashes of the values that could not be read back, of the last run that came to outcomes."""


intakes = Table(
    "intakes",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("at", String, nullable=False),
    Column("bench", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("port", String, nullable=False),
    Column("label", String, index=True),
    Column("findings", String, nullable=False),
    Column("trace", String, nullable=False),
    Column("refused_since", String),
    Column("reset", String, nullable=False),
    Column("reset_at", String),
    Column("reset_before", String),
    Column("times", Integer, nullable=False),
)
"""The last intake of each unit, and what the ones before it left: ``label`` is the scanned one, ``refused_since`` the
first of the refusals up to now, ``reset_at`` and ``reset_before`` the two intakes between which a reset was seen last.
``findings`` (a list of key, lead and what), ``trace`` and ``reset`` (shown, not_shown) are canonical JSON."""


def _readings() -> list[Column[object]]:
    """Battery in percent and °C, storage in bytes; NULL is unknown."""
    return [
        Column("bench", String, nullable=False),
        Column("battery_level", Integer),
        Column("battery_worn", Integer),
        Column("battery_cycles", Integer),
        Column("battery_temperature", Float),
        Column("battery_faked", Boolean, nullable=False),
        Column("storage_total", BigInteger),
        Column("storage_free", BigInteger),
        Column("patch", String),
        Column("encrypted", Boolean),
    ]


health = Table(
    "health",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("at", String, primary_key=True),
    *_readings(),
)

health_now = Table(
    "health_now",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("at", String, nullable=False),
    *_readings(),
    Column("state", String),
    Index(None, "battery_worn", "state", "unit"),
    Index(None, "storage_free", "state", "unit"),
    Index(None, "patch", "state", "unit"),
)
"""The newest reading of each unit. ``state`` is that of the unit (fleet.unit_states)."""
