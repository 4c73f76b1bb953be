"""What is known of SIMs beside ``sims``: what benches read, what was used, what the operator was asked."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table

from fleet.models.base import metadata
from fleet.models.bench import units

sim_slots = Table(
    "sim_slots",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("iccid", String, nullable=False),
    Column("at", String, nullable=False),
    Column("quota", String),
    Column("days", Integer),
    Index(None, "iccid"),
)
"""The SIM slots of each unit at its last reading. ``iccid`` in the form of ``sims`` (fleet.iccid.normal), "" where the
device does not tell it; one that is not in ``sims`` is not ours. ``state`` in adb's words (READY, ABSENT, …).
``quota`` and ``days``: the data plan of the profile that the unit was made by, NULL without one."""

sim_usage = Table(
    "sim_usage",
    metadata,
    Column("iccid", String, primary_key=True),
    Column("month", String, primary_key=True),
    Column("days", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""What the operator counted, by month (``2021-10``). ``days``: bit n-1 is set when day n was counted, so that no day is
counted twice."""

sim_requests = Table(
    "sim_requests",
    metadata,
    Column("iccid", String, primary_key=True),
    Column("request", String, primary_key=True, index=True),
    Column("batch", String, nullable=False),
    Column("ask", String, nullable=False),
    Column("status", String, nullable=False),
    Column("asked_at", String, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("answered_at", String),
    Index(None, "batch"),
    Index(None, "status", "ask"),
)
"""What the operator was asked (activate, suspend, end or renew), and what became of it: ``status`` is open,
in_progress, done, or why it was not done."""

sim_counts = Table(
    "sim_counts",
    metadata,
    Column("carrier", String, primary_key=True),
    Column("through", String, nullable=False),
)
"""Up to which day an operator's usage files reach: a SIM without use after that day is not known to be unused."""
