"""What is far away: releases, sites, pushes, contacts, what units should have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("push", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("next_at", sa.String(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("verdicts", sa.String(), nullable=False),
        sa.Column("brought", sa.String(), nullable=True),
        sa.Column("mark", sa.String(), nullable=True),
        sa.Column("zone", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("next_action", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_contacts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_contacts_push_state_next_at"), "contacts", ["push", "state", "next_at"], unique=False)
    op.create_table(
        "pushes",
        sa.Column("push", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("push", name=op.f("pk_pushes")),
    )
    op.create_index(op.f("ix_pushes_number"), "pushes", ["number"], unique=False)
    op.create_index(op.f("ix_pushes_state"), "pushes", ["state"], unique=False)
    op.create_table(
        "releases",
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("profiles", sa.String(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", name=op.f("pk_releases")),
    )
    op.create_index(op.f("ix_releases_number"), "releases", ["number"], unique=False)
    op.create_table(
        "sites",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("host_key", sa.String(), nullable=False),
        sa.Column("bench", sa.String(), nullable=True),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("removed_at", sa.String(), nullable=True),
        sa.Column("wanted", sa.Integer(), nullable=True),
        sa.Column("wanted_at", sa.String(), nullable=True),
        sa.Column("reported", sa.Integer(), nullable=True),
        sa.Column("reported_digest", sa.String(), nullable=True),
        sa.Column("reported_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_sites")),
    )
    op.create_index(op.f("ix_sites_bench"), "sites", ["bench"], unique=False)
    op.create_table(
        "push_sites",
        sa.Column("push", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["push"], ["pushes.push"], name=op.f("fk_push_sites_push")),
        sa.PrimaryKeyConstraint("push", "site", name=op.f("pk_push_sites")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_push_sites_site"), "push_sites", ["site"], unique=False)
    op.create_table(
        "wants",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("push", sa.String(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_wants")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_wants_site_push"), "wants", ["site", "push"], unique=False)
    op.create_index(op.f("ix_runs_bench"), "runs", ["bench"], unique=False)
    with op.batch_alter_table("chains", recreate="always" if op.get_bind().dialect.name == "sqlite" else "auto") as it:
        it.add_column(sa.Column("at", sa.String(), nullable=True))
    op.execute(
        "UPDATE chains SET at = (SELECT at FROM events WHERE events.bench = chains.bench AND events.seq = chains.seq)"
    )
    op.create_index(op.f("ix_chains_at"), "chains", ["at"], unique=False)
