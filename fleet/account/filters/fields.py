"""What ``--where`` can ask of units, and in which table each answer stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Column, Table

from fleet.account.custody.machine import State
from fleet.models import agent_contacts, custody, health_now, missing, places, sims, students, units
from fleet.sim_states import SimState


class Kind(Enum):
    """What values a field has, and so what may be said of it."""

    TEXT = "text"
    CODE = "code, in capitals"
    STUDENT = "student, as S-4Q7…"
    WORD = "one of some words"
    NUMBER = "whole number"
    SIZE = "size, such as 500MB or 2GB"
    MOMENT = "date or age"
    DAY = "date or age, in whole days"
    MAJOR = "version before the first dot"
    FLAG = "said by itself"
    ALARM = "alarm of the health rules"


@dataclass(frozen=True)
class Field:
    """``column`` is ``None`` where no single one tells it. ``words``: what a field of kind WORD may be.
    ``is_blank``: it is "" where it is not known, though it is no text."""

    name: str
    kind: Kind
    meaning: str
    column: Column[str] | None = None
    words: tuple[str, ...] = ()
    is_blank: bool = False

    @property
    def table(self) -> Table | None:
        return None if self.column is None else self.column.table

    @property
    def may_lack(self) -> bool:
        """Whether it is NULL where it is not known; not every unit has a row of readings."""
        return self.column is not None and (bool(self.column.nullable) or self.column.table is health_now)

    @property
    def is_text(self) -> bool:
        """Whether it may be "" where it is not known."""
        return self.is_blank or self.kind in (Kind.TEXT, Kind.CODE, Kind.WORD, Kind.STUDENT)


_T, _C, _N, _M = Kind.TEXT, Kind.CODE, Kind.NUMBER, Kind.MOMENT
_U, _H, _S, _A = units.c, health_now.c, sims.c, agent_contacts.c

FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field("state", Kind.WORD, "where in its life it is", _U.state, tuple(State)),
        Field("tag", _C, "what its label says", _U.tag),
        Field("serial", _T, "what the device says of itself", _U.serial),
        Field("imei", _T, "IMEI", _U.imei),
        Field("platform", Kind.WORD, "android or ios", _U.platform, ("android", "ios")),
        Field("maker", _T, "maker", _U.maker),
        Field("model", _T, "model", _U.model),
        Field("version", _T, "version of its system", _U.version),
        Field("android", Kind.MAJOR, "version of Android", _U.version),
        Field("ios", Kind.MAJOR, "version of iOS", _U.version),
        Field("origin", _T, "batch, or unrecorded", _U.origin),
        Field("verdict", Kind.WORD, "of its last run", _U.last_verdict, ("verified", "partial", "failed")),
        Field("profile", _T, "of its last run", _U.last_profile),
        Field("digest", _T, "which version of the profile", _U.last_digest),
        Field("first_seen", _M, "when it became a unit", _U.first_seen),
        Field("last_seen", _M, "when it was last at a bench; none: never", _U.last_seen, is_blank=True),
        Field("place", _C, "where it is, is bound for, or was last", custody.c.place),
        Field("batch", _C, "with what it was given", custody.c.batch),
        Field("holder", Kind.STUDENT, "the student who has it", custody.c.holder),
        Field("assigned", Kind.STUDENT, "the student it is meant for", custody.c.assigned),
        Field("since", _M, "since when it is in its state and place", custody.c.since),
        Field("received", _M, "when its papers came", custody.c.received_at),
        Field("benched", _M, "when a bench first saw it", custody.c.benched_at),
        Field("school", _C, "of the student who has it, else its place where that is a school", places.c.place),
        Field("area", _T, "of the student who has it, else of its place", places.c.area),
        Field("kind", Kind.WORD, "of its place", places.c.kind, ("store", "bench", "school", "repair")),
        Field("grade", _T, "of the student who has it", students.c.grade),
        Field("category", _T, "of the student who has it", students.c.category),
        Field("battery_worn", _N, "percent of its capacity that the battery has lost", _H.battery_worn),
        Field("battery_level", _N, "percent", _H.battery_level),
        Field("battery_cycles", _N, "how often it was charged", _H.battery_cycles),
        Field("storage_free", Kind.SIZE, "free storage", _H.storage_free),
        Field("storage_total", Kind.SIZE, "storage", _H.storage_total),
        Field("patch", Kind.DAY, "security patch of Android", _H.patch),
        Field("measured", _M, "when battery and storage were read", _H.at),
        Field("sim", _T, "ICCID of a SIM that belongs in it", _S.iccid),
        Field("sim_state", Kind.WORD, "of a SIM that belongs in it", _S.state, tuple(SimState)),
        Field("carrier", _T, "operator of a SIM that belongs in it", _S.carrier),
        Field("plan_ends", _M, "when the data plan of its SIM ends", _S.ends_at),
        Field("sim_used", Kind.DAY, "last day with use of its SIM", _S.used_at),
        Field("sim_missing", Kind.FLAG, "a bench does not find the SIM that belongs in it", _S.missed_at),
        Field("agent_seen", _M, "when its agent came last; none: it has no agent that lives", _A.seen_at),
        Field("agent_battery", _N, "percent, as its agent told last", _A.battery_level),
        Field("agent_no_owner", Kind.FLAG, "its agent told that it is not the owner any more", _A.owner),
        Field("agent_differs", Kind.FLAG, "its agent told of apps or files that are not as they should be", _A.drift),
        Field("agent_forbidden", Kind.FLAG, "its agent told of permissions that it has not any more", _A.missing),
        Field("agent_twice", Kind.FLAG, "another device has used the number of its agent", _A.drift),
        Field("agent_wiping", Kind.FLAG, "its agent said that it begins to wipe itself, as ordered", _A.number),
        Field("sim_changed", Kind.FLAG, "its agent told of another SIM than those that belong in it", _A.iccid),
        Field("uncounted", Kind.FLAG, "the last count of its place did not find it", missing.c.unit),
        Field("outdated", Kind.FLAG, "there is a newer version of its profile", _U.last_profile),
        Field("alarm", Kind.ALARM, "an alarm of the health rules"),
    )
}

OF_STUDENT: Mapping[str, Column[str]] = {"school": students.c.school, "area": students.c.area}
"""What is asked of a unit's student while one has it, else of its place."""

SEVERAL: Mapping[Table, Column[str]] = {sims: _S.unit, missing: missing.c.unit, agent_contacts: _A.unit}
"""Tables that may have several rows of a unit, and their column of it. Of what agents told only that counts whose
enrolment lives."""
