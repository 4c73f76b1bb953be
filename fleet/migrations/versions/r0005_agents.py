"""Devices that are managed at home: enrolments, contacts, what they are told, orders; pushes by way of agents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "agent_configs",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_agent_configs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "agent_contacts",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("seen_at", sa.String(), nullable=False),
        sa.Column("home_at", sa.String(), nullable=True),
        sa.Column("fetched", sa.String(), nullable=True),
        sa.Column("fetched_at", sa.String(), nullable=True),
        sa.Column("since", sa.String(), nullable=True),
        sa.Column("confirmed", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.String(), nullable=True),
        sa.Column("told_at", sa.String(), nullable=True),
        sa.Column("owner", sa.Boolean(), nullable=True),
        sa.Column("battery_level", sa.Integer(), nullable=True),
        sa.Column("iccid", sa.String(), nullable=True),
        sa.Column("missing", sa.String(), nullable=False),
        sa.Column("drift", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_agent_contacts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_agent_contacts_unit"), "agent_contacts", ["unit"], unique=False)
    op.create_index(op.f("ix_agent_contacts_seen_at"), "agent_contacts", ["seen_at"], unique=False)
    op.create_index(
        "ix_agent_contacts_told",
        "agent_contacts",
        ["unit"],
        unique=False,
        sqlite_where=sa.text("drift <> '[]' OR missing <> '[]' OR owner IS 0"),
        postgresql_where=sa.text("drift <> '[]' OR missing <> '[]' OR owner IS false"),
    )
    op.create_table(
        "agents",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("ended_at", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "number", name=op.f("pk_agents")),
    )
    op.create_index(op.f("ix_agents_number"), "agents", ["number"], unique=False)
    op.create_table(
        "orders",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "order_id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_state"), "orders", ["state"], unique=False)
    op.add_column("pushes", sa.Column("via", sa.String(), server_default="site", nullable=False))
    op.add_column("pushes", sa.Column("wave", sa.Integer(), server_default="1", nullable=False))
    op.add_column("pushes", sa.Column("clock", sa.String(), nullable=True))
