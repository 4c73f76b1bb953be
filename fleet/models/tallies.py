"""How many units of each kind there are, so that nobody has to count them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from fleet.models.base import metadata

tallies = Table(
    "tallies",
    metadata,
    Column("tally", String, primary_key=True),
    Column("state", String, primary_key=True),
    Column("a", String, primary_key=True),
    Column("b", String, primary_key=True),
    Column("units", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""The units by state and by what ``tally`` says of them (``fleet.tallies``), of which there is at least one. ``a`` and
``b`` are "" for what is not known, or not said."""
