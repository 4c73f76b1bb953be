"""A unit, for people, in 80 columns: long values go on over the next line, none is cut.

Text from devices and people is printed through :func:`provision.text.printable`, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fleet.account.status.unit_list import Line
from fleet.account.status.unit_view import Happening, UnitView
from fleet.account.status.unit_words import origin, student
from provision.screen import STYLES, table, text
from provision.text import counted, local_time, printable, sentence

_STYLE = {"critical": "bold red", "warning": "yellow", "note": ""}


def listed(found: Iterable[Line]) -> Table:
    """A row each."""
    grid = table("UNIT", "DEVICE", "STATE", "PLACE", "WITH", "LAST SEEN")
    grid.columns[0].min_width, grid.columns[-1].no_wrap = 8, True
    for line in found:
        grid.add_row(
            text(line.tag or line.serial),
            text(f"{line.maker} {line.model}"),
            text(line.state.replace("_", " ")),
            text(line.place),
            text(student(line.holder) if line.holder else ""),
            text(local_time(line.last_seen) if line.last_seen else "never"),
        )
    return grid


def unit(found: UnitView, at_home: Iterable[RenderableType] = ()) -> Iterable[RenderableType]:
    """Who it is, how its device is ``at_home``, its last run item by item, and what happened to it."""
    yield _facts(found)
    if found.alarms or found.remarks:
        yield Text()
        yield from (text(f"{sentence(one.meaning)} {one.next_action}", _STYLE[one.severity]) for one in found.alarms)
        yield from (text(remark, "yellow") for remark in found.remarks)
    yield from at_home
    if found.run:
        yield Text()
        yield _run(found.run)
    if found.items:
        yield Text()
        yield _items(found.items)
    yield Text()
    yield _history(found.history)


def _wanted(wanted: Mapping[str, Any]) -> str:
    stands = "read back" if wanted["met"] else "not yet"
    return f"{wanted['profile']} of release {wanted['release']}, at site {wanted['site']}: {stands}"


def _facts(found: UnitView) -> Table:
    unit, facts = found.unit, found.facts
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    rows = {
        "Tag": unit["tag"] or "none",
        "Serial": f"{unit['serial']} ({unit['platform']})",
        "Device": f"{unit['maker']} {unit['model']}, version {unit['version']}",
        "IMEI": unit["imei"],
        "State": f"{unit['state'].replace('_', ' ')}, {origin(unit['origin'])}",
        **_whereabouts(found),
        "SIM": "; ".join(_sim(card) for card in facts.get("sims", ())),
        "Data plan": "; ".join(map(_plan, found.sims)),
        "Health": _health(found.health, str(unit["platform"])) if found.health else "",
        "Should have": _wanted(found.wanted) if found.wanted else "",
        "Known since": local_time(unit["first_seen"]),
        **_seen(found),
    }
    for name, value in rows.items():
        if value:
            grid.add_row(Text(name, "bold"), text(value))
    return grid


def _seen(found: UnitView) -> dict[str, str]:
    """When a bench saw it: what a donor's list says of a unit is no look at it."""
    last = found.unit["last_seen"]
    if last is None:
        return {"Last seen": "never at a bench"}
    first = found.custody["benched_at"] if found.custody else None
    return {"First seen": local_time(first or found.unit["first_seen"]), "Last seen": local_time(last)}


def _whereabouts(found: UnitView) -> dict[str, str]:
    """Where it is and since when, with whom, and for whom it is meant."""
    if (held := found.custody) is None:
        return {}
    told = [held["place"], held["place_name"], held["place_area"]]
    rows = {"Place": ", ".join(part for part in told if part)}
    if held["holder"]:
        rows["With"] = student(held["holder"])
        if taken := found.acceptance:
            kit = ", ".join(f"{number} {piece}" for piece, number in sorted(taken["kit"].items()))
            rows["With"] += f", taken by the {taken['taken_by']} on {local_time(taken['at'])}"
            rows["With"] += f"; {taken['condition']}; kit: {kit or 'nothing'}"
    if held["assigned"] and held["assigned"] != held["holder"]:
        rows["Meant for"] = student(held["assigned"])
    return {**rows, "Since": local_time(held["since"])}


def _plan(sim: Mapping[str, Any]) -> str:
    """One SIM that belongs in it."""
    parts = [f"{sim['carrier']} {sim['iccid']} {sim['state'].replace('_', ' ')}".strip(), sim["quota"]]
    if sim["ends_at"]:
        parts.append(f"ends {local_time(sim['ends_at'])}")
    elif sim["days"]:
        parts.append(f"{counted(sim['days'], 'day')} from the hand-over on")
    if sim["missed_at"]:
        parts.append(f"not in it since {local_time(sim['missed_at'])}")
    return ", ".join(part for part in parts if part)


def _sim(card: Mapping[str, Any]) -> str:
    parts = (card["operator_name"] or card["operator"], card["state"], card["iccid"] and f"ICCID {card['iccid']}")
    return f"slot {card['slot']}: " + ", ".join(part for part in parts if part)


def _health(found: Mapping[str, Any], platform: str) -> str:
    """No figure of an iPhone equals the "Maximum Capacity" of its Settings (facts, iOS §1)."""
    parts = []
    if found["battery_level"] is not None:
        parts.append(f"battery {found['battery_level']} %")
    if found["battery_worn"] is not None:
        worn = f"{found['battery_worn']} % worn"
        parts.append(f"about {worn} (estimate)" if platform == "ios" else worn)
    if found["storage_free"] is not None:
        parts.append(f"{found['storage_free'] / 1e9:.1f} GB free")
    if found["patch"]:
        parts.append(f"patch {found['patch']}")
    return ", ".join(parts)


def _run(run: Mapping[str, Any]) -> RenderableType:
    head = Text("Last run: ", "bold")
    head.append(run["verdict"], STYLES.get(run["verdict"], ""))
    head.append(printable(f", {run['profile']}, {local_time(run['ended'])}, by {run['actor']}"))
    lines: list[RenderableType] = [head]
    lines.extend(text(what) for what in (run["error"], run["next_action"]) if what)
    if run["allowed"]:
        lines.append(text(f"Allowed: {run['allowed']}"))
    if run["left_on"]:
        lines.append(text(f"Left on: {', '.join(run['left_on'])}"))
    return Group(*lines)


def _items(found: Iterable[Mapping[str, Any]]) -> Table:
    """A line each, and under those in a row that share it: why, and what to do. Many of a kind that are right are one
    line."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for (result, *_), group in groupby(found, key=_shared):
        items = list(group)
        name = text(result, STYLES.get(result, ""))
        if result == "verified" and len(items) > 1:
            grid.add_row(name, Text.assemble(text(f"{len(items)} × {_kind(items[0])}", "bold"), _strength(items[0])))
            continue
        for item in items:
            grid.add_row(name, Text.assemble(text(item["item"], "bold"), text(f"  {item['want']}"), _strength(item)))
        if result != "verified":
            why = f"{sentence(items[0]['why'])} {items[0]['next_action']}".rstrip()
            grid.add_row("", Padding(text(why), (0, 0, 0, 2)))
    return grid


def _shared(item: Mapping[str, Any]) -> tuple[str, ...]:
    """What items in a row have in common that are shown together."""
    if item["result"] == "verified":
        return "verified", _kind(item), str(item["strength"])
    return item["result"], item["why"], item["next_action"]


def _kind(item: Mapping[str, Any]) -> str:
    """``restrictions.block`` of ``restrictions.block.com.example``; other items are of no kind but their own."""
    setting, _, key = item["item"].partition(".")
    kind, dot, _ = key.partition(".")
    return f"{setting}.{kind}" if dot else item["item"]


def _strength(item: Mapping[str, Any]) -> Text:
    return text(f"  [{item['strength']}]" if item["strength"] else "", "cyan")


def _history(found: Iterable[Happening]) -> Table:
    grid = table("WHEN", "WHO", "WHAT")
    grid.columns[0].no_wrap = True
    for line in found:
        grid.add_row(text(local_time(line.at)), text(line.actor), text(line.what))
    return grid
