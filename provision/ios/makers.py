"""What people have to do on this device, and what to tap on this version of iOS (makers.yaml; facts, iOS §1).

iOS has one maker and no switches that the bench depends on and could read: Stolen Device Protection, which holds back
profiles away from home, cannot be read. So there are ways here, and no quirks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from profiles.once import once
from profiles.schema import Profile
from profiles.strict_yaml import Node, read
from provision.ios.questions import Question
from provision.model import Identity, Makers, Taps
from provision.setting import Answer
from provision.sheet import LANGUAGES, Sheet

FILE = Path(__file__).with_name("makers.yaml")

TASKS = (
    "trust",
    "trust_undone",
    "unlock",
    "install_profile",
    "find_my_off",
    "remove_accounts",
    "remove_management",
    "remove_screen_lock",
    "reset",
    "activate",
    "trust_developer",
    "free_storage",
    "update",
)
"""What people may have to do; the ways of makers.yaml say how. Those of Android's names mean the same here."""

_ANY = (0, 99)
_CLASSES = ("iPad", "iPod")


@dataclass(frozen=True)
class Way:
    """Taps by language, between two versions of iOS."""

    taps: Taps
    versions: tuple[int, int] = _ANY


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Version and kind of device are known already."""
    return {}


def parse(_answers: Mapping[str, Answer], _profile: Profile, identity: Identity) -> Makers:
    """See :class:`provision.model.Makers`."""
    kind = identity.properties.get("DeviceClass", "")
    return Makers(ways={task: taps(task, identity.api, kind) for task in TASKS})


def taps(task: str, version: int = 0, device_class: str = "") -> Taps:
    """What to tap for ``task`` on iOS ``version`` (0: not known, taken for a new one); also before it was let in."""
    device = device_class if device_class in _CLASSES else "iPhone"
    newest = version or _ANY[1]
    way = next(way for way in rows()[task] if way.versions[0] <= newest <= way.versions[1])
    return {language: tuple(line.replace("{device}", device) for line in lines) for language, lines in way.taps.items()}


@once
def rows() -> Mapping[str, tuple[Way, ...]]:
    """Our makers.yaml. Raises ProfileError when the file has mistakes."""
    return parse_file(read(FILE))


def parse_file(root: Node) -> Mapping[str, tuple[Way, ...]]:
    """A makers file. Raises ProfileError with every mistake at its place."""
    sheet = Sheet()
    ways = sheet.entries(root, ("ways",), ("ways",)).get("ways")
    found: dict[str, tuple[Way, ...]] = {}
    for task, node in (sheet.entries(ways, TASKS, TASKS) if ways else {}).items():
        found[task] = tuple(_way(sheet, item) for item in sheet.items(node))
        if not found[task] or found[task][-1].versions != _ANY:
            sheet.wrong(node, "needs a last row without from and to, for all other versions", at_value=False)
    sheet.done()
    return found


def _way(sheet: Sheet, node: Node) -> Way:
    parts = sheet.entries(node, ("from", "to", *LANGUAGES), LANGUAGES)
    least, most = (sheet.number(parts.get(key), 1, 99, _ANY[at]) for at, key in enumerate(("from", "to")))
    if least > most:
        sheet.wrong(parts["to"], '"to" is lower than "from"')
    lines = {language: sheet.texts(parts[language]) for language in LANGUAGES if language in parts}
    if len({len(said) for said in lines.values()}) > 1:
        sheet.wrong(node, "must have the same number of taps in every language")
    return Way(lines, (least, most))
