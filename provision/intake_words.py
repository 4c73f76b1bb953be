"""What an intake says, in three languages: intake_words.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from profiles.once import once
from profiles.strict_yaml import Node, read
from provision.sheet import LANGUAGES, Sheet

FILE = Path(__file__).with_name("intake_words.yaml")

Texts = Mapping[str, str]
"""A text by language."""

GROUPS = ("findings", "ios", "parts", "verdicts", "bench", "donor", "letter", "certificate", "signs")


def say(group: str, key: str, **fills: object) -> dict[str, str]:
    """The text ``key`` in every language, its braces filled. A fill may itself be a text by language."""
    found = {}
    for language, text in words()[group][key].items():
        mine = {name: fill[language] if isinstance(fill, Mapping) else fill for name, fill in fills.items()}
        found[language] = text.format_map(mine)
    return found


def language_of(environment: Mapping[str, str]) -> str:
    """The language of the person at the bench, by the locale (LC_ALL, LC_MESSAGES, LANG): zh, vi, else en."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    language = said[:2].lower()
    return language if language in LANGUAGES else "en"


@once
def words() -> Mapping[str, Mapping[str, Texts]]:
    """All texts by group and key. Raises ProfileError when the file has mistakes."""
    return parse(read(FILE))


def parse(root: Node) -> Mapping[str, Mapping[str, Texts]]:
    """A words file. Raises ProfileError with every mistake at its place."""
    sheet = Sheet()
    groups = sheet.entries(root, GROUPS, GROUPS)
    found = {
        group: {key: sheet.languages(text) for key, text in sheet.entries(node, node.entries).items()}
        for group, node in groups.items()
    }
    sheet.done()
    return found
