"""The table of restrictions: complete, true to what Android has, and mistakes in it told by their place."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.restrictions import Owner, ShellSetting, parse, table
from profiles.strict_yaml import parse as parse_yaml

OWNER_KEYS = Path(__file__).parents[1] / "data" / "profiles" / "owner_keys.txt"

LEFT_OUT = {
    # hidden in Android's API: for the system and root only, on all versions or on some
    *(
        "no_record_audio",
        "no_wallpaper",
        "no_camera",
        "no_oem_unlock",
        "no_run_in_background",
        "disallow_unmute_device",
    ),
    # for work profiles
    *("no_cross_profile_copy_paste", "allow_parent_profile_app_linking", "no_remove_managed_profile"),
    *("no_sharing_into_profile", "no_unified_password"),
    # for networks that the owner has set up itself, which ours does not
    "no_sharing_admin_configured_wifi",
    # nothing that keeps a child from anything: a dark clock on the screen, messages of apps that crashed
    *("no_ambient_display", "no_system_error_dialogs"),
    # it would end the line that a student's device is for
    "no_sim_globally",
}


def android_keys() -> dict[str, int]:
    lines = [line.split() for line in OWNER_KEYS.read_text().splitlines() if not line.startswith("#")]
    return {key: int(api) for api, key in lines}


def test_owner_keys_are_those_of_android_with_their_first_api() -> None:
    known = android_keys()
    used = {row.owner.key: row.owner.api for row in table().values() if row.owner}
    assert used.items() <= known.items()
    assert set(known) - set(used) == LEFT_OUT


def test_no_key_stands_for_two_restrictions() -> None:
    owners = [row.owner.key for row in table().values() if row.owner]
    ios = [row.ios.key for row in table().values() if row.ios]
    assert len(owners) == len(set(owners))
    assert len(ios) == len(set(ios))


@pytest.mark.parametrize("name", table())
def test_every_row_says_enough(name: str) -> None:
    row = table()[name]
    assert row.meaning[0].isupper()
    assert not row.meaning.endswith(".")
    assert row.owner or row.ios, "a restriction that no platform has is none"
    if not row.owner and row.ios:
        assert row.limits, "say why Android has nothing for it"
    assert row.strength == "B", "owner and supervision both end with the next factory reset"
    if row.ios:
        assert row.ios.deny == row.ios.key.startswith("force")
        assert all(part.isdigit() for part in row.ios.min_os.split("."))


def test_the_means_of_a_row() -> None:
    roaming = table()["data_roaming"]
    assert roaming.owner == Owner("no_data_roaming", 24)
    assert roaming.shell == ShellSetting("global", "data_roaming", deny="0", allow="1")
    install = table()["install_apps"].ios
    assert install is not None
    assert (install.key, install.supervised) == ("allowUIAppInstallation", True)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        table()["vpn"] = table()["camera"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        table()["vpn"].meaning = ""  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vpn: deny\n", ["1:1: must be a map"]),
        ("- vpn\n", ["1:1: must be a map of restrictions by name"]),
        ("vpn: {strength: D}\n", ['1:1: "meaning" is missing', "1:17: must be A, B or C"]),
        ("vpn: {meaning: x, strength: B, andriod: {}}\n", ['1:32: unknown key "andriod"']),
        ("vpn: {meaning: 1, strength: B}\n", ["1:16: must be a text"]),
        (
            "vpn:\n  meaning: x\n  strength: B\n  android: {owner: no_x, api: '21', shell: global}\n",
            ["4:31: must be a whole number", "4:37: must be a map"],
        ),
        (
            "vpn:\n  meaning: x\n  strength: B\n  ios: {key: y, from: 9.0}\n",
            ['4:3: "supervised" is missing', "4:23: must be a text"],
        ),
    ],
)
def test_mistakes_are_told_by_their_place(text: str, expected: list[str]) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(parse_yaml(text.encode(), Path("/r.yaml")))
    assert [str(problem).removeprefix("/r.yaml:") for problem in caught.value.problems] == expected
