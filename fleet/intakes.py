"""Intakes as the registry knows them: what is known of a device before one, what is kept of it, whose a label is.

An intake writes nothing to the device. Its event holds no personal data: accounts as counts by type, the device's own
installation number as a keyed hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, or_, select

from fleet import owners, runs
from fleet.buglog import as_error
from fleet.db import snapshot
from fleet.errors import UnitError
from fleet.home import Home
from fleet.models import intakes, units
from fleet.units import Registry
from fleet.values import Json, storable
from profiles.errors import SchoolbagError
from profiles.schema import Profile
from provision.bench import Attached, Company, side_by_side
from provision.device import Device
from provision.errors import NeedsOwner, Refused
from provision.facts import collect
from provision.intake import Finding, Intake, IntakeVerdict, Known, judge
from provision.intake_rules import Rules, rules
from provision.ios.actions import AskOwner
from provision.model import Facts, Identity, Unit
from provision.reset_proof import ResetProof, Trace, compare, trace_of
from provision.text import printable

_NOTHING = Profile(profile="intake")
"""An intake asks what every run asks, and nothing that a profile names."""

_LABEL = re.compile(r"[^\s\0-\x1f](.{0,62}[^\s])?")


@dataclass(frozen=True)
class Inspected:
    """What came of one device. Without ``intake`` it could not be read, and ``error`` says why."""

    place: Attached
    tag: str | None = None
    facts: Facts | None = None
    intake: Intake | None = None
    reset: ResetProof | None = None
    error: SchoolbagError | None = None

    @property
    def accepted(self) -> bool:
        return self.intake is not None and self.intake.verdict is IntakeVerdict.ACCEPT


def rules_of(home: Home, named: Path | None = None) -> Rules:
    """The rules of an intake: the file ``named``, else that of the home, laid over those of fleet."""
    own = home.path / "intake.yaml"
    return rules(named or (own if own.exists() else None))


def inspect_all(
    places: Sequence[Attached],
    rules: Rules,
    labels: Mapping[str, str],
    registry: Registry,
    today: date,
    tell: Callable[[Attached], None],
) -> tuple[Inspected, ...]:
    """Look at every one of ``places``, side by side, and keep what came of it. ``labels`` are codes by address.

    A device that waits for a person is waited for; ``tell`` hears of it. Raises UnitError, before anything is asked of
    a device, when a label is another unit's.
    """
    scanned = {place: _checked(label) for place, label in labels.items()}
    for place in places:
        if place.device and (label := scanned.get(place.address)):
            with snapshot(registry.engine) as conn:
                _claim(conn, label, place.device.identity)

    company = Company(places, tell)

    def stop() -> bool:
        company.stop()
        return False

    def look(place: Attached) -> Inspected:
        return inspect(company.let_in(place), Look(rules, today, scanned.get(place.address, "")), registry)

    found = side_by_side(look, places, stop)
    doubles = {one.place.address: double for one in found if (double := company.clash_of(one.place))}
    return tuple(
        Inspected(one.place, error=doubles[one.place.address]) if one.place.address in doubles else one for one in found
    )


@dataclass(frozen=True)
class Look:
    """How one device is looked at. ``label`` is its scanned code, ``erases``: it is about to be erased where it can be.

    ``before``: what came of the look before in this same attachment; only what differs from it is recorded. Without
    ``keep`` nothing is.
    """

    rules: Rules
    today: date
    label: str = ""
    erases: bool = False
    before: Inspected | None = None
    keep: bool = True


def inspect(place: Attached, look: Look, registry: Registry) -> Inspected:
    """Look at one device and keep what came of it. Never raises; without ``intake`` nothing was recorded."""
    if place.device is None:
        return Inspected(place, error=place.problem)
    unit = Unit()
    try:
        unit = registry.unit_for(place.device.identity)
        return _inspected(place, place.device, unit, look, registry)
    except Exception as error:  # noqa: BLE001
        return Inspected(place, unit.tag, error=as_error(error))


def _inspected(place: Attached, device: Device, unit: Unit, look: Look, registry: Registry) -> Inspected:
    who, rules, label, before = device.identity, look.rules, look.label, look.before
    facts = _with_owner(device, collect(device, _NOTHING), before)
    with snapshot(registry.engine) as conn:
        known = _known(conn, runs.key_of(who.platform, who.serial), unit, label)
    intake = judge(facts, rules, known, look.today, erases=look.erases and who.platform == "ios")
    if not look.keep or (before and before.intake and _gist(before.intake) == _gist(intake)):
        return Inspected(place, unit.tag, facts, intake, before.reset if before else None)
    now = trace_of(facts, unit)
    proofs: list[ResetProof | None] = []

    def body(conn: Connection, key: str) -> dict[str, Json]:
        if label:
            _claim(conn, label, who, facts.cellular.imei)
        last = conn.execute(select(intakes.c.trace, intakes.c.at).where(intakes.c.unit == key)).one_or_none()
        proof = compare(Trace(**json.loads(last.trace)), now) if last else None
        proofs.append(proof)
        reset: Json = {**_proof(proof), "before": last.at} if last and proof else None
        return {**_body(place, facts, intake, label, rules), "trace": asdict(now), "reset": reset}

    registry.look(who, facts, body)
    return Inspected(place, unit.tag, facts, intake, proofs[0])


def _gist(intake: Intake) -> object:
    """What a look that says nothing new has in common with the one before: numbers may be others, and that it was seen
    before is our own doing."""
    told = [(finding.key, finding.lead, finding.taps) for finding in intake.findings if finding.key != "seen_before"]
    return intake.verdict, told


def _with_owner(device: Device, facts: Facts, before: Inspected | None) -> Facts:
    """Of an iPhone that was erased the activation server alone knows whose it is. What it said is not asked again."""
    locks = facts.locks
    if device.identity.platform != "ios" or locks.activation in (None, "Activated"):
        return facts
    locked = before.facts.locks.activation_lock if before and before.facts else None
    if locked is None:
        try:
            device.perform(AskOwner(), lambda _: None)
            locked = False
        except NeedsOwner:
            locked = True
        except Refused:
            locked = None  # it does not answer
    return replace(facts, locks=replace(locks, activation_lock=locked))


def _proof(proof: ResetProof) -> dict[str, Json]:
    return {"proved": proof.proved, "shown": list(proof.shown), "not_shown": list(proof.not_shown)}


def _known(conn: Connection, key: str, unit: Unit, label: str) -> Known:
    query = (
        select(units.c.first_seen, units.c.last_profile, intakes.c.label, intakes.c.refused_since)
        .join_from(units, intakes, isouter=True)
        .where(units.c.key == key)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return Known(ignored=unit.ignored, label=label)
    ours = owners.of_unit(conn, key)
    return Known(
        tag=unit.tag,
        label=label or row.label or "",
        ignored=unit.ignored,
        first_seen=row.first_seen,
        refused_since=row.refused_since or "",
        provisioned=row.last_profile is not None,
        owners=frozenset(ours),
        owners_here=frozenset(package for package, since in ours.items() if owners.still_here(conn, key, since)),
    )


def _body(place: Attached, facts: Facts, intake: Intake, label: str, rules: Rules) -> dict[str, Json]:
    return {
        "v": 1,
        **runs.who(facts.identity),
        "imei": storable(facts.cellular.imei),
        "port": place.port,
        "label": storable(label),
        "verdict": str(intake.verdict),
        "rules": rules.digest(),
        "findings": [_finding(finding) for finding in intake.findings],
        "quirks": [{"key": quirk.key, "state": str(quirk.state)} for quirk in facts.quirks],
        "facts": runs.told(facts),
    }


def _finding(finding: Finding) -> Json:
    return {"key": finding.key, "lead": finding.lead.name.lower(), "what": storable(finding.what["en"])}


def _checked(label: str) -> str:
    """The code as it is kept. UnitError when no scanner would have read it."""
    code = label.strip().upper()
    if not _LABEL.fullmatch(code) or not code.isprintable():
        raise UnitError(f"{printable(label)!r} cannot be a label.", "Scan it again: 1 to 64 characters on one line.")
    return code


def _claim(conn: Connection, label: str, who: Identity, imei: str = "") -> None:
    """UnitError, with both named, when ``label`` is another unit's, or this unit has another one."""
    key = runs.key_of(who.platform, who.serial)
    serial = units.c.serial.ilike(_literal(label), escape="\\")
    names = or_(serial, units.c.tag == label, units.c.imei == label, intakes.c.label == label)
    taken = conn.execute(
        select(units.c.serial, units.c.tag).join_from(units, intakes, isouter=True).where(names, units.c.key != key)
    ).first()
    if taken:
        owner = printable(taken.serial) + (f" ({taken.tag})" if taken.tag else "")
        raise UnitError(
            f"The label {printable(label)} was scanned for {printable(who.serial)}, but it belongs to {owner}.",
            "Nothing was recorded. Scan the label of this device; if both carry the same, print a new one.",
        )
    mine = conn.scalar(select(intakes.c.label).where(intakes.c.unit == key))
    if mine and mine != label:
        raise UnitError(
            f"{printable(who.serial)} has the label {printable(mine)}, and {printable(label)} was scanned.",
            "Nothing was recorded. Take off the label that does not belong to it.",
        )
    if imei and re.fullmatch(r"[0-9]{15}", label) and label != imei:
        raise UnitError(
            f"The label says IMEI {label}, and {printable(who.serial)} says {imei}.",
            "Nothing was recorded. Scan the label of this device.",
        )


def _literal(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def summary(found: Sequence[Inspected]) -> dict[str, int]:
    """The last JSON line (docs/intake.md): devices by verdict; ``failed`` are those that could not be read."""
    verdicts = [one.intake.verdict for one in found if one.intake]
    return {
        "devices": len(found),
        "accept": verdicts.count(IntakeVerdict.ACCEPT),
        "hands": verdicts.count(IntakeVerdict.HANDS),
        "refuse": verdicts.count(IntakeVerdict.REFUSE),
        "failed": len(found) - len(verdicts),
    }
