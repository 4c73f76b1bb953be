"""What a profile says of the owner of Android phones, and what does not go together with it."""

from __future__ import annotations

from collections.abc import Iterator

from profiles.errors import Problem
from profiles.nodes import at, items, text
from profiles.rules import AGENTS
from profiles.strict_yaml import Node

_SPOKEN = ("secret", "server")
"""What an agent needs that asks a server what to do."""


def contradictions(root: Node) -> Iterator[Problem]:
    """What the agent lacks or has no use for; and that nothing else is said of its package."""
    agent = text(root, "owner", "agent")
    owner = root.entries.get("owner")
    if owner is None or agent not in AGENTS:
        return
    for key in _SPOKEN:
        given = owner.entries.get(key)
        if agent == "testdpc" and given is not None:
            yield given.place.problem(f'testdpc speaks to no server: take "{key}" out')
        if agent == "headwind" and given is None:
            yield owner.place.problem(f'headwind asks a server what to do: "{key}" is missing')
    yield from _elsewhere(root, owner.place.line, AGENTS[agent])


def _elsewhere(root: Node, line: int, package: str) -> Iterator[Problem]:
    named = [at(app, "android", "package") for app in items(root, "apps")]
    named += [at(entry, "android") for section in ("remove", "block") for entry in items(root, "restrictions", section)]
    for name in named:
        if name is not None and name.value == package:
            yield name.at.problem(f'"{package}" is the owner of the phone (line {line}): say it there only')
