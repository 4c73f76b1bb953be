"""The last intake of each unit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "intakes",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("port", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("findings", sa.String(), nullable=False),
        sa.Column("trace", sa.String(), nullable=False),
        sa.Column("refused_since", sa.String(), nullable=True),
        sa.Column("reset", sa.String(), nullable=False),
        sa.Column("reset_at", sa.String(), nullable=True),
        sa.Column("reset_before", sa.String(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_intakes_unit")),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_intakes")),
    )
    op.create_index(op.f("ix_intakes_label"), "intakes", ["label"], unique=False)
