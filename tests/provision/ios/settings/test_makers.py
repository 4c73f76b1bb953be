"""What people have to tap on an iPhone or iPad: every task, every version, three languages; mistakes at their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.schema import Profile
from profiles.strict_yaml import read
from provision.ios import makers
from provision.ios.makers import TASKS, taps
from provision.model import Identity
from provision.sheet import LANGUAGES


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("version", [0, 9, 12, 15, 18, 26])
def test_there_is_something_to_tap(task: str, version: int) -> None:
    found = taps(task, version, "iPad")
    assert set(found) == set(LANGUAGES)
    assert all(lines and all(line.strip() for line in lines) for lines in found.values())
    assert not [line for lines in found.values() for line in lines if "{" in line or "iPhone" in line]


def test_menus_are_those_of_the_version() -> None:
    assert "Reset › Reset Location" in taps("trust_undone", 12)["en"][0]
    assert "Transfer or Reset iPad" in taps("trust_undone", 15, "iPad")["en"][0]
    assert taps("reset") == taps("reset", 18, "iPhone"), "one that has not said what it is, is taken for a new iPhone"


def test_the_reader_gives_the_ways_of_this_device_and_no_quirks() -> None:
    who = Identity("ios", "F1", "Apple", "iPad", "15.8", 15, properties={"DeviceClass": "iPad"})
    found = makers.parse({}, Profile(profile="case"), who)
    assert set(found.ways) == set(TASKS)
    assert found.ways["reset"] == taps("reset", 15, "iPad")
    assert found.quirks == ()


def test_mistakes_of_the_file_are_told_at_their_place(tmp_path: Path) -> None:
    file = tmp_path / "makers.yaml"
    text = makers.FILE.read_text(encoding="utf-8")
    file.write_text(text.replace("  unlock:\n    - en:", "  unlok:\n    - en:"), encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        makers.parse_file(read(file))
    assert 'unknown key "unlok" (did you mean "unlock"?)' in str(caught.value)

    file.write_text(text.replace("    - to: 14\n", "    - {to: 14}\n", 1), encoding="utf-8")
    with pytest.raises(ProfileError):
        makers.parse_file(read(file))

    file.write_text("ways:\n  trust:\n    - {from: 9, to: 3, en: [a], zh: [b, c], vi: [d]}\n", encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        makers.parse_file(read(file))
    said = str(caught.value)
    assert '"to" is lower than "from"' in said
    assert "the same number of taps in every language" in said
    assert "needs a last row without from and to" in said
    assert '"reset" is missing' in said
