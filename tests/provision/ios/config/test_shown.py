"""``fleet profile show`` for iPhones and iPads: the plan over a described one, and the configuration itself."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from profiles.schema import Profile
from provision.ios.described import VERSIONS, NoSuchDevice, described
from provision.ios.mobileconfig import IDENTIFIER
from provision.ios.settings import settings
from tests.fleets import Fleet

PROFILE = """\
profile: shown
network: {wifi: [{ssid: A, password: !secret wifi}]}
restrictions: {vpn: deny, camera: deny}
identity: {name: "{tag}", language: vi, skip_setup: all}
"""


@pytest.fixture
def home(tmp_path: Path) -> Fleet:
    (tmp_path / "shown.yaml").write_text(PROFILE, encoding="utf-8")
    (tmp_path / "android.yaml").write_text("profile: a\nrestrictions: {camera: allow}\n", encoding="utf-8")
    return Fleet(tmp_path / "home", 1, {"FLEET_SECRET_WIFI": "hoc-tap-tot"})


def show(home: Fleet, *words: str, file: str = "shown.yaml") -> tuple[int, str, str]:
    done = home("profile", "show", home.home.parent / file, *words)
    assert "hoc-tap-tot" not in done.out + done.err
    return done.code, done.out, done.err


def test_the_configuration_is_printed_with_its_secrets_masked(home: Fleet) -> None:
    code, out, err = show(home, "--device-os", "ios-16", "--mobileconfig")
    assert (code, err) == (0, "")
    content = plistlib.loads(out.encode())
    assert content["PayloadIdentifier"] == IDENTIFIER
    kinds = {payload["PayloadType"]: payload for payload in content["PayloadContent"]}
    assert set(kinds) == {"com.apple.wifi.managed", "com.apple.applicationaccess"}
    assert kinds["com.apple.wifi.managed"]["Password"] == "•••"
    assert "allowVPNCreation" not in kinds["com.apple.applicationaccess"]
    assert "PayloadRemovalDisallowed" not in content
    assert show(home, "--device-os", "ios-16", "--mobileconfig") == (code, out, err)


def test_supervised_it_holds_more_and_cannot_be_removed(home: Fleet) -> None:
    _, out, _ = show(home, "--device-os", "ios-17.5", "--supervised", "--mobileconfig")
    content = plistlib.loads(out.encode())
    (rules,) = (p for p in content["PayloadContent"] if p["PayloadType"] == "com.apple.applicationaccess")
    assert rules["allowVPNCreation"] is False
    assert content["PayloadRemovalDisallowed"] is True


def test_the_plan_says_what_needs_supervision(home: Fleet) -> None:
    done = home("profile", "show", home.home.parent / "shown.yaml", "--device-os", "ios-16", "--json")
    items = {row["item"]: row for row in done.lines}
    assert items["restrictions.vpn"]["state"] == "cannot"
    assert "supervised" in items["restrictions.vpn"]["why"]
    assert (items["restrictions.camera"]["state"], items["restrictions.camera"]["strength"]) == ("step", "C")
    done = home("profile", "show", home.home.parent / "shown.yaml", "--device-os", "ios-16", "--supervised", "--json")
    assert {row["item"]: row["strength"] for row in done.lines}["restrictions.vpn"] == "B"


def test_nothing_to_print_is_said_so(home: Fleet) -> None:
    code, out, err = show(home, "--device-os", "ios-16", "--mobileconfig", file="android.yaml")
    assert (code, out) == (1, "")
    assert "takes nothing of this profile" in err


@pytest.mark.parametrize("words", [("android-13", "--supervised"), ("13", "--mobileconfig")])
def test_android_has_neither(home: Fleet, words: tuple[str, ...]) -> None:
    code, _, err = show(home, "--device-os", *words)
    assert code == 2
    assert "--device-os ios-16" in err


@pytest.mark.parametrize("system", ["ios-11", "ios-19", "ios-", "ios-16.x", "ios-16.1.2.3", "ios", "ios-16\n"])
def test_an_iphone_that_there_is_not(system: str) -> None:
    with pytest.raises(NoSuchDevice) as caught:
        described(system, False)
    assert "ios-12" in caught.value.next_action


@pytest.mark.parametrize("supervised", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_answers_all_that_is_asked(version: str, supervised: bool, tmp_path: Path) -> None:
    """A setting that asks something new gets its answer in described.yaml, else its items cannot be shown."""
    profile = Profile.model_validate(
        {
            "profile": "all",
            "identity": {"name": "A", "language": "vi", "locale": "vi_VN", "time_zone": "Asia/Ho_Chi_Minh"},
            "screen_lock": {"pin": "none"},
            "bench": {"debugging": "off"},
            "restrictions": {"remove": ({"ios": "com.example.game"},)},
        }
    )
    items = described(f"ios-{version}", supervised).plan(profile)
    assert {item.setting for item in items} >= {"supervision", "identity", "restrictions", "configuration", "bench"}
    assert not [item.id for item in items if "does not tell" in item.state.why or "could not be read" in item.state.why]
    assert set(settings(None)) >= {item.setting for item in items}
