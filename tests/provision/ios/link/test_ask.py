"""Every question, answered and refused, over the real protocols."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from provision.errors import NotReady, Unplugged
from provision.ios.actions import SendFiles, Sent
from provision.ios.questions import (
    Activation,
    Apps,
    CloudConfiguration,
    Profiles,
    Question,
    Registry,
    Shared,
    SharedFile,
    Value,
)
from provision.ios.reading import value
from tests.provision.ios.link.conftest import Iphones, Start, installed, one

_APP = "org.example.reader"


def test_all_questions_at_once(iphone: Iphones) -> None:
    device = iphone.trusted()
    questions: dict[str, Question] = {
        "serial": Value("", "SerialNumber"),
        "locale": Value("com.apple.international", "Locale"),
        "battery": Value("com.apple.mobile.battery"),
        "power": Registry("IOPMPowerSource"),
        "gauge": Registry(name="AppleSmartBattery"),
        "apps": Apps(),
        "profiles": Profiles(),
        "cloud": CloudConfiguration(),
        "activation": Activation(),
    }
    said = {name: value(answer) for name, answer in device.ask(questions).items()}
    assert said["serial"] == iphone.one.serial
    assert said["locale"] == "vi_VN"
    assert said["battery"]["BatteryCurrentCapacity"] == 84
    assert said["power"]["CycleCount"] == said["gauge"]["CycleCount"] == 312
    assert said["apps"]["com.apple.mobilesafari"]["ApplicationType"] == "System"
    assert said["profiles"] == {"OrderedIdentifiers": [], "ProfileManifest": {}, "ProfileMetadata": {}}
    assert said["cloud"]["IsSupervised"] is False
    assert said["activation"] == "Activated"


def test_equal_questions_are_asked_once(iphone: Iphones) -> None:
    device = iphone.trusted()
    before = iphone.state()["opened"]
    answers = device.ask({str(at): (Apps(), Activation())[at % 2] for at in range(6)})
    after = iphone.state()["opened"]
    services = ("com.apple.mobile.installation_proxy", "com.apple.mobileactivationd")
    assert [after[name] - before.get(name, 0) for name in services] == [1, 1]
    assert len(answers) == 6


def test_what_is_not_there_is_refused_in_the_device_s_word(iphones: Start) -> None:
    device = iphones("ipad-nosim").trusted()
    questions: dict[str, Question] = {
        "key": Value("", "NoSuchKey"),
        "domain": Value("com.example.none", "Key"),
        "app": Shared("org.example.none", "Learning"),
        "file": SharedFile("org.example.none", "Learning/a"),
        "closed": Shared("com.apple.mobilesafari", ""),
    }
    answers = device.ask(questions)
    assert {answer.code for answer in answers.values()} == {1}
    assert answers["key"].text == answers["domain"].text == "MissingValue"
    assert answers["app"].text == answers["file"].text
    assert "LookupFailed" in answers["app"].text
    assert answers["closed"].text


def test_files_that_an_app_shares(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    installed(device, ipa)
    assert value(one(device.ask({"": Shared(_APP, "Learning")}))) == []
    files = (
        Sent(b"one", "Learning/a.txt", 3, 1_700_000_000),
        Sent(b"\0" * 2_500_000, "Learning/Toán học/ б.bin", 2_500_000, 1_700_000_001),
        Sent(b"", "elsewhere", 0, None),
    )
    told: list[int] = []
    device.perform(SendFiles(_APP, files), told.append)
    assert sum(told) == 2_500_003
    asked = {"plain": Shared(_APP, "Learning"), "deep": Shared(_APP, "Learning", True), "all": Shared(_APP, "")}
    said = {name: value(answer) for name, answer in device.ask(asked).items()}
    assert {"path": "a.txt", "size": 3, "time": 1_700_000_000} in said["plain"]
    assert {"path": "Toán học/ б.bin", "size": 2_500_000, "time": 1_700_000_001} in said["plain"]
    assert len(said["plain"]) == 2
    assert {"Learning/" + row["path"]: row["sha256"] for row in said["deep"]} == {
        file.remote: hashlib.sha256(file.source).hexdigest() for file in files[:2] if isinstance(file.source, bytes)
    }
    assert {row["path"] for row in said["all"]} == {"Learning/a.txt", "Learning/Toán học/ б.bin", "elsewhere"}
    contents = device.ask({"small": SharedFile(_APP, "Learning/a.txt"), "large": SharedFile(_APP, files[1].remote)})
    assert value(contents["small"]) == b"one"
    assert (contents["large"].code, contents["large"].text) == (1, "TooLarge")


def test_one_that_has_locked_itself_is_still_asked(iphone: Iphones) -> None:
    """By the escrow bag of its record; without it nothing but values can be had."""
    device = iphone.trusted()
    iphone.order("lock")
    assert value(one(device.ask({"": Activation()}))) == "Activated"


def test_one_whose_trust_was_taken_back(iphones: Start) -> None:
    bench = iphones("iphone-17", {"trust": 0})
    device = bench.trusted()
    subprocess.run(["idevicepair", "-u", bench.one.address, "unpair"], check=True, capture_output=True, timeout=60)
    with pytest.raises(NotReady, match="does not trust this computer"):
        device.ask({"": Value("", "SerialNumber")})


def test_one_that_goes_while_it_is_asked(iphone: Iphones) -> None:
    device = iphone.trusted()
    fault = {"kind": "unplug", "service": "com.apple.mobile.installation_proxy", "at_service": 1}
    iphone.order("fault", fault=fault)
    with pytest.raises(Unplugged):
        device.ask({"apps": Apps(), "profiles": Profiles(), "activation": Activation()})
