"""The operator's answer to requests, row by row: what it did is done to the SIM, all else is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fleet.account.sims.data_plan_terms import end_of, shifted
from fleet.account.sims.operator_requests import OPEN
from fleet.account.sims.sheets import Refused, Row, status_of
from fleet.bulk import batches
from fleet.errors import AccountError
from fleet.ledger import Happening
from fleet.models import sim_requests, sims
from fleet.sim_reading import changed
from fleet.sim_states import where_to
from fleet.values import Json
from provision.text import printable

NEEDED = ("request", "status")
_AT_ONCE = 5000


@dataclass
class Answered:
    """What became of the rows. ``statuses``: how many requests got which answer. ``problems``: rows by which the
    operator says no, and what is not done then; ``refused``: rows that answer nothing."""

    statuses: dict[str, int] = field(default_factory=dict)
    unchanged: int = 0
    problems: list[Refused] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(self.statuses.values()) + self.unchanged + len(self.refused)


def events(conn: Connection, rows: Iterable[Row], now: str, told: Answered) -> Iterator[Happening]:
    """What taking over an answer would write; ``told`` is filled on the way. ``now``: from when on it is so."""
    seen: dict[str, int] = {}
    for batch in batches(rows, _AT_ONCE):
        asked = _asked(conn, [row["request"].upper() for row in batch])
        for row in batch:
            request = asked.get(row["request"].upper())
            status = status_of(row["status"])
            why = _against(row, request, status, seen)
            if request is None or why:
                told.refused.append(Refused(row.number, row["request"], why))
            elif request["status"] == status:
                told.unchanged += 1
            else:
                yield from _answer(request, status, row, now, told)


def _against(row: Row, request: Mapping[Any, Any] | None, status: str, seen: dict[str, int]) -> str:
    """Why this row answers nothing; "" when it does."""
    first = seen.setdefault(row["request"].upper(), row.number)
    if row.broken:
        return row.broken
    if request is None:
        return "is no request of ours" if row["request"] else "names no request"
    if first != row.number:
        return f"is in row {first} already"
    if not status:
        return f"has a status that is not known: {printable(row['status'])}" if row["status"] else "has no status"
    if request["status"] not in OPEN and request["status"] != status:
        return f"was answered before: {request['status'].replace('_', ' ')}"
    return ""


def _answer(request: Mapping[Any, Any], status: str, row: Row, now: str, told: Answered) -> Iterator[Happening]:
    fields: dict[str, Json] = {}
    if status == "done":
        try:
            fields = _done(request, now)
        except AccountError as error:
            told.refused.append(Refused(row.number, row["request"], error.what))
            return
    elif status not in OPEN:
        told.problems.append(Refused(row.number, row["request"], f"{request['iccid']}: {status.replace('_', ' ')}"))
    told.statuses[status] = told.statuses.get(status, 0) + 1
    yield "sim.answered", request["iccid"], {"v": 1, "request": request["request"], "status": status}
    if fields:
        yield changed(request["ask"], request["iccid"], fields)


def _done(sim: Mapping[Any, Any], now: str) -> dict[str, Json]:
    """The columns that change when the operator has done what it was asked."""
    ask = sim["ask"]
    fields: dict[str, Json] = {"state": str(where_to(ask, {**sim, "state": sim["sim_state"]}))}
    if ask == "activate":
        fields["activated_at"] = sim["activated_at"] or now
    elif ask == "renew" and sim["days"]:
        left = sim["ends_at"]
        fields["ends_at"] = shifted(left, sim["days"]) if left and left > now else end_of(now, sim["days"])
    return fields


def _asked(conn: Connection, requests: list[str]) -> Mapping[str, Mapping[Any, Any]]:
    columns = [column for column in sims.c if column.name not in ("state", "iccid")]
    query = select(sim_requests, sims.c.state.label("sim_state"), *columns).join_from(
        sim_requests, sims, sims.c.iccid == sim_requests.c.iccid
    )
    rows = conn.execute(query.where(sim_requests.c.request.in_(requests))).mappings()
    return {row["request"]: row for row in rows}
