"""The sheets and rolls that labels are printed on: layouts.yaml, read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from profiles.once import once

FILE = Path(__file__).with_name("layouts.yaml")


@dataclass(frozen=True)
class Layout:
    """Millimetres; ``first`` is the corner of the first label, ``step`` the way to the next one."""

    about: str
    page: tuple[float, float]
    label: tuple[float, float]
    first: tuple[float, float]
    step: tuple[float, float]
    columns: int
    rows: int

    def places(self, skip: int = 0) -> Iterator[tuple[int, float, float]]:
        """Without end: page, x and y of each label, row by row; the first ``skip`` of the first page are used up."""
        each = self.columns * self.rows
        number = skip % each
        while True:
            page, at = divmod(number, each)
            row, column = divmod(at, self.columns)
            yield page, self.first[0] + column * self.step[0], self.first[1] + row * self.step[1]
            number += 1


@once
def layouts() -> Mapping[str, Layout]:
    """Every layout by its name."""
    tree: Mapping[str, Mapping[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {name: _layout(row) for name, row in tree.items()}


def _layout(row: Mapping[str, Any]) -> Layout:
    pairs = (row[key] for key in ("page", "label", "first", "step"))
    page, label, first, step = ((float(x), float(y)) for x, y in pairs)
    return Layout(str(row["about"]), page, label, first, step, int(row["columns"]), int(row["rows"]))
