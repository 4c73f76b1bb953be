"""Tables of the account, in 80 columns: long values go on over the next line, none is cut.

Text from devices and people is printed through :func:`provision.text.printable`, never as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleet.ledger import Broken, Verified
from fleet.status import Happening, RunLine, Status, UnitView
from provision.text import printable

_STYLES = {
    "verified": "green",
    "partial": "yellow",
    "unverified": "yellow",
    "impossible": "yellow",
    "failed": "bold red",
}


def show(*parts: RenderableType) -> None:
    """Print to the terminal's width, or to 80 columns where the output is no terminal."""
    width = None if sys.stdout.isatty() else 80
    console = Console(width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
    console.print(Group(*parts))


def status(found: Status) -> Iterable[RenderableType]:
    """The counts first, then the last runs."""
    if not found.units:
        yield Text("No units yet. A device becomes one when it is first provisioned or verified.")
        return
    states = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(found.by_state.items()))
    yield Text(f"{_count(found.units, 'unit')}: {states}")
    verdicts = Text("Last run: ")
    for name in ("verified", "partial", "failed", "none"):
        if count := found.by_verdict.get(name):
            verdicts.append(", " if len(verdicts) > len("Last run: ") else "")
            verdicts.append(f"{count} {name}", _STYLES.get(name, ""))
    yield verdicts
    if found.unseen:
        yield Text(f"Not seen for {found.unseen_days} days: {found.unseen}", "yellow")
    if found.recent:
        yield Text()
        yield _recent(found.recent)


def unit(found: UnitView) -> Iterable[RenderableType]:
    """Who it is, its last run item by item, and what happened to it."""
    yield _facts(found)
    if found.run:
        yield Text()
        yield _run(found.run)
    if found.items:
        yield Text()
        yield _items(found.items)
    yield Text()
    yield _history(found.history)


def verified(found: Verified | Broken) -> Iterable[RenderableType]:
    """That the ledger is whole, or the first place that does not hold."""
    if isinstance(found, Broken):
        place = f"event {found.seq} of bench {printable(found.bench)}"
        yield Text(f"The ledger is broken: {place} {found.why}.", "bold red")
        yield Text("Keep this registry as it is, and compare it with a copy from before.")
        return
    yield Text(f"The ledger is whole: {_count(found.events, 'event')}, {_count(len(found.ends), 'chain')}.")
    for end in found.ends:
        yield _text(f"{end.bench} ends with event {end.seq}: {end.hash}")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _recent(lines: Iterable[RunLine]) -> Table:
    table = _table("UNIT", "DEVICE", "PROFILE", "LAST RUN", "WHEN")
    for line in lines:
        table.add_row(
            _name(line.tag, line.serial),
            _text(f"{line.maker} {line.model}"),
            _text(line.profile),
            _text(line.verdict, _STYLES.get(line.verdict, "")),
            _text(_when(line.ended)),
        )
    return table


def _name(tag: str | None, serial: str) -> Text:
    return _text(f"{tag} ({serial})" if tag else serial)


def _facts(found: UnitView) -> Table:
    unit, facts = found.unit, found.facts
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    rows = {
        "Tag": unit["tag"] or "none",
        "Serial": f"{unit['serial']} ({unit['platform']})",
        "Device": f"{unit['maker']} {unit['model']}, version {unit['version']}",
        "IMEI": unit["imei"],
        "State": f"{unit['state'].replace('_', ' ')}, origin {unit['origin']}",
        "SIM": "; ".join(_sim(card) for card in facts.get("sims", ())),
        "Health": _health(found.health) if found.health else "",
        "First seen": _when(unit["first_seen"]),
        "Last seen": _when(unit["last_seen"]),
    }
    for name, value in rows.items():
        if value:
            table.add_row(Text(name, "bold"), _text(value))
    return table


def _sim(card: Mapping[str, Any]) -> str:
    parts = (card["operator_name"] or card["operator"], card["state"], card["iccid"] and f"ICCID {card['iccid']}")
    return f"slot {card['slot']}: " + ", ".join(part for part in parts if part)


def _health(found: Mapping[str, Any]) -> str:
    parts = []
    if found["battery_level"] is not None:
        parts.append(f"battery {found['battery_level']} %")
    if found["battery_worn"] is not None:
        parts.append(f"{found['battery_worn']} % worn")
    if found["storage_free"] is not None:
        parts.append(f"{found['storage_free'] / 1e9:.1f} GB free")
    if found["patch"]:
        parts.append(f"patch {found['patch']}")
    return ", ".join(parts)


def _run(run: Mapping[str, Any]) -> RenderableType:
    head = Text("Last run: ", "bold")
    head.append(run["verdict"], _STYLES.get(run["verdict"], ""))
    head.append(printable(f", {run['profile']}, {_when(run['ended'])}, by {run['actor']}"))
    lines: list[RenderableType] = [head]
    lines.extend(_text(what) for what in (run["error"], run["next_action"]) if what)
    if run["allowed"]:
        lines.append(_text(f"Allowed: {run['allowed']}"))
    if run["left_on"]:
        lines.append(_text(f"Left on: {', '.join(run['left_on'])}"))
    return Group(*lines)


def _items(found: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("ITEM", "RESULT", "WANTED", "WHY, AND WHAT TO DO")
    for item in found:
        result = item["result"] + (f" ({item['strength']})" if item["strength"] else "")
        table.add_row(
            _text(item["item"]),
            _text(result, _STYLES.get(item["result"], "")),
            _text(item["want"]),
            _text(f"{item['why']} {item['next_action']}".strip()),
        )
    return table


def _history(found: Iterable[Happening]) -> Table:
    table = _table("WHEN", "WHO", "WHAT")
    for line in found:
        table.add_row(_text(_when(line.at)), _text(line.actor), _text(line.what))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _text(value: object, style: str = "") -> Text:
    return Text(printable(str(value)), style=style)


def _when(at: str) -> str:
    """In the time of this computer."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")
