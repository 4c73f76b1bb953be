"""What travels with a ledger and is no part of it: health readings, and the vault's rows, which stay encrypted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, select

from fleet import unit_states
from fleet.bulk import batches, insert_missing, insert_rows, put_rows, update_rows
from fleet.ledger_file import Row, Source
from fleet.models import events, health, health_now, students, units, vault

_AT_ONCE = 2000


def take_health(conn: Connection, source: Source, bench: str = "") -> int:
    """Take over the readings that are not there, and the newest of each unit as the one of now; how many were new.

    ``bench``: the only one whose readings are taken, where the file is of one that is not believed of others.
    """
    new = 0
    for batch in batches(source.rows(health), _AT_ONCE):
        named = {row["unit"] for row in batch}
        if bench and any(row["bench"] != bench for row in batch):
            source.refuse("there is a reading of another bench", "Find out who uses that site.")
        known = set(conn.scalars(select(units.c.key).where(units.c.key.in_(named))))
        if named - known:
            source.refuse("there is a reading of a unit that nobody knows", "Get the file again from its bench.")
        new += insert_missing(conn, health, batch)
        _now(conn, batch)
    return new


def _now(conn: Connection, readings: Sequence[Row]) -> None:
    newest: dict[str, Row] = {}
    for row in readings:
        if row["unit"] not in newest or row["at"] > newest[row["unit"]]["at"]:
            newest[row["unit"]] = row
    query = select(health_now.c.unit, health_now.c.at).where(health_now.c.unit.in_(newest))
    before = {row.unit: row.at for row in conn.execute(query)}
    put_rows(conn, health_now, [row for unit, row in newest.items() if row["at"] > before.get(unit, "")])
    unit_states.of_readings(conn, newest)


def take_names(conn: Connection, source: Source, before: Mapping[str, int], *, take: bool = True) -> int:
    """Take over the rows of the vault that are not there, or that belong to newer events; how many they were.

    ``before``: where our chains ended before this file. ``take``: not where nobody knows with which key they were
    encrypted. Who was forgotten, on whichever bench, stays forgotten.
    """
    taken = 0
    for batch in batches(source.rows(vault), _AT_ONCE):
        rows = {row["student"]: row for row in batch} if take else {}
        query = select(vault.c.student, vault.c.mark).where(vault.c.student.in_(rows))
        ours = {row.student: row.mark for row in conn.execute(query)}
        new = [row for key, row in rows.items() if key not in ours]
        other = {key for key, mark in ours.items() if mark != rows[key]["mark"]}
        newer = [rows[key] for key in sorted(other & _told_last(conn, other, before))]
        insert_rows(conn, vault, new)
        update_rows(conn, vault, newer)
        taken += len(new) + len(newer)
    forgotten = select(students.c.student).where(students.c.state == "forgotten")
    conn.execute(delete(vault).where(vault.c.student.in_(forgotten)))
    return taken


def _told_last(conn: Connection, subjects: set[str], before: Mapping[str, int]) -> set[str]:
    """Those whose newest event came with this file."""
    if not subjects:
        return set()
    query = select(events.c.subject, events.c.at, events.c.bench, events.c.seq).where(
        events.c.subject.in_(subjects), events.c.kind != "vault.read"
    )
    last: dict[str, tuple[str, str, int]] = {}
    for subject, at, bench, seq in conn.execute(query):
        last[subject] = max(last.get(subject, ("", "", 0)), (at, bench, seq))
    return {subject for subject, (_, bench, seq) in last.items() if seq > before.get(bench, 0)}
