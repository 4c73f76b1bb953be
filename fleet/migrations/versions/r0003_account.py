"""The account: places, students, SIMs, who has what, and where it was before."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from fleet.iccid import normal

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("donor", sa.String(), nullable=False),
        sa.Column("announced", sa.Integer(), nullable=True),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("batch", name=op.f("pk_batches")),
    )
    op.create_table(
        "places",
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_places")),
    )
    op.create_table(
        "programmes",
        sa.Column("programme", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("programme", name=op.f("pk_programmes")),
    )
    op.create_table(
        "sims",
        sa.Column("iccid", sa.String(), nullable=False),
        sa.Column("msisdn", sa.String(), nullable=True),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("quota", sa.String(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("unit_state", sa.String(), nullable=True),
        sa.Column("student", sa.String(), nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("activated_at", sa.String(), nullable=True),
        sa.Column("accepted_at", sa.String(), nullable=True),
        sa.Column("ends_at", sa.String(), nullable=True),
        sa.Column("used_at", sa.String(), nullable=True),
        sa.Column("used_bytes", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.String(), nullable=True),
        sa.Column("read_unit", sa.String(), nullable=True),
        sa.Column("missed_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("iccid", name=op.f("pk_sims")),
    )
    op.create_index(op.f("ix_sims_msisdn"), "sims", ["msisdn"], unique=False)
    op.create_index(
        op.f("ix_sims_ends_at_state_unit_state_unit"),
        "sims",
        ["ends_at", "state", "unit_state", "unit"],
        unique=False,
    )
    op.create_index(op.f("ix_sims_missed_at"), "sims", ["missed_at"], unique=False)
    op.create_index(op.f("ix_sims_since_state"), "sims", ["since", "state"], unique=False)
    op.create_index(op.f("ix_sims_read_unit"), "sims", ["read_unit"], unique=False)
    op.create_index(op.f("ix_sims_state"), "sims", ["state"], unique=False)
    op.create_index(op.f("ix_sims_student"), "sims", ["student"], unique=False)
    op.create_index(op.f("ix_sims_unit"), "sims", ["unit"], unique=False)
    op.create_table(
        "students",
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("school", sa.String(), nullable=False),
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("class_name", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("household", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("teacher", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("student", name=op.f("pk_students")),
    )
    op.create_index(op.f("ix_students_household"), "students", ["household"], unique=False)
    op.create_index(op.f("ix_students_school"), "students", ["school"], unique=False)
    op.create_index(
        op.f("ix_students_state_area_category_student"),
        "students",
        ["state", "area", "category", "student"],
        unique=False,
    )
    op.create_table(
        "vault",
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("student", name=op.f("pk_vault")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "acceptances",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("taken_by", sa.String(), nullable=False),
        sa.Column("kit", sa.String(), nullable=False),
        sa.Column("condition", sa.String(), nullable=False),
        sa.Column("checks", sa.String(), nullable=False),
        sa.Column("returned_at", sa.String(), nullable=True),
        sa.Column("returned_kit", sa.String(), nullable=True),
        sa.Column("returned_condition", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_acceptances_unit")),
        sa.PrimaryKeyConstraint("unit", "at", name=op.f("pk_acceptances")),
    )
    op.create_index(op.f("ix_acceptances_student"), "acceptances", ["student"], unique=False)
    op.create_table(
        "custody",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("assigned", sa.String(), nullable=True),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("received_at", sa.String(), nullable=True),
        sa.Column("benched_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_custody_unit")),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_custody")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_custody_batch_state"), "custody", ["batch", "state"], unique=False)
    op.create_index(op.f("ix_custody_assigned"), "custody", ["assigned"], unique=False)
    op.create_index(op.f("ix_custody_holder"), "custody", ["holder"], unique=False)
    op.create_index(op.f("ix_custody_place_state"), "custody", ["place", "state"], unique=False)
    op.create_index(op.f("ix_custody_state_since"), "custody", ["state", "since"], unique=False)
    op.create_table(
        "holdings",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("until", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("student", sa.String(), nullable=True),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_holdings_unit")),
        sa.PrimaryKeyConstraint("unit", "since", name=op.f("pk_holdings")),
    )
    op.create_index(op.f("ix_holdings_place_since"), "holdings", ["place", "since"], unique=False)
    op.create_index(op.f("ix_holdings_since_until_step"), "holdings", ["since", "until", "step"], unique=False)
    op.create_index(op.f("ix_holdings_student"), "holdings", ["student"], unique=False)
    op.create_table(
        "student_ids",
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["student"], ["students.student"], name=op.f("fk_student_ids_student")),
        sa.PrimaryKeyConstraint("student", "hash", name=op.f("pk_student_ids")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_student_ids_hash"), "student_ids", ["hash"], unique=False)
    op.create_table(
        "counts",
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("unexpected", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("place", "at", name=op.f("pk_counts")),
    )
    op.create_table(
        "missing",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("until", sa.String(), nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_missing_unit")),
        sa.PrimaryKeyConstraint("unit", "since", name=op.f("pk_missing")),
    )
    op.create_index(op.f("ix_missing_place"), "missing", ["place"], unique=False)
    op.create_index(op.f("ix_missing_until_unit"), "missing", ["until", "unit"], unique=False)
    op.create_table(
        "bench_places",
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bench", name=op.f("pk_bench_places")),
    )
    op.create_table(
        "bench_vaults",
        sa.Column("bench", sa.String(), nullable=False),
        sa.Column("vault", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bench", "vault", name=op.f("pk_bench_vaults")),
    )
    op.create_table(
        "unit_joins",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("into", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=True),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_unit_joins")),
    )
    for column in ("into", "serial", "tag"):
        op.create_index(op.f(f"ix_unit_joins_{column}"), "unit_joins", [column], unique=False)
    # Benches that were offline may have given one tag twice: that is for people to put right.
    with op.batch_alter_table("units") as units:
        units.drop_constraint(op.f("uq_units_tag"), type_="unique")
    op.create_index(op.f("ix_units_tag"), "units", ["tag"], unique=False)
    op.create_index(op.f("ix_units_imei"), "units", ["imei"], unique=False)
    _for_status()
    _sims()
    # What there is already stays where it was first seen, at a place without a name.
    op.execute(
        "INSERT INTO custody (unit, state, place, batch, since, benched_at) "
        "SELECT key, state, '', '', first_seen, first_seen FROM units"
    )
    op.execute(
        "INSERT INTO holdings (unit, since, state, place, step, why) "
        "SELECT key, first_seen, state, '', 'seen', '' FROM units"
    )
    _tallies()
    _slots()


def _for_status() -> None:
    """What ``fleet status`` counts is in tallies and indexes."""
    op.drop_index(op.f("ix_units_last_seen"), "units")
    op.drop_index(op.f("ix_units_state_last_verdict"), "units")
    op.add_column("health_now", sa.Column("state", sa.String(), nullable=True))
    op.execute("UPDATE health_now SET state = (SELECT state FROM units WHERE units.key = health_now.unit)")
    for table, *columns in (
        ("units", "state", "last_seen"),
        ("runs", "profile", "ended", "digest"),
        ("health_now", "battery_worn", "state", "unit"),
        ("health_now", "storage_free", "state", "unit"),
        ("health_now", "patch", "state", "unit"),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
    op.create_table(
        "tallies",
        sa.Column("tally", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("a", sa.String(), nullable=False),
        sa.Column("b", sa.String(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tally", "state", "a", "b", name=op.f("pk_tallies")),
        sqlite_with_rowid=False,
    )


def _tallies() -> None:
    for tally, a, b, table in (
        ("place", "place", "''", "custody"),
        ("batch", "batch", "''", "custody"),
        ("verdict", "coalesce(last_verdict, '')", "''", "units"),
        ("profile", "coalesce(last_profile, '')", "coalesce(last_digest, '')", "units"),
        ("model", "maker", "model", "units"),
        ("version", "platform", "version", "units"),
        ("tag", "CASE WHEN tag IS NULL THEN '' ELSE 'yes' END", "''", "units"),
    ):
        op.execute(
            "INSERT INTO tallies (tally, state, a, b, units) "  # noqa: S608
            f"SELECT '{tally}', state, {a}, {b}, count(*) FROM {table} GROUP BY 2, 3, 4"
        )


def _sims() -> None:
    op.create_table(
        "sim_slots",
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("iccid", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("quota", sa.String(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["units.key"], name=op.f("fk_sim_slots_unit")),
        sa.PrimaryKeyConstraint("unit", "slot", name=op.f("pk_sim_slots")),
    )
    op.create_index(op.f("ix_sim_slots_iccid"), "sim_slots", ["iccid"], unique=False)
    op.create_table(
        "sim_usage",
        sa.Column("iccid", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("iccid", "month", name=op.f("pk_sim_usage")),
    )
    op.create_table(
        "sim_requests",
        sa.Column("iccid", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("ask", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("asked_at", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("answered_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("iccid", "request", name=op.f("pk_sim_requests")),
    )
    op.create_index(op.f("ix_sim_requests_request"), "sim_requests", ["request"], unique=False)
    op.create_index(op.f("ix_sim_requests_batch"), "sim_requests", ["batch"], unique=False)
    op.create_index(op.f("ix_sim_requests_status_ask"), "sim_requests", ["status", "ask"], unique=False)
    op.create_table(
        "sim_counts",
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("through", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", name=op.f("pk_sim_counts")),
    )


def _slots() -> None:
    """The SIMs of each unit's last reading."""
    conn = op.get_bind()
    query = "SELECT subject, at, body FROM events WHERE kind IN ('unit.run', 'unit.intake') ORDER BY at, bench, seq"
    read = {}
    for unit, at, body in conn.execute(sa.text(query)):
        facts = json.loads(body).get("facts")
        if facts is not None:
            read[unit] = (at, facts["sims"])
    slots = sa.table("sim_slots", *map(sa.column, ("unit", "slot", "state", "iccid", "at")))
    told = [
        {"unit": unit, "slot": card["slot"], "state": card["state"], "iccid": normal(card["iccid"]), "at": at}
        for unit, (at, cards) in read.items()
        for card in cards
    ]
    if told:
        conn.execute(sa.insert(slots), told)
