"""What happened to a unit, in words: one line for each kind of event. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provision.text import counted, local_time

Body = Mapping[str, Any]


def what(kind: str, body: Body) -> str:
    """The event for people; its kind, where it is one that this program does not know."""
    words = _BY_KIND.get(kind)
    return words(body) if words else kind


def origin(word: str) -> str:
    """Where a unit came from, in words."""
    return "not in any donor's list" if word == "unrecorded" else word


def student(key: str | None) -> str:
    """A pseudonym as it is shown."""
    return f"{key[:1]}-{key[1:]}" if key else "nobody"


def _state(body: Body) -> str:
    place = f", {body['place']}" if body.get("place") else ""
    return f"{body['state'].replace('_', ' ')}{place}"


def _added(body: Body) -> str:
    return f"first seen, {_state(body)}, {origin(body['origin'])}"


def _tagged(body: Body) -> str:
    return f"tag {body['tag']}" + (f" instead of {body['was']}" if body["was"] else "")


def _run(body: Body) -> str:
    parts = [f"{body['profile']}: {body['verdict']}, {counted(body['steps'], 'step')}"]
    if body["error"]:
        parts.append(body["error"])
    if body["allowed"]:
        parts.append(f"allowed: {body['allowed']}")
    return "; ".join(parts)


def _intake(body: Body) -> str:
    return f"intake: {body['verdict']}" + (", a reset was seen" if (body["reset"] or {}).get("proved") else "")


def _received(body: Body) -> str:
    return f"received with batch {body['batch']}, {_state(body)}{_on(body)}"


_CUSTODY: Mapping[str, str] = {
    "move": "moved",
    "send": "sent",
    "arrive": "arrived",
    "hand_over": "handed over",
    "return": "returned",
    "refuse": "refused",
    "lose": "lost",
    "find": "found",
    "repair": "to repair",
    "repaired": "repaired",
    "retire": "retired",
    "give_back": "given back",
}

_SAID = ("why", "fault", "done", "search", "evidence", "note", "allowed")


def _custody(body: Body) -> str:
    """What was done, with or by whom, where, what came with it, and why."""
    step = body["step"]
    parts = [_CUSTODY.get(step, step.replace("_", " "))]
    if body.get("student"):
        taken = f", taken by the {body['taken_by']}" if body.get("taken_by") else ""
        parts[0] += f" ({student(body['student'])}{taken})"
    parts.append(_state(body))
    if body.get("condition"):
        parts.append(f"condition {body['condition']}")
    if body.get("kit"):
        parts.append("with " + ", ".join(f"{number} {piece}" for piece, number in sorted(body["kit"].items())))
    parts.extend(f"{name}: {body[name]}" for name in _SAID if body.get(name))
    return "; ".join(parts) + _on(body)


def _on(body: Body) -> str:
    """When it happened, where it was recorded later."""
    return f"; on {local_time(body['on'])[:10]}" if body.get("on") else ""


def _assigned(body: Body) -> str:
    why = f": {body['why']}" if body.get("why") else ""
    if body["student"] is None:
        return f"not meant for anybody any more{why}"
    return f"meant for {student(body['student'])}{why}"


def _counted(body: Body) -> str:
    return f"counted at {body['place']}" if body["found"] else f"not found at the count of {body['place']}"


def _joined(body: Body) -> str:
    return f"was {body['into']}, misread: joined with it"


def _papers(body: Body) -> str:
    return f"{body['was']} was this one, misread: its papers, batch {body['batch']}, are here"


def _vault_read(body: Body) -> str:
    return f"its PIN was shown: {body['why']}"


def _enrolled(body: Body) -> str:
    return f"set up for home with {body['agent']}, {body['profile']}"


def _renewed(body: Body) -> str:
    return f"set up anew for home, with {body['profile']}"


def _agent_ended(body: Body) -> str:
    return f"its agent is of no effect any more: {body['why']}"


def _ordered(body: Body) -> str:
    asked = "asked to" if body["state"] == "asked" else "ordered to"
    said = f" “{body['text']}”" if body["text"] else ""
    return f"{asked} {body['kind'].replace('_', ' ')}{said}: {body['why']}"


def _order_changed(body: Body) -> str:
    said = {"open": "is approved", "begun": "has begun, its agent says", "withdrawn": "is taken back"}.get(
        body["state"], "is done"
    )
    kind = str(body.get("kind", "an order")).replace("_", " ")
    return f"{kind} {said}" + (f": {body['why']}" if body.get("why") else "")


_BY_KIND: Mapping[str, Callable[[Body], str]] = {
    "unit.added": _added,
    "unit.tagged": _tagged,
    "unit.run": _run,
    "unit.intake": _intake,
    "unit.received": _received,
    "unit.custody": _custody,
    "unit.assigned": _assigned,
    "unit.counted": _counted,
    "unit.joined": _joined,
    "unit.papers": _papers,
    "vault.read": _vault_read,
    "agent.enrolled": _enrolled,
    "agent.renewed": _renewed,
    "agent.ended": _agent_ended,
    "unit.ordered": _ordered,
    "unit.order_changed": _order_changed,
}
