"""What is said of one device at home, and of what it is ordered."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from fleet.remote.agents.at_home import AtHome
from fleet.remote.agents.orders import Kind, Order
from provision.screen import table, text
from provision.text import local_time

_MOST = 10


def at_home(found: AtHome) -> Iterable[RenderableType]:
    """Its last contact; wanted, fetched and confirmed, each by itself; what differs; its orders."""
    yield Text()
    yield Text("At home", "bold")
    if found.ended_at:
        yield text(f"Its agent is of no effect since {local_time(found.ended_at)}: {found.why}.")
    came = f"came last on {local_time(found.seen_at)}" if found.seen_at else "never came"
    yield text(f"{found.agent}, set up on {local_time(found.enrolled_at)}; {came}.{_sure(found)}")
    if found.wanted:
        yield text(f"Should have: {found.wanted.profile} {_whence(found)}")
        yield text(f"Fetched: {_state(found, found.fetched, found.fetched_at)}")
        yield text(f"Confirmed: {_state(found, found.confirmed, found.confirmed_at)}")
    for what in (*found.drift, *(f"permission withdrawn: {one}" for one in found.missing)):
        yield text(f"Told: {what}", "yellow")
    if found.owner is False:
        yield text("Told: its agent is not the owner any more", "yellow")
    yield from map(_wiping, [one for one in found.orders if one.state == "begun"][:1])
    if found.orders:
        yield _orders(found.orders)


def given(order: Order, unit: str, last: str | None) -> str:
    """What was ordered, and when it will arrive."""
    if order.state == "withdrawn":
        return f"{unit}: {order.kind.words} is taken back."
    if order.state == "asked":
        return (
            f"{unit}: asked to {order.kind.words}. The programme wants a second person: "
            "fleet unit wipe TAG --approve --why …"
        )
    came = f"the last one was on {local_time(last)}" if last else "there was none yet"
    return f"{unit}: ordered to {order.kind.words}. It is told at its next contact; {came}."


def _sure(found: AtHome) -> str:
    return "" if found.home_at or found.ended_at else " Its server at home has not seen it yet."


def _whence(found: AtHome) -> str:
    assert found.wanted is not None
    if found.wanted.push is None:
        return "as its bench set it up"
    return f"of release {found.wanted.release}, by {found.wanted.push}"


def _state(found: AtHome, digest: str | None, at: str | None) -> str:
    assert found.wanted is not None
    if digest is None or at is None:
        return "nothing yet"
    same = "the one that it should have" if digest == found.wanted.digest else "another one"
    return f"{same}, {local_time(at)}"


def _wiping(one: Order) -> Text:
    came = f"it came again on {local_time(one.told_at)}" if one.told_at else "it has been silent since"
    return text(f"Told: its agent begins to wipe itself, {local_time(one.changed)}; {came}", "yellow")


def _orders(found: Iterable[Order]) -> RenderableType:
    rows = table("Ordered", "State", "By", "Why", "Text")
    for one in list(found)[:_MOST]:
        given = f"{one.actor}, {local_time(one.at)}"
        rows.add_row(*map(text, (one.kind.words, _stands(one), given, one.why, one.text)))
    return rows


def _stands(one: Order) -> str:
    match one.state:
        case "asked":
            return "waits for a second person"
        case "open" if not one.told_at:
            return "not told yet"
        case "open":
            holds = one.kind in (Kind.LOCK, Kind.LOCATE_OFF)
            return f"{'in force' if holds else 'told'}, {local_time(one.told_at)}"
    return f"{one.state} on {local_time(one.changed)} by {one.by}"
