"""What counts as wrong with a unit: health_rules.yaml, and a coordinator's file laid over it.

Mistakes are told at their place, and no unit is judged by a file that has any. What was read is kept beside the run
logs as JSON, as long as neither file changes: reading YAML takes longer than counting a hundred thousand units.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.account.filters.parse import FilterError, Tree, parse
from fleet.home import Home

if TYPE_CHECKING:
    from profiles.strict_yaml import Node
    from provision.sheet import Sheet

FILE = Path(__file__).with_name("health_rules.yaml")
SEVERITIES = ("critical", "warning", "note", "off")
_KEYS = ("meaning", "where", "limit", "severity", "next", "least", "unfit")
_NEEDED = ("meaning", "where", "severity", "next")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_LEAST = re.compile(r"(\d{1,9}) ?(%?)")
_MOST = 10_000_000
_FORMAT = 2


@dataclass(frozen=True)
class Rule:
    """``meaning`` and ``next_action`` by language; ``least`` units (or percent of all) make it count for --check.

    ``unfit``: a unit of which it tells is not given to anybody.
    """

    name: str
    where: str
    severity: str
    limit: int | None = None
    least: int = 1
    percent: bool = False
    unfit: bool = False
    meaning: Mapping[str, str] = field(default_factory=dict)
    next_action: Mapping[str, str] = field(default_factory=dict)

    @property
    def filter(self) -> str:
        """The filter, with its limit."""
        return self._filled(self.where)

    @property
    def tree(self) -> Tree:
        return parse(self.filter)

    def means(self, language: str) -> str:
        return self._filled(self.meaning[language])

    def counts(self, found: int, units: int) -> bool:
        """Whether so many units with it, of so many in all, are enough to be told by ``--check``."""
        return found > 0 and (found * 100 >= self.least * units if self.percent else found >= self.least)

    def _filled(self, text: str) -> str:
        return text.replace("{limit}", str(self.limit)) if self.limit is not None else text


Rules = Mapping[str, Rule]


def rules_of(home: Home) -> Rules:
    """The rules that are not off, by name; with those of the home's health.yaml. ProfileError for mistakes in it."""
    own = home.path / "health.yaml"
    sources = [FILE, own] if own.exists() else [FILE]
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    kept = home.path / "cache" / "health.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        read = json.loads(kept.read_text("utf-8"))
        if read["of"] == [_FORMAT, digest]:
            return {name: Rule(**fields) for name, fields in read["rules"].items()}
    found = _read(own if own in sources else None)
    _keep(home, kept, {"of": [_FORMAT, digest], "rules": {name: asdict(rule) for name, rule in found.items()}})
    return found


def _keep(home: Home, kept: Path, value: Mapping[str, Any]) -> None:
    """It is read again where it cannot be kept; a home that is not there is not made for it."""
    if not home.path.exists():
        return
    beside = kept.with_name(f".{kept.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        beside.write_text(json.dumps(value), "utf-8")
        beside.replace(kept)


def _read(own: Path | None) -> Rules:
    from profiles.strict_yaml import read

    found = laid_over(read(FILE), {})
    if own:
        found = laid_over(read(own), found)
    return {name: rule for name, rule in found.items() if rule.severity != "off"}


def laid_over(root: Node, base: Rules) -> Rules:
    """The rules of a file; what it leaves out is as in ``base``. ProfileError lists all its mistakes."""
    from provision.sheet import Sheet

    sheet = Sheet()
    found = dict(base)
    for name, node in sheet.entries(root, _names(root, base)).items():
        if not _NAME.fullmatch(name):
            sheet.wrong(node, f'"{name}" is no name: small letters, digits and _', at_value=False)
        elif rule := _rule(sheet, name, node, base.get(name)):
            found[name] = rule
    for node in root.entries.values():
        _check(sheet, node, found.get(_name_of(root, node)))
    sheet.done()
    return found


def _names(root: Node, base: Rules) -> Iterable[str]:
    return (*base, *root.entries)


def _name_of(root: Node, node: Node) -> str:
    return next(name for name, one in root.entries.items() if one is node)


def _rule(sheet: Sheet, name: str, node: Node, under: Rule | None) -> Rule | None:
    before = len(sheet.problems)
    parts = sheet.entries(node, _KEYS, () if under else _NEEDED)
    fields: dict[str, Any] = asdict(under) if under else {"name": name, "where": "", "severity": "off"}
    if "where" in parts:
        fields["where"] = sheet.text(parts["where"])
    if "severity" in parts:
        fields["severity"] = sheet.word(parts["severity"], SEVERITIES)
    if "limit" in parts:
        fields["limit"] = sheet.number(parts["limit"], 0, _MOST, default=0)
    for key, column in (("meaning", "meaning"), ("next", "next_action")):
        if key in parts:
            fields[column] = sheet.languages(parts[key])
    if "least" in parts:
        fields |= _least(sheet, parts["least"])
    if "unfit" in parts:
        fields["unfit"] = _switch(sheet, parts["unfit"])
    return Rule(**fields) if len(sheet.problems) == before else None


def _least(sheet: Sheet, node: Node) -> dict[str, Any]:
    found = _LEAST.fullmatch(str(node.value))
    if not found or (found[2] and int(found[1]) > 100):
        sheet.wrong(node, 'must be a number of units, or a part of all such as "2 %"')
        return {}
    return {"least": int(found[1]), "percent": bool(found[2])}


def _switch(sheet: Sheet, node: Node) -> bool:
    if not isinstance(node.value, bool):
        sheet.wrong(node, "must be true or false")
    return node.value is True


def _check(sheet: Sheet, node: Node, rule: Rule | None) -> None:
    """The filter is one that can be asked; a mistake in it is told at its place in the file."""
    from fleet.account.filters.sql import Asked

    if rule is None or rule.severity == "off":
        return
    at = node.entries.get("where", node)
    if "{limit}" in rule.where and rule.limit is None:
        sheet.wrong(at, "{limit} stands in it, but there is no limit")
        return
    try:
        Asked(rule.filter, rule.tree, "2000-01-01T00:00:00.000Z").frame()
    except FilterError as error:
        sheet.wrong(at, error.what)
