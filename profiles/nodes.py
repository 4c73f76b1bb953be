"""Ways through the tree of a file, for the checks that the schema cannot make."""

from __future__ import annotations

from collections.abc import Iterator

from profiles.strict_yaml import Node


def at(node: Node, *place: str) -> Node | None:
    """The node at ``place`` below ``node``, if there is one."""
    found: Node | None = node
    for key in place:
        found = found.entries.get(key) if found else None
    return found


def items(node: Node, *place: str) -> tuple[Node, ...]:
    """The entries of the list at ``place``; nothing where there is none."""
    found = at(node, *place)
    return found.items if found else ()


def text(node: Node, *place: str) -> str:
    """The text at ``place``; "" where there is none."""
    found = at(node, *place)
    return found.value if found is not None and isinstance(found.value, str) else ""


def texts(entries: Node | None, key: str) -> list[str]:
    """The texts that the entries of a list have under ``key``."""
    nodes = [item.entries[key] for item in entries.items if key in item.entries] if entries else []
    return [node.value for node in nodes if isinstance(node.value, str)]


def denied(rule: Node) -> bool:
    """Whether a rule says deny, in either form."""
    deny = rule.entries.get("deny")
    return rule.value == "deny" or (deny is not None and deny.value in (True, "on"))


def walk(node: Node, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """``node`` and all below it, each with its place."""
    yield place, node
    for key, child in node.entries.items():
        yield from walk(child, (*place, key))
    for index, child in enumerate(node.items):
        yield from walk(child, (*place, index))
