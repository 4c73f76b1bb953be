"""What is printed, in one language: words.yaml, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from profiles.once import once

FILE = Path(__file__).with_name("words.yaml")
LANGUAGES = ("en", "zh", "vi")


@dataclass(frozen=True)
class Words:
    """The texts of one language."""

    language: str

    def of(self, key: str, **fills: object) -> str:
        return _table()[key][self.language].format(**fills)

    def piece(self, name: str) -> str:
        """A piece of a kit; one that has no word here keeps its own name."""
        return self.of(f"piece_{name}") if f"piece_{name}" in _table() else name


@once
def _table() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found
