"""What an intake lets pass: intake_rules.yaml, and a coordinator's file laid over it.

Mistakes are told at their place, and nothing is judged by a file that has any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from profiles.strict_yaml import Node, read
from provision.sheet import Sheet

FILE = Path(__file__).with_name("intake_rules.yaml")


class Lead(IntEnum):
    """What a finding leads to; the greater, the worse."""

    IGNORE = 0
    NOTE = 1
    HANDS = 2
    REFUSE = 3


LEADS = {lead.name.lower(): lead for lead in Lead}

_LIMITS = {
    "battery_worn": (1, 100),
    "battery_temperature": (20, 90),
    "storage_free": (1, 1_000_000),
    "patch_age": (1, 10_000),
    "users": (1, 20),
    "ios": (1, 99),
}


@dataclass(frozen=True)
class BadPackage:
    """A package that should not be there, and why, by language."""

    lead: Lead
    why: Mapping[str, str]


@dataclass(frozen=True)
class Rules:
    """Limits in the units of intake_rules.yaml; ``leads`` by finding; ``packages`` by name."""

    limits: Mapping[str, int]
    leads: Mapping[str, Lead]
    reset_after: tuple[str, ...]
    mended_by_erasing: tuple[str, ...]
    packages: Mapping[str, BadPackage]

    def digest(self) -> str:
        """SHA-256 (hex) of all that counts, so that a record says by which rules it was judged."""
        shape = [
            dict(self.limits),
            {key: int(lead) for key, lead in self.leads.items()},
            list(self.reset_after),
            list(self.mended_by_erasing),
            {name: int(bad.lead) for name, bad in self.packages.items()},
        ]
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()


def rules(file: Path | None = None) -> Rules:
    """The packaged rules, with those of ``file`` laid over them. Raises ProfileError for mistakes in either."""
    ours = parse(read(FILE), None)
    return parse(read(file), ours) if file else ours


def parse(root: Node, base: Rules | None) -> Rules:
    """A rules file; what it leaves out is as in ``base``. The packaged one (no ``base``) leaves nothing out."""
    sheet = Sheet()
    parts = sheet.entries(root, ("limits", "leads", "reset_after", "mended_by_erasing", "packages"))
    known = tuple(base.leads) if base else None
    under = base or Rules({}, {}, (), (), {})
    leads = _leads(sheet, parts.get("leads"), known)
    read_rules = replace(
        under,
        limits={**under.limits, **_limits(sheet, parts.get("limits"))},
        leads={**under.leads, **leads},
        packages={**under.packages, **_packages(sheet, parts.get("packages"))},
    )
    findings = tuple(read_rules.leads)

    def listed(name: str, before: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sheet.word(item, findings) for item in sheet.items(parts[name])) if name in parts else before

    read_rules = replace(
        read_rules,
        reset_after=listed("reset_after", under.reset_after),
        mended_by_erasing=listed("mended_by_erasing", under.mended_by_erasing),
    )
    sheet.done()
    return read_rules


def _limits(sheet: Sheet, node: Node | None) -> dict[str, int]:
    if node is None:
        return {}
    return {
        key: sheet.number(child, *_LIMITS[key], default=_LIMITS[key][0])
        for key, child in sheet.entries(node, _LIMITS).items()
    }


def _leads(sheet: Sheet, node: Node | None, known: tuple[str, ...] | None) -> dict[str, Lead]:
    if node is None:
        return {}
    return {key: _lead(sheet, child) for key, child in sheet.entries(node, known or node.entries).items()}


def _lead(sheet: Sheet, node: Node) -> Lead:
    return LEADS.get(sheet.word(node, LEADS), Lead.REFUSE)


def _packages(sheet: Sheet, node: Node | None) -> dict[str, BadPackage]:
    if node is None:
        return {}
    found = {}
    for name, child in sheet.entries(node, node.entries).items():
        parts = sheet.entries(child, ("lead", "why"), ("lead", "why"))
        lead = _lead(sheet, parts["lead"]) if "lead" in parts else Lead.REFUSE
        found[name] = BadPackage(lead, sheet.languages(parts.get("why")))
    return found
