"""What an event changes in the tables. The ledger calls this, and nothing else writes a projection."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from fleet.models import benches, intakes, items, runs, seals, tag_series, units
from fleet.projections_account import KINDS, Projection, benched, first_held, noted
from fleet.values import Event, canonical

_SERIES = re.compile(r"(.+)-(\d{4,9})")


def project(conn: Connection, event: Event) -> None:
    """Bring the projections from before ``event`` to after it."""
    _BY_KIND[event.kind](conn, event, json.loads(event.body))


def series(tag: str) -> tuple[str, int] | None:
    """``("SB", 7)`` of ``SB-0007``; ``None`` of a tag that does not end as numbered tags do."""
    match = _SERIES.fullmatch(tag)
    if not match or tag != numbered(match[1], int(match[2])):
        return None
    return match[1], int(match[2])


def numbered(prefix: str, number: int) -> str:
    return f"{prefix}-{number:04d}"


def _bench_opened(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    conn.execute(insert(benches).values(bench=event.bench, name=body["name"], since=event.at))


def _unit_added(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    conn.execute(
        insert(units).values(
            key=event.subject,
            platform=body["platform"],
            serial=body["serial"],
            state=body["state"],
            origin=body["origin"],
            maker=body["maker"],
            model=body["model"],
            version=body["version"],
            imei="",
            facts=canonical({}),
            first_seen=event.at,
            last_seen=event.at,
        )
    )
    first_held(conn, event, body)


def _unit_tagged(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    conn.execute(update(units).where(units.c.key == event.subject).values(tag=body["tag"]))
    if not (numbered_tag := series(body["tag"])):
        return
    prefix, number = numbered_tag
    last = conn.scalar(select(tag_series.c.last).where(tag_series.c.prefix == prefix))
    if last is None:
        conn.execute(insert(tag_series).values(prefix=prefix, last=number))
    elif number > last:
        conn.execute(update(tag_series).where(tag_series.c.prefix == prefix).values(last=number))


def _seen(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a run or an intake tells of the unit itself."""
    seen: dict[str, Any] = {name: body[name] for name in ("maker", "model", "version")}
    if "facts" in body:
        seen["facts"] = canonical(body["facts"])
    if body["imei"]:
        seen["imei"] = body["imei"]
    return seen


def _unit_run(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    unit = event.subject
    conn.execute(
        update(units)
        .where(units.c.key == unit)
        .values(
            **_seen(body),
            last_seen=event.at,
            last_verdict=body["verdict"],
            last_profile=body["profile"],
            last_digest=body["digest"],
        )
    )
    benched(conn, event)
    _replace_run(conn, event, body)
    if body["items"]:
        _replace_seals(conn, unit, body["items"])


def _replace_run(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    unit = event.subject
    conn.execute(delete(runs).where(runs.c.unit == unit))
    copied = ("started", "ended", "profile", "digest", "verdict", "steps", "port", "error", "next_action", "allowed")
    conn.execute(
        insert(runs).values(
            unit=unit,
            bench=event.bench,
            actor=event.actor,
            left_on=canonical(body["left_on"]),
            **{name: body[name] for name in copied},
        )
    )
    conn.execute(delete(items).where(items.c.unit == unit))
    shown = [{name: value for name, value in item.items() if name != "sealed"} for item in body["items"]]
    if shown:
        conn.execute(insert(items), [{"unit": unit, "position": n, **item} for n, item in enumerate(shown)])


def _replace_seals(conn: Connection, unit: str, found: list[dict[str, Any]]) -> None:
    """Only those of the items that this run had: of others it says nothing, so what was set before still holds."""
    conn.execute(delete(seals).where(seals.c.unit == unit, seals.c.item.in_([item["item"] for item in found])))
    kept = {item["item"]: item["sealed"] for item in found if item["sealed"]}
    if kept:
        conn.execute(insert(seals), [{"unit": unit, "item": item, "sealed": seal} for item, seal in kept.items()])


def _unit_intake(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    unit = event.subject
    conn.execute(update(units).where(units.c.key == unit).values(**_seen(body), last_seen=event.at))
    benched(conn, event)
    before = conn.execute(select(intakes).where(intakes.c.unit == unit)).one_or_none()
    refused = body["verdict"] == "refuse"
    reset = body["reset"]
    proved = bool(reset and reset["proved"])
    signs = {name: reset[name] for name in ("shown", "not_shown")} if reset else {}
    values: dict[str, Any] = {
        "at": event.at,
        "bench": event.bench,
        "actor": event.actor,
        "verdict": body["verdict"],
        "port": body["port"],
        "label": body["label"] or (before.label if before else None),
        "findings": canonical(body["findings"]),
        "trace": canonical(body["trace"]),
        "refused_since": ((before.refused_since if before else None) or event.at) if refused else None,
        "reset": canonical(signs) if proved or not (before and before.reset_at) else before.reset,
        "reset_at": event.at if proved else before.reset_at if before else None,
        "reset_before": reset["before"] if proved else before.reset_before if before else None,
        "times": (before.times if before else 0) + 1,
    }
    conn.execute(delete(intakes).where(intakes.c.unit == unit))
    conn.execute(insert(intakes).values(unit=unit, **values))


_BY_KIND: Mapping[str, Projection] = {
    "bench.opened": _bench_opened,
    "unit.added": _unit_added,
    "unit.tagged": _unit_tagged,
    "unit.run": _unit_run,
    "unit.intake": _unit_intake,
    "supervision.init": noted,
    **KINDS,
}
