"""makers.yaml as values. Every mistake of the file is told at its place (see the head of the file for its shape)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from profiles.once import once
from profiles.strict_yaml import Node, read
from provision.model import Identity
from provision.sheet import LANGUAGES, Sheet

FILE = Path(__file__).with_name("makers.yaml")

TASKS = ("remove_accounts", "remove_users", "remove_screen_lock", "reset", "free_storage", "update", "unlock")
"""What people may have to do on any phone; the ways of makers.yaml say how."""

_ANY_API = (0, 99)


@dataclass(frozen=True)
class Sign:
    """One line of ``recognise``. ``kind`` is property, maker or absent."""

    kind: str
    name: str
    apis: tuple[int, int] = _ANY_API


@dataclass(frozen=True)
class Tell:
    """What tells how a switch stands. ``kind`` is rights, property or setting; ``on`` and ``off`` are its values."""

    kind: str
    name: str
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


@dataclass(frozen=True)
class Way:
    """Taps by language, for phones of one ``system`` ("" any) between two API levels."""

    taps: Mapping[str, tuple[str, ...]]
    system: str = ""
    apis: tuple[int, int] = _ANY_API

    def fits(self, systems: tuple[str, ...], api: int) -> bool:
        return (not self.system or self.system in systems) and self.apis[0] <= api <= self.apis[1]


@dataclass(frozen=True)
class Switch:
    key: str
    name: Mapping[str, str]
    wanted: str
    tells: tuple[Tell, ...]
    ways: tuple[Way, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class System:
    key: str
    name: str
    signs: tuple[Sign, ...]
    switches: tuple[Switch, ...]


@dataclass(frozen=True)
class Rows:
    systems: tuple[System, ...]
    ways: Mapping[str, tuple[Way, ...]]

    def taps(self, task: str, systems: tuple[str, ...], identity: Identity) -> Mapping[str, tuple[str, ...]]:
        return _first(self.ways[task], systems, identity.api)


def _first(ways: tuple[Way, ...], systems: tuple[str, ...], api: int) -> Mapping[str, tuple[str, ...]]:
    return next((way.taps for way in ways if way.fits(systems, api)), {})


def taps_of(switch: Switch, identity: Identity) -> Mapping[str, tuple[str, ...]]:
    """The taps for a switch on this version; nothing where no row fits."""
    return _first(switch.ways, (), identity.api)


@once
def rows() -> Rows:
    """Our makers.yaml. Raises ProfileError when the file has mistakes."""
    return parse(read(FILE))


def parse(root: Node) -> Rows:
    """A makers file. Raises ProfileError with every mistake at its place."""
    sheet = Sheet()
    parts = sheet.entries(root, ("systems", "ways"), ("systems", "ways"))
    systems = _systems(sheet, parts.get("systems"))
    ways = _all_ways(sheet, parts.get("ways"), tuple(system.key for system in systems))
    sheet.done()
    return Rows(systems, ways)


def _systems(sheet: Sheet, node: Node | None) -> tuple[System, ...]:
    if node is None:
        return ()
    return tuple(_system(sheet, key, child) for key, child in sheet.entries(node, node.entries).items())


def _system(sheet: Sheet, key: str, node: Node) -> System:
    parts = sheet.entries(node, ("name", "recognise", "switches"), ("name", "recognise", "switches"))
    switches = parts.get("switches")
    listed = sheet.entries(switches, switches.entries) if switches else {}
    return System(
        key,
        sheet.text(parts.get("name")),
        tuple(_sign(sheet, item) for item in sheet.items(parts.get("recognise"))),
        tuple(_switch(sheet, name, child) for name, child in listed.items()),
    )


def _sign(sheet: Sheet, node: Node) -> Sign:
    kinds = ("property", "maker", "absent")
    parts = sheet.entries(node, (*kinds, "from", "to"))
    said = [kind for kind in kinds if kind in parts]
    if len(said) != 1:
        sheet.wrong(node, f"must have exactly one of {', '.join(kinds)}")
        return Sign("maker", "")
    return Sign(said[0], sheet.text(parts[said[0]]), _apis(sheet, parts))


def _apis(sheet: Sheet, parts: Mapping[str, Node]) -> tuple[int, int]:
    least, most = (sheet.number(parts.get(key), 1, 99, _ANY_API[at]) for at, key in enumerate(("from", "to")))
    if least > most:
        sheet.wrong(parts["to"], '"to" is lower than "from"')
    return least, most


def _switch(sheet: Sheet, key: str, node: Node) -> Switch:
    known = ("name", "wanted", "tells", "failures", "taps")
    parts = sheet.entries(node, known, ("name", "wanted", "tells"))
    wanted = sheet.word(parts["wanted"], ("on", "off", "none")) if "wanted" in parts else "none"
    if wanted != "none" and "taps" not in parts:
        sheet.wrong(node, '"taps" is missing: say what to tap', at_value=False)
    return Switch(
        key,
        sheet.languages(parts.get("name")),
        "" if wanted == "none" else wanted,
        tuple(_tell(sheet, item) for item in sheet.items(parts.get("tells"))),
        tuple(_way(sheet, item, ()) for item in sheet.items(parts.get("taps"))),
        sheet.texts(parts.get("failures")),
    )


def _tell(sheet: Sheet, node: Node) -> Tell:
    kinds = ("rights", "property", "setting")
    parts = sheet.entries(node, (*kinds, "on", "off"))
    said = [kind for kind in kinds if kind in parts]
    if len(said) != 1:
        sheet.wrong(node, f"must have exactly one of {', '.join(kinds)}")
        return Tell("rights", "granted")
    kind = said[0]
    if kind == "rights":
        return Tell(kind, sheet.word(parts[kind], ("granted",)))
    name = sheet.text(parts[kind])
    if kind == "setting" and name.partition("/")[0] not in ("global", "secure", "system"):
        sheet.wrong(parts[kind], "must be global, secure or system, a slash and a key")
    for key in ("on", "off"):
        if key not in parts:
            sheet.wrong(node, f'"{key}" is missing: say which values mean it')
    return Tell(kind, name, sheet.texts(parts.get("on")), sheet.texts(parts.get("off")))


def _all_ways(sheet: Sheet, node: Node | None, systems: tuple[str, ...]) -> Mapping[str, tuple[Way, ...]]:
    if node is None:
        return {}
    found: dict[str, tuple[Way, ...]] = {}
    for task, child in sheet.entries(node, TASKS, TASKS).items():
        found[task] = tuple(_way(sheet, item, systems) for item in sheet.items(child))
        if not any(not way.system and way.apis == _ANY_API for way in found[task]):
            sheet.wrong(child, "needs a last row without system, from and to, for all other phones", at_value=False)
    return found


def _way(sheet: Sheet, node: Node, systems: tuple[str, ...]) -> Way:
    own = ("system", "from", "to") if systems else ("from", "to")
    parts = sheet.entries(node, (*own, *LANGUAGES), LANGUAGES)
    system = sheet.word(parts["system"], systems) if "system" in parts else ""
    taps = {language: sheet.texts(parts[language]) for language in LANGUAGES if language in parts}
    if len({len(said) for said in taps.values()}) > 1:
        sheet.wrong(node, "must have the same number of taps in every language")
    return Way(taps, system, _apis(sheet, parts))
