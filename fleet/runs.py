"""A run as the ledger keeps it: what the device said of itself, and every item's outcome. No raw answers, no names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.values import Json, storable
from provision.model import Cannot, Facts, Health, Identity, Locks, Outcome, Report, Result, SimCard

if TYPE_CHECKING:
    from profiles.schema import DataPlan


def key_of(platform: str, serial: str) -> str:
    """What a unit is known by in the registry and the ledger."""
    return storable(f"{platform}:{serial}")


def body_of(report: Report, identity: Identity, plan: DataPlan | None = None) -> dict[str, Json]:
    """The body of ``unit.run``. ``plan``: the data plan of the profile."""
    body: dict[str, Json] = {
        "v": 1,
        **who(identity),
        "imei": storable(report.facts.cellular.imei) if report.facts else "",
        "port": report.port,
        "profile": report.profile,
        "digest": report.profile_digest,
        "verdict": str(report.verdict),
        "steps": report.steps,
        "started": report.started,
        "ended": report.ended,
        "error": storable(report.error),
        "next_action": storable(report.next_action),
        "allowed": storable(report.allowed),
        "stops": [{"kind": stop.kind, "what": storable(stop.what)} for stop in report.stops],
        "left_on": [storable(what) for what in report.left_on],
        "items": [_item(outcome) for outcome in report.outcomes],
    }
    if report.facts:
        body["facts"] = told(report.facts)
        body["data_plan"] = {"quota": plan.quota, "days": plan.days} if plan else None
    return body


def added(identity: Identity) -> dict[str, Json]:
    """The body of ``unit.added`` for a device that came to the bench without papers."""
    place: dict[str, Json] = {"state": "at_bench", "origin": "unrecorded"}
    return {"v": 1, "platform": identity.platform, "serial": storable(identity.serial), **who(identity), **place}


def reading(health: Health) -> dict[str, object] | None:
    """The row of a health reading; ``None`` when the device told nothing."""
    return dict(vars(health)) if health != Health() else None


def who(identity: Identity) -> dict[str, Json]:
    """What every event of a device says of it."""
    return {name: storable(getattr(identity, name)) for name in ("maker", "model", "version")}


def told(facts: Facts) -> dict[str, Json]:
    """What is kept of the facts: no names, no raw answers."""
    identity = facts.identity
    return {
        "api": identity.api,
        "build": storable(identity.build),
        "skin": storable(identity.skin),
        "sims": [_sim(card) for card in facts.cellular.cards],
        "locks": _locks(facts.locks),
    }


def _sim(card: SimCard) -> Json:
    return {name: storable(value) if isinstance(value, str) else value for name, value in vars(card).items()}


def _locks(locks: Locks) -> Json:
    accounts: Json = None
    if locks.accounts is not None:
        accounts = {storable(kind): count for kind, count in locks.accounts.items()}
    of_ios: dict[str, Json] = {}
    if locks.find_my is not None or locks.activation is not None:
        of_ios = {"find_my": locks.find_my, "activation": storable(locks.activation or "")}
    return {
        **of_ios,
        "accounts": accounts,
        "users": locks.users,
        "owner": storable(locks.owner) if locks.owner else None,
        "owner_known": locks.owner_known,
        "bootloader_locked": locks.bootloader_locked,
        "verified_boot": storable(locks.verified_boot) if locks.verified_boot else None,
        "at_frp": locks.at_frp,
    }


def _item(outcome: Outcome) -> Json:
    item = outcome.item
    return {
        "item": item.id,
        "result": str(outcome.result),
        "want": storable(item.want),
        "why": storable(outcome.why),
        "next_action": storable(outcome.next_action),
        "source": item.source,
        "strength": str(item.strength) if item.strength else None,
        "required": item.required,
        "changed": outcome.changed,
        "sealed": _seal(outcome),
    }


def _seal(outcome: Outcome) -> str:
    """The keyed hash under which the next run knows that this value is set; "" when the device tells it itself."""
    state = outcome.item.state
    if outcome.result is not Result.UNVERIFIED or isinstance(state, Cannot):
        return ""
    return state.sealed
