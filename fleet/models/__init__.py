"""The tables. ``events`` is the ledger; all others are projections of it, but ``health``, ``health_now``, ``vault``,
``contacts``, ``wants``, ``agent_contacts`` and ``agent_configs``.

Core tables only: reading commands do not import sqlalchemy.orm. Times are UTC, ISO 8601, milliseconds, ``Z``, so that
they compare as text. A change here needs a migration in ``fleet/migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from fleet.models.account import (
    SHARED_KINDS,
    acceptances,
    batches,
    bench_places,
    bench_vaults,
    counts,
    custody,
    holdings,
    missing,
    places,
    programmes,
    sims,
    student_ids,
    students,
    unit_joins,
    vault,
)
from fleet.models.agents import agent_configs, agent_contacts, agents, orders
from fleet.models.base import metadata
from fleet.models.bench import (
    benches,
    chains,
    events,
    health,
    health_now,
    intakes,
    items,
    runs,
    seals,
    tag_series,
    units,
)
from fleet.models.remote import contacts, push_sites, pushes, releases, sites, wants
from fleet.models.sim_cards import sim_counts, sim_requests, sim_slots, sim_usage
from fleet.models.tallies import tallies

PROJECTIONS = (
    *(benches, units, tag_series, runs, items, seals, intakes),
    *(places, batches, students, student_ids, custody, holdings, acceptances, sims, programmes),
    *(counts, missing, bench_places, bench_vaults, unit_joins),
    *(sim_slots, sim_usage, sim_requests, sim_counts),
    *(releases, sites, pushes, push_sites),
    *(agents, orders),
    tallies,
)
"""In the order in which rows may be written."""

OF_NO_SUBJECT = (tag_series, tallies)
"""Projections whose rows follow from events of many subjects, in whatever order: a highest number, and counts."""

__all__ = [
    "OF_NO_SUBJECT",
    "PROJECTIONS",
    "SHARED_KINDS",
    "acceptances",
    "agent_configs",
    "agent_contacts",
    "agents",
    "batches",
    "bench_places",
    "bench_vaults",
    "benches",
    "chains",
    "contacts",
    "counts",
    "custody",
    "events",
    "health",
    "health_now",
    "holdings",
    "intakes",
    "items",
    "metadata",
    "missing",
    "orders",
    "places",
    "programmes",
    "push_sites",
    "pushes",
    "releases",
    "runs",
    "seals",
    "sim_counts",
    "sim_requests",
    "sim_slots",
    "sim_usage",
    "sims",
    "sites",
    "student_ids",
    "students",
    "tag_series",
    "tallies",
    "unit_joins",
    "units",
    "vault",
    "wants",
]
