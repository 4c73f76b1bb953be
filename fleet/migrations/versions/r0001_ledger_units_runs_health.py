"""Ledger, units, runs, health."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "benches",
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bench", name=op.f("pk_benches")),
    )
    op.create_table(
        "chains",
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bench", name=op.f("pk_chains")),
    )
    op.create_table(
        "events",
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("prev", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bench", "seq", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_subject"), "events", ["subject"], unique=False)
    op.create_table(
        "tag_series",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_tag_series")),
    )
    op.create_table(
        "units",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("imei", sa.String(), nullable=False),
        sa.Column("facts", sa.String(), nullable=False),
        sa.Column("first_seen", sa.String(), nullable=False),
        sa.Column("last_seen", sa.String(), nullable=False),
        sa.Column("last_verdict", sa.String(), nullable=True),
        sa.Column("last_profile", sa.String(), nullable=True),
        sa.Column("last_digest", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_units")),
        sa.UniqueConstraint("tag", name=op.f("uq_units_tag")),
    )
    op.create_index(op.f("ix_units_last_seen"), "units", ["last_seen"], unique=False)
    op.create_index(op.f("ix_units_serial"), "units", ["serial"], unique=False)
    op.create_index(op.f("ix_units_state_last_verdict"), "units", ["state", "last_verdict"], unique=False)
    op.create_table(
        "health",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("battery_level", sa.Integer(), nullable=True),
        sa.Column("battery_worn", sa.Integer(), nullable=True),
        sa.Column("battery_cycles", sa.Integer(), nullable=True),
        sa.Column("battery_temperature", sa.Float(), nullable=True),
        sa.Column("battery_faked", sa.Boolean(), nullable=False),
        sa.Column("storage_total", sa.BigInteger(), nullable=True),
        sa.Column("storage_free", sa.BigInteger(), nullable=True),
        sa.Column("patch", sa.String(), nullable=True),
        sa.Column("encrypted", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_health_unit")),
        sa.PrimaryKeyConstraint("unit", "at", name=op.f("pk_health")),
    )
    op.create_table(
        "health_now",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("battery_level", sa.Integer(), nullable=True),
        sa.Column("battery_worn", sa.Integer(), nullable=True),
        sa.Column("battery_cycles", sa.Integer(), nullable=True),
        sa.Column("battery_temperature", sa.Float(), nullable=True),
        sa.Column("battery_faked", sa.Boolean(), nullable=False),
        sa.Column("storage_total", sa.BigInteger(), nullable=True),
        sa.Column("storage_free", sa.BigInteger(), nullable=True),
        sa.Column("patch", sa.String(), nullable=True),
        sa.Column("encrypted", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_health_now_unit")),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_health_now")),
    )
    op.create_table(
        "items",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("want", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("next_action", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("strength", sa.String(), nullable=True),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_items_unit")),
        sa.PrimaryKeyConstraint("unit", "position", name=op.f("pk_items")),
    )
    op.create_table(
        "runs",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("ended", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("port", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("next_action", sa.String(), nullable=False),
        sa.Column("allowed", sa.String(), nullable=False),
        sa.Column("left_on", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_runs_unit")),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_ended_unit"), "runs", ["ended", "unit"], unique=False)
    op.create_table(
        "seals",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_seals_unit")),
        sa.PrimaryKeyConstraint("unit", "item", name=op.f("pk_seals")),
    )
