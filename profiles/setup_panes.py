"""The panes of the Setup Assistant of iPhone and iPad (facts, iOS §2): setup_panes.yaml, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from profiles.errors import ProfileError
from profiles.once import once
from profiles.strict_yaml import Node, plain, read
from profiles.versions import at_least

FILE = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Pane:
    """``until`` is the first version without it, "" while there is none."""

    name: str
    about: str
    min_os: str
    until: str


@once
def table() -> Mapping[str, Pane]:
    """Every pane by its name, in the order of the file. Raises ProfileError when the file has mistakes."""
    return parse(read(FILE))


def parse(root: Node) -> Mapping[str, Pane]:
    """The rows of a file of panes. Raises ProfileError with every mistake at its place."""
    rows: dict[str, Pane] = {}
    problems = [] if root.entries else [root.at.problem("must be a map of panes by name")]
    for name, node in root.entries.items():
        row = plain(node)
        if isinstance(row, dict) and {"about", "from"} <= row.keys() <= {"about", "from", "until"}:
            rows[name] = Pane(name, row["about"], row["from"], row.get("until", ""))
        else:
            problems.append(node.place.problem("must be a map of about, from and, where it went, until"))
    if problems:
        raise ProfileError(problems)
    return MappingProxyType(rows)


def panes(wanted: Literal["all"] | tuple[str, ...], version: str) -> tuple[str, ...]:
    """Those of the ``wanted`` panes that iOS ``version`` has, in the order of the table."""
    return tuple(
        pane.name
        for pane in table().values()
        if (wanted == "all" or pane.name in wanted)
        and at_least(version, pane.min_os)
        and not (pane.until and at_least(version, pane.until))
    )
