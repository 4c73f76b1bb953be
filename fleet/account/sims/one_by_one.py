"""SIMs one by one: added, put into a unit, activated, accepted, suspended, ended. Every change is ``sim.set``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fleet import iccid, sim_reading, tags
from fleet.account.custody import places
from fleet.account.people.identifiers import Unusable
from fleet.account.people.phones import phone
from fleet.account.sims.data_plan_terms import Terms, end_of, shifted
from fleet.errors import AccountError
from fleet.ledger import Ledger
from fleet.models import custody, sims, students
from fleet.sim_reading import changed
from fleet.sim_states import WITH_STUDENT, SimState, where_to
from fleet.values import Json, storable
from profiles import carriers
from provision.text import printable

Sim = Mapping[Any, Any]
"""A row of ``sims``."""


@dataclass(frozen=True)
class Accepted:
    """A SIM that a student took. ``ends_at``: when its plan ends, None where nobody said for how long it is."""

    iccid: str
    ends_at: str | None
    remark: str = ""


def find(conn: Connection, name: str) -> Sim | None:
    """The SIM with this ICCID (with or without its check digit) or subscriber number (+84…)."""
    if found := _by(conn, sims.c.iccid == iccid.normal(storable(name))):
        return found
    squeezed = storable(name).replace(" ", "")
    return _by(conn, sims.c.msisdn == squeezed) if squeezed.startswith("+") else None


def the(conn: Connection, name: str) -> Sim:
    """The SIM that ``name`` means, else AccountError."""
    if found := find(conn, name):
        return found
    said = iccid.problem(name)
    why = f" (the number {said})" if said and not name.strip().startswith("+") else ""
    raise AccountError(
        f"No SIM has the number {printable(name)!r}{why}.",
        "Name it by its ICCID or as +84981234567; fleet sim list shows those that are.",
    )


def carrier_of(name: str) -> carriers.Carrier:
    """The operator that ``name`` means, as profiles name it. AccountError, with the nearest one, when there is none."""
    if found := carriers.find(name):
        return found
    raise AccountError(f"Operator {printable(name)!r} is not known{carriers.suggestion(name)}.", "")


@dataclass(frozen=True)
class Listed:
    """A SIM as somebody lists it, checked: ``msisdn`` "" where it has none or it is not known."""

    iccid: str
    carrier: str
    msisdn: str = ""
    terms: Terms = field(default_factory=Terms)
    place: str = ""


def checked(number: str, carrier: carriers.Carrier, subscriber: str, terms: Terms, place: str) -> Listed:
    """AccountError when one of the numbers is not what it should be."""
    if why := iccid.problem(number):
        raise AccountError(f"ICCID {printable(number)!r} {why}.", "It is printed on the card and its frame.")
    try:
        msisdn = phone(subscriber.strip(), carrier.country.upper()) if subscriber.strip() else ""
    except Unusable as error:
        raise AccountError(f"Phone number {error}.", "Write it as +84981234567.") from None
    return Listed(iccid.normal(number), carrier.id, msisdn, terms, place)


def add(conn: Connection, ledger: Ledger, listed: Listed, *, ordered: bool = False) -> None:
    """A SIM that was not known, or one that was ordered and has come. AccountError when it is known already."""
    before = find(conn, listed.iccid)
    if before and (ordered or before["state"] != SimState.ORDERED):
        raise AccountError(f"SIM {listed.iccid} is known already.", f"fleet sim show {listed.iccid} shows it.")
    if listed.msisdn and (other := _by(conn, sims.c.msisdn == listed.msisdn)) and other["iccid"] != listed.iccid:
        raise AccountError(
            f"{listed.msisdn} is the number of SIM {other['iccid']}.",
            "One number is on one SIM only: check both cards.",
        )
    state = SimState.ORDERED if ordered else where_to("receive", before) if before else SimState.RECEIVED
    ledger.append(conn, *changed("order" if ordered else "receive", listed.iccid, fields_of(listed, state)))


def fields_of(listed: Listed, state: SimState | None = None) -> dict[str, Json]:
    """The columns that a list fills: only what it says."""
    fields: dict[str, Json] = {"carrier": listed.carrier}
    said: dict[str, Json] = {"msisdn": listed.msisdn, "quota": listed.terms.quota, "place": listed.place}
    fields |= {name: value for name, value in said.items() if value}
    if listed.terms.days is not None:
        fields["days"] = listed.terms.days
    return fields | ({"state": str(state)} if state else {})


def insert(conn: Connection, ledger: Ledger, name: str, unit: str, at: str) -> Accepted | None:
    """Put a SIM into a unit. When a student has that unit already, the student accepts the SIM by that."""
    sim, into = the(conn, name), tags.the(conn, unit)
    held = conn.execute(select(custody.c.holder).where(custody.c.unit == into.key)).scalar()
    if sim["unit"] != into.key:
        fields: dict[str, Json] = {"state": str(where_to("insert", sim)), "unit": into.key, "missed_at": None}
        ledger.append(conn, *changed("insert", sim["iccid"], fields))
    return _accept(conn, ledger, the(conn, sim["iccid"]), held, at) if held else None


def do(conn: Connection, ledger: Ledger, name: str, step: str, at: str) -> bool:
    """activate, suspend, resume or end. Whether anything changed; AccountError when the SIM is not that far."""
    sim = the(conn, name)
    if sim["state"] == _DONE_BY.get(step) or (
        step == "activate" and sim["activated_at"] and sim["state"] in WITH_STUDENT
    ):
        return False
    fields: dict[str, Json] = {"state": str(where_to(step, sim))}
    if step == "activate":
        fields["activated_at"] = at
    ledger.append(conn, *changed(step, sim["iccid"], fields))
    return True


_DONE_BY = {"activate": SimState.ACTIVATED, "suspend": SimState.SUSPENDED, "end": SimState.ENDED}


def hand_over(conn: Connection, ledger: Ledger, name: str, student: str, at: str) -> Accepted:
    """A student takes a SIM without a unit: for a device of the family's own."""
    sim = the(conn, name)
    if sim["unit"]:
        raise AccountError(f"SIM {sim['iccid']} is in {sim['unit']}.", "It is handed over with it: fleet hand-over.")
    if conn.scalar(select(students.c.student).where(students.c.student == student)) is None:
        raise AccountError(f"No student is known as {printable(student)}.", "fleet student list shows those that are.")
    return _accept(conn, ledger, sim, student, at)


def accepted(conn: Connection, ledger: Ledger, unit: str, student: str, at: str) -> tuple[Accepted, ...]:
    """Called by a hand-over, in its transaction: ``student`` took ``unit``, and with it its SIMs.

    Their clock starts now. That of a SIM that somebody else had before runs on, as it does with the operator.
    """
    sim_reading.known(conn, ledger, (unit,))  # the SIM may have been read at a bench that did not know it
    rows = conn.execute(select(sims).where(sims.c.unit == unit).order_by(sims.c.iccid)).mappings().all()
    return tuple(_accept(conn, ledger, row, student, at) for row in rows)


def _accept(conn: Connection, ledger: Ledger, sim: Sim, student: str, at: str) -> Accepted:
    if sim["state"] == SimState.ENDED:
        return Accepted(sim["iccid"], sim["ends_at"], "its plan has ended")
    if sim["student"] == student and sim["state"] in WITH_STUDENT:
        return Accepted(sim["iccid"], sim["ends_at"])
    ends_at = sim["ends_at"] or end_of(at, sim["days"])
    state = where_to("accept", sim)
    fields: dict[str, Json] = {"state": str(state), "student": student, "accepted_at": at, "ends_at": ends_at}
    ledger.append(conn, *changed("accept", sim["iccid"], fields))
    remark = "it is suspended" if state is SimState.SUSPENDED else "" if sim["activated_at"] else "it is not activated"
    return Accepted(sim["iccid"], ends_at, remark)


def new_end(sim: Sim, days: int | None) -> str | None:
    """When the plan of a SIM ends once it is known to be for ``days``: renewed time is kept."""
    if not sim["accepted_at"] or days is None:
        return None
    if sim["ends_at"] and sim["days"]:
        return shifted(sim["ends_at"], days - sim["days"])
    return end_of(sim["accepted_at"], days)


def place_of(conn: Connection, code: str) -> str:
    """The code of a place as it is kept; "" stays "". AccountError when there is none."""
    return places.the(conn, code).place if code.strip() else ""


def _by(conn: Connection, condition: Any) -> Sim | None:
    return conn.execute(select(sims).where(condition).order_by(sims.c.iccid)).mappings().first()
