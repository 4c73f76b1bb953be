"""Installing, listing and removing apps: every answer of a phone, without a cable in between."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import yaml

from provision.virtual.ios import house_arrest, installation_proxy, notification_proxy, springboard
from provision.virtual.ios.phone import Phone, Profile
from tests.ipas import make_ipa
from tests.virtual.ios.inside import Afc, Talk, served
from tests.virtual.ios.wire import exactly

CASES = yaml.safe_load((Path(__file__).parents[2] / "data/virtual/ios/apps.yaml").read_text("utf-8"))["cases"]
BUNDLE = "org.example.reader"
STEPS = [
    (5, "CreatingStagingDirectory"),
    (15, "ExtractingPackage"),
    (20, "InspectingPackage"),
    (20, "TakingInstallLock"),
    (30, "PreflightingApplication"),
    (30, "InstallingEmbeddedProfile"),
    (40, "VerifyingApplication"),
    (50, "CreatingContainer"),
    (60, "InstallingApplication"),
    (70, "PostflightingApplication"),
    (80, "SandboxingApplication"),
    (90, "GeneratingApplicationMap"),
]


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone("iphone-17", {}, tmp_path / "phone")


def install(phone: Phone, package: str = "PublicStaging/a.ipa", **options: Any) -> list[dict[str, Any]]:
    with served(installation_proxy.serve, phone) as sock:
        return Talk(sock).all_of({"Command": "Install", "PackagePath": package, "ClientOptions": options})


def stage(phone: Phone, **made: Any) -> Path:
    """An IPA where computers put them."""
    return make_ipa(phone.home / "media/PublicStaging/a.ipa", made.pop("bundle", BUNDLE), **made)


def listed(phone: Phone, command: str = "Browse", **options: Any) -> list[dict[str, Any]]:
    with served(installation_proxy.serve, phone) as sock:
        return Talk(sock).all_of({"Command": command, "ClientOptions": options})


# What is taken and what is refused --------------------------------------------------------------------------------


def prepare(phone: Phone, case: Mapping[str, Any]) -> None:
    made = dict(case.get("make", {}))
    if isinstance(made.get("devices"), list):
        made["devices"] = [phone.udid if device == "UDID" else device for device in made["devices"]]
    if "expires" in made:
        made["expires"] = datetime.combine(made["expires"], time(), UTC)
    path = stage(phone, **made)
    if "file" in case:
        path.write_text(case["file"])
    if "zip" in case:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in case["zip"].items():
                archive.writestr(name, text)
    if "cut" in case:
        path.write_bytes(path.read_bytes()[: case["cut"]])
    if case.get("damage"):
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 0xFF
        path.write_bytes(data)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    phone = Phone(case.get("preset", "iphone-17"), case.get("state", {}), tmp_path / "phone")
    if "before" in case:
        stage(phone, **case["before"])
        assert install(phone)[-1] == {"Status": "Complete"}
    prepare(phone, case)
    phone.restrictions |= case.get("restrictions", {})

    answers = install(phone, case.get("path", "/PublicStaging/a.ipa"), **case.get("options", {}))

    assert answers[-1].get("Error", "") == case["error"]
    if not case["error"]:
        assert phone.apps[BUNDLE].version == case.get("make", {}).get("version", "1.0")
        return
    steps = [answer["Status"] for answer in answers[:-1]]
    assert steps[-1:] == ([case["last"]] if "last" in case else [])
    assert case.get("says", "") in answers[-1]["ErrorDescription"]
    detail = answers[-1].get("ErrorDetail")
    assert (f"{detail & 0xFFFFFFFF:x}" if detail is not None else None) == case.get("code")
    assert ("before" in case) == (BUNDLE in phone.apps)


@pytest.mark.parametrize(("version", "statusless"), [("12.5.7", [{"CFBundleIdentifier": BUNDLE}]), ("17.7.2", [])])
def test_the_steps_are_those_of_the_real_capture(
    tmp_path: Path, version: str, statusless: list[dict[str, Any]]
) -> None:
    phone = Phone("iphone-17", {"values": {"": {"ProductVersion": version}}}, tmp_path / "phone")
    stage(phone)
    answers = install(phone)
    assert answers == [
        *({"PercentComplete": percent, "Status": name} for percent, name in STEPS),
        *statusless,
        {"Status": "Complete"},
    ]
    assert not (phone.home / "media/PublicStaging/a.ipa").exists()


def test_a_store_app_has_no_profile_to_install(phone: Phone) -> None:
    stage(phone, drm=True)
    steps = [answer.get("Status") for answer in install(phone, ApplicationSINF=b"sinf")]
    assert "InstallingEmbeddedProfile" not in steps
    assert steps[-1] == "Complete"


def test_answers_are_binary_property_lists(phone: Phone) -> None:
    with served(installation_proxy.serve, phone) as sock:
        Talk(sock).send({"Command": "Lookup"})
        exactly(sock, 4)
        assert exactly(sock, 8) == b"bplist00"


def test_a_fault_refuses_everything(phone: Phone) -> None:
    stage(phone)
    phone.install_refused = "ApplicationVerificationFailed"
    assert install(phone)[-1]["Error"] == "ApplicationVerificationFailed"


def test_documents_outlive_an_upgrade_and_end_with_the_app(phone: Phone) -> None:
    stage(phone)
    install(phone)
    page = phone.home / "apps" / BUNDLE / "Documents/page.txt"
    page.write_text("read me")
    stage(phone, version="2", size=1_000_000)
    with served(installation_proxy.serve, phone) as sock:
        asked = {"Command": "Upgrade", "PackagePath": "PublicStaging/a.ipa", "ClientOptions": {}}
        assert Talk(sock).all_of(asked)[-1] == {"Status": "Complete"}
        assert page.read_text() == "read me"
        assert (phone.apps[BUNDLE].version, phone.apps[BUNDLE].size > 1_000_000) == ("2", True)

        answers = Talk(sock).all_of({"Command": "Uninstall", "ApplicationIdentifier": BUNDLE})
        assert [answer["Status"] for answer in answers] == [
            "RemovingApplication",
            "GeneratingApplicationMap",
            "Complete",
        ]
        assert not page.parent.exists()
        assert BUNDLE not in phone.apps
        assert Talk(sock).all_of({"Command": "Uninstall", "ApplicationIdentifier": BUNDLE})[-1] == {
            "Status": "Complete"
        }


def test_what_may_not_be_removed(phone: Phone) -> None:
    stage(phone)
    install(phone)
    phone.restrictions["allowAppRemoval"] = False
    with served(installation_proxy.serve, phone) as sock:
        for bundle in (BUNDLE, "com.apple.Preferences"):
            answer = Talk(sock).all_of({"Command": "Uninstall", "ApplicationIdentifier": bundle})
            assert answer[-1]["Error"] == "UninstallProhibited"
        assert Talk(sock).all_of({"Command": "Uninstall"})[-1]["Error"] == "MissingApplicationIdentifier"
        assert Talk(sock).all_of({"Command": "Dance"})[-1]["Error"] == "UnknownCommand"
        assert Talk(sock).all_of(["Browse"])[-1]["Error"] == "MissingCommand"


def test_an_app_takes_its_time_and_its_room(tmp_path: Path) -> None:
    phone = Phone("iphone-17", {"install_seconds_per_mb": 0.2}, tmp_path / "phone")
    free = phone.free()
    stage(phone, size=1_500_000)
    started = monotonic()
    assert install(phone)[-1] == {"Status": "Complete"}
    assert 0.3 <= monotonic() - started < 8
    assert free - phone.free() == phone.apps[BUNDLE].size > 1_500_000


def test_an_installation_goes_on_when_the_computer_has_gone(tmp_path: Path) -> None:
    phone = Phone("iphone-17", {"install_seconds_per_mb": 0.3}, tmp_path / "phone")
    stage(phone, size=1_000_000)
    with served(installation_proxy.serve, phone) as sock:
        Talk(sock).send({"Command": "Install", "PackagePath": "PublicStaging/a.ipa"})
        assert Talk(sock).read()["PercentComplete"] == 5
    assert BUNDLE in phone.apps


def test_a_package_that_is_taken_away_meanwhile_is_refused(tmp_path: Path) -> None:
    phone = Phone("iphone-17", {"install_seconds_per_mb": 0.3}, tmp_path / "phone")
    path = stage(phone, size=1_000_000)
    with served(installation_proxy.serve, phone) as sock:
        Talk(sock).send({"Command": "Install", "PackagePath": "PublicStaging/a.ipa"})
        assert Talk(sock).read()["PercentComplete"] == 5
        path.unlink()
        answers = [Talk(sock).read()]
        while "Error" not in answers[-1]:
            answers.append(Talk(sock).read())
    assert BUNDLE not in phone.apps


# What it lists ----------------------------------------------------------------------------------------------------


def test_apps_are_listed_in_portions(phone: Phone) -> None:
    stage(phone, shares_files=True, title="Reader", min_os="13.0")
    install(phone)
    answers = listed(phone)
    assert answers[-1] == {"Status": "Complete"}
    assert len(answers) > 2
    apps = [app for answer in answers[:-1] for app in answer["CurrentList"]]
    assert [answer["CurrentIndex"] for answer in answers[:-1]] == list(range(0, len(apps), 10))
    assert [answer["CurrentAmount"] for answer in answers[:-1]] == [
        len(answer["CurrentList"]) for answer in answers[:-1]
    ]
    assert {app["CFBundleIdentifier"] for app in apps} == phone.apps.keys()
    (reader,) = (app for app in apps if app["CFBundleIdentifier"] == BUNDLE)
    assert (
        reader.items()
        >= {
            "ApplicationType": "User",
            "CFBundleDisplayName": "Reader",
            "CFBundleVersion": "1.0",
            "MinimumOSVersion": "13.0",
            "UIFileSharingEnabled": True,
            "ProfileValidated": True,
            "UPPValidated": True,
        }.items()
    )
    assert "StaticDiskUsage" not in reader


def test_only_what_was_asked_for_is_listed(phone: Phone) -> None:
    stage(phone)
    install(phone)
    (phone.home / "apps" / BUNDLE / "Documents/page.txt").write_text("12345")
    wanted = ["CFBundleIdentifier", "StaticDiskUsage", "DynamicDiskUsage"]
    answers = listed(phone, ApplicationType="User", ReturnAttributes=wanted)
    size = phone.apps[BUNDLE].size
    assert answers[0]["CurrentList"] == [
        {"CFBundleIdentifier": BUNDLE, "StaticDiskUsage": size, "DynamicDiskUsage": 5},
    ]
    (found,) = listed(phone, "Lookup", BundleIDs=[BUNDLE, "org.nobody"], ReturnAttributes=wanted)
    assert list(found["LookupResult"]) == [BUNDLE]
    (found,) = listed(phone, "Lookup", ApplicationType="System")
    assert BUNDLE not in found["LookupResult"]


# Their files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "command", "bundle", "error"),
    [
        ({"shares_files": True}, "VendDocuments", BUNDLE, None),
        ({}, "VendDocuments", BUNDLE, "InstallationLookupFailed"),
        ({"devices": "UDID"}, "VendContainer", BUNDLE, None),
        ({"shares_files": True}, "VendContainer", BUNDLE, "InstallationLookupFailed"),
        ({}, "VendDocuments", "org.nobody", "ApplicationLookupFailed"),
        ({}, "VendDocuments", "com.apple.camera", "InstallationLookupFailed"),
        ({}, "VendEverything", BUNDLE, "UnknownCommand"),
        ({}, "VendDocuments", 7, "MissingIdentifier"),
        ({}, None, BUNDLE, "MissingCommand"),
    ],
)
def test_the_way_into_an_app(
    made: dict[str, Any], command: str | None, bundle: object, error: str | None, phone: Phone
) -> None:
    if made.get("devices"):
        made = {"devices": [phone.udid]}
    stage(phone, **made)
    install(phone)
    with served(house_arrest.serve, phone) as sock:
        asked = {"Identifier": bundle} | ({"Command": command} if command else {})
        Talk(sock).send(asked)
        answer = Talk(sock).read()
        if error:
            assert answer == {"Error": error}
            assert sock.recv(1) == b""
            return
        assert answer == {"Status": "Complete"}
        afc = Afc(sock)
        assert afc.status("mkdir", "/Documents/Learning") == 0
        assert afc.status("list", "/Library") == (10 if command == "VendDocuments" else 0)
        assert afc.status("remove_tree", "/Documents") == (10 if command == "VendDocuments" else 0)
        assert afc.status("list", "/Documents/../../other") == 10


# Notifications, the home screen -----------------------------------------------------------------------------------


def test_who_asked_is_told_and_nobody_else(phone: Phone) -> None:
    installed = "com.apple.mobile.application_installed"
    with served(notification_proxy.serve, phone) as sock, served(notification_proxy.serve, phone) as other:
        for one, name in ((sock, installed), (other, "com.apple.mobile.application_uninstalled")):
            Talk(one).send({"Command": "ObserveNotification", "Name": name})
            Talk(one).send({"Command": "ObserveNotification", "Name": "ready"})
        for one in (sock, other):
            Talk(one).send({"Command": "PostNotification", "Name": "ready"})
            assert Talk(one).read() == {"Command": "RelayNotification", "Name": "ready"}
        stage(phone)
        install(phone)
        # The other is told of what both asked for, perhaps twice, and never of the app.
        Talk(other).send({"Command": "Shutdown"})
        told = [Talk(other).read()]
        while told[-1]["Command"] != "ProxyDeath":
            told.append(Talk(other).read())
        assert all(row.get("Name") in ("ready", None) for row in told)
        told = [Talk(sock).read()]
        while told[-1]["Name"] == "ready":
            told.append(Talk(sock).read())
        assert told[-1] == {"Command": "RelayNotification", "Name": installed}


def test_icons_stay_where_they_are_put_and_new_ones_come_last(phone: Phone) -> None:
    with served(springboard.serve, phone) as sock:
        talk = Talk(sock)
        talk.send({"command": "getIconState", "formatVersion": "2"})
        before = talk.read()
        dock = [icon["displayIdentifier"] for icon in before[0]]
        assert dock == ["com.apple.MobileSMS", "com.apple.mobilesafari", "com.apple.facetime", "com.apple.camera"]
        moved = [before[0][::-1], *before[1:]]
        talk.send({"command": "setIconState", "iconState": moved})
        assert exactly(sock, 4) == bytes(4)
        stage(phone)
        install(phone)
        talk.send({"command": "getIconState"})
        after = talk.read()
        assert after[:2] == moved
        assert [icon["displayIdentifier"] for icon in after[2]] == [BUNDLE]


def test_a_layout_of_a_profile_settles_where_icons_are(phone: Phone) -> None:
    clip = {"PayloadType": "com.apple.webClip.managed", "PayloadUUID": "1", "URL": "https://k.example", "Label": "K"}
    layout = {
        "PayloadType": "com.apple.homescreenlayout",
        "Dock": [{"Type": "Application", "BundleID": "com.apple.camera"}],
        "Pages": [[{"Type": "WebClip", "URL": "https://k.example"}, {"Type": "Application", "BundleID": "org.none"}]],
    }
    phone.profiles["org.schoolbag"] = Profile("org.schoolbag", "U", "N", {"PayloadContent": [clip, layout]})
    with served(springboard.serve, phone) as sock:
        Talk(sock).send({"command": "setIconState", "iconState": [[], []]})
        assert exactly(sock, 4) == bytes(4)
        Talk(sock).send({"command": "getIconState"})
        state = Talk(sock).read()
    assert [icon["displayIdentifier"] for icon in state[0]] == ["com.apple.camera"]
    assert [icon["webClipURL"] for icon in state[1]] == ["https://k.example"]
    assert sum(map(len, state)) == len(phone.apps) + 1


def test_what_is_no_layout_changes_nothing(phone: Phone) -> None:
    with served(springboard.serve, phone) as sock:
        for wanted in ({"no": "layout"}, [1], "dock"):
            Talk(sock).send({"command": "setIconState", "iconState": wanted})
            assert exactly(sock, 4) == bytes(4)
        Talk(sock).send({"command": "dance"})
        assert Talk(sock).read() == {"error": "unknown command"}
        Talk(sock).send({"command": "getIconState"})
        assert len(Talk(sock).read()[0]) == 4
