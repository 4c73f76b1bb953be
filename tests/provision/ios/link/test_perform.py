"""Every action, done and refused, over the real protocols; what is read back is the virtual device's own state."""

from __future__ import annotations

import plistlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from provision.device import Device
from provision.errors import NoAnswer, Refused, Stopped, Unplugged
from provision.ios import keybag
from provision.ios.actions import (
    PART,
    Activate,
    AskActivation,
    Erase,
    InstallApp,
    InstallProfile,
    RemoveApp,
    RemoveFiles,
    RemoveProfile,
    SendFiles,
    Sent,
    SetValue,
    Supervise,
)
from provision.ios.keybag import Keybag
from provision.ios.questions import CloudConfiguration, Value
from provision.ios.reading import value
from provision.model import Action
from tests.ipas import make_ipa
from tests.provision.ios.link.conftest import Iphones, Start, installed, one

_APP = "org.example.reader"
_PROFILE = "org.schoolbag.configuration"
_UUID = "6F2B7E4C-2D57-4C4C-8E0B-3B7C4F6D1A11"


def do(device: Device, *actions: Action) -> int:
    """Perform them; the bytes that were told as sent."""
    told: list[int] = []
    for action in actions:
        device.perform(action, told.append)
    return sum(told)


def _install(path: Path, bundle: str = _APP) -> InstallApp:
    return InstallApp(bundle, path, path.stat().st_size)


def _profile(uuid: str = _UUID, **more: Any) -> InstallProfile:
    clip = {
        "PayloadType": "com.apple.webClip.managed",
        "PayloadIdentifier": f"{_PROFILE}.clip",
        "PayloadUUID": "0B0E2F6B-9E76-4B55-8E3B-0B2C1F0A7C02",
        "PayloadVersion": 1,
        "URL": "https://school.example",
        "Label": "School",
        "IsRemovable": True,
    }
    content = {
        "PayloadType": "Configuration",
        "PayloadIdentifier": _PROFILE,
        "PayloadUUID": uuid,
        "PayloadVersion": 1,
        "PayloadDisplayName": "School",
        "PayloadContent": [clip],
    }
    return InstallProfile(_PROFILE, uuid, plistlib.dumps(content), **more)


# Values and apps --------------------------------------------------------------------------------------------------


def test_values(iphones: Start) -> None:
    device = iphones("iphone-17").trusted()
    do(device, SetValue("", "DeviceName", "Cặp 7"), SetValue("com.apple.international", "Locale", "vi_VN"))
    assert value(one(device.ask({"": Value("", "DeviceName")}))) == "Cặp 7"
    with pytest.raises(Refused, match="does not let this computer at that value"):
        do(device, SetValue("", "SerialNumber", "1"))


def test_an_app_is_sent_in_pieces_installed_and_removed(iphones: Start, ipa: Path) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    told: list[tuple[int, str]] = []
    device.perform(_install(ipa), lambda count: told.append((count, threading.current_thread().name)))
    assert sum(count for count, _ in told) == ipa.stat().st_size
    assert max(count for count, _ in told) == 1_000_000
    assert {name for _, name in told} == {threading.current_thread().name}
    state = bench.state()
    assert _APP in state["apps"]
    assert not [path for path in state["files"] if path.startswith("media/PublicStaging/")]
    do(device, RemoveApp(_APP))
    assert _APP not in bench.state()["apps"]


@pytest.mark.parametrize(
    ("made", "reason"), [({"signed": False}, "not signed"), ({"devices": ["00008101-0000000000000000"]}, "this device")]
)
def test_an_app_that_the_device_refuses(iphones: Start, tmp_path: Path, made: Any, reason: str) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    bad = make_ipa(tmp_path / "bad.ipa", _APP, **made)
    with pytest.raises(Refused, match=reason) as caught:
        do(device, _install(bad))
    assert caught.value.next_action
    assert caught.value.evidence
    good = make_ipa(tmp_path / "good.ipa", _APP)
    do(device, _install(good))
    assert _APP in bench.state()["apps"]


def test_a_file_that_is_no_app_and_one_that_is_not_there(iphones: Start, tmp_path: Path) -> None:
    device = iphones("iphone-17").trusted()
    (tmp_path / "none.ipa").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(Refused):
        do(device, _install(tmp_path / "none.ipa"))
    with pytest.raises(Refused, match="A file on this computer cannot be used"):
        do(device, InstallApp(_APP, tmp_path / "missing.ipa", 5))


def test_a_full_device_leaves_no_piece_behind(iphones: Start, ipa: Path) -> None:
    bench = iphones("iphone-17", faults=[{"kind": "storage_full"}])
    device = bench.trusted()
    with pytest.raises(Refused, match="The device is full"):
        do(device, _install(ipa))
    assert not [path for path in bench.state()["files"] if path.startswith("media/PublicStaging/")]


def test_unplugged_in_the_middle_and_plugged_in_again(iphones: Start, ipa: Path) -> None:
    fault = {"kind": "unplug", "after_bytes": 1_500_000, "service": "com.apple.afc", "replug_after": 0.3}
    bench = iphones("iphone-17", faults=[fault])
    device = bench.trusted()
    with pytest.raises(Unplugged):
        do(device, _install(ipa))
    while not bench.door.places():
        time.sleep(0.05)
    installed(device, ipa)  # the same device, on a link of its own
    state = bench.state()
    assert _APP in state["apps"]
    assert not [path for path in state["files"] if path.startswith("media/PublicStaging/")]


def test_stopped_in_the_middle(iphones: Start, ipa: Path) -> None:
    bench = iphones("iphone-17", faults=[{"kind": "slow_link", "rate": 500_000}])
    device = bench.trusted()
    threading.Timer(0.5, device.stop).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        do(device, _install(ipa))
    assert time.monotonic() - begun < 2
    with pytest.raises(Stopped):
        device.ask({"": Value("", "SerialNumber")})


def test_usbmuxd_goes_in_the_middle(iphones: Start, ipa: Path) -> None:
    bench = iphones("iphone-17", faults=[{"kind": "slow_link", "rate": 2_000_000}])
    device = bench.trusted()
    threading.Timer(0.4, lambda: bench.order("usbmuxd", on=False)).start()
    with pytest.raises(Unplugged):
        do(device, _install(ipa))
    with pytest.raises(Unplugged, match="usbmuxd"):
        device.ask({"": Value("", "SerialNumber")})


# Files ------------------------------------------------------------------------------------------------------------


def test_a_file_that_was_cut_short_never_has_its_name(iphones: Start, ipa: Path) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    installed(device, ipa)
    bench.order("fault", fault={"kind": "unplug", "after_bytes": 1_500_000, "replug_after": 0.3})
    sending = SendFiles(_APP, (Sent(b"a" * 3_000_000, "Learning/film.mp4", 3_000_000),))
    with pytest.raises(Unplugged):
        do(device, sending)
    home = f"apps/{_APP}/Documents/Learning"
    assert not [path for path in bench.state()["files"] if path.endswith("film.mp4")]
    while not bench.door.places():
        time.sleep(0.05)
    do(device, sending)
    files = bench.state()["files"]
    assert files[f"{home}/film.mp4"]["size"] == 3_000_000
    assert not [path for path in files if path.endswith(PART)]
    do(device, RemoveFiles(_APP, ("Learning/film.mp4", "Learning/never-there")))
    assert f"{home}/film.mp4" not in bench.state()["files"]


def test_nothing_is_sent_beside_the_documents(iphones: Start, ipa: Path) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    installed(device, ipa)
    do(device, SendFiles(_APP, (Sent(b"x", "../../outside", 1),)))
    assert f"apps/{_APP}/Documents/outside" in bench.state()["files"]
    with pytest.raises(Refused, match="not installed, or does not share"):
        do(device, SendFiles("org.example.none", (Sent(b"x", "a", 1),)))


# Configurations ---------------------------------------------------------------------------------------------------


def test_a_queued_profile_is_waited_for(iphones: Start) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    threading.Timer(1.0, lambda: bench.order("tap_install")).start()
    begun = time.monotonic()
    do(device, _profile(seconds=20))
    assert time.monotonic() - begun >= 1
    assert bench.state()["profiles"][_PROFILE]["uuid"] == _UUID
    do(device, RemoveProfile(_PROFILE), RemoveProfile(_PROFILE))
    assert _PROFILE not in bench.state()["profiles"]


def test_a_queued_profile_that_nobody_installs(iphones: Start) -> None:
    device = iphones("iphone-17").trusted()
    with pytest.raises(Refused, match="Nobody installed the configuration") as caught:
        do(device, _profile(seconds=0.5))
    assert "Settings" in caught.value.next_action


def test_a_profile_that_the_device_refuses(iphones: Start) -> None:
    device = iphones("iphone-17").trusted()
    with pytest.raises(Refused) as caught:
        do(device, InstallProfile(_PROFILE, _UUID, b"<no profile>", seconds=1))
    assert "MC" in caught.value.evidence


def test_silent_needs_our_supervision(iphones: Start, our_keybag: Keybag) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    with pytest.raises(Refused, match="no supervision identity"):
        do(device, _profile(silent=True))
    bench.keys.append(our_keybag)
    with pytest.raises(Refused, match="does not accept this bench's supervision identity"):
        do(bench.attach(), _profile(silent=True))


def test_one_that_was_set_up_cannot_be_supervised(iphones: Start, our_keybag: Keybag) -> None:
    bench = iphones("iphone-17")
    bench.keys.append(our_keybag)
    with pytest.raises(Refused, match="set up already") as caught:
        do(bench.trusted(), Supervise())
    assert "--erase" in caught.value.next_action


# From a donor's device to ours ------------------------------------------------------------------------------------


def test_erased_activated_and_supervised(iphones: Start, our_keybag: Keybag) -> None:
    bench = iphones("iphone-18", {"trust": 0, "reboot_seconds": 0.3})
    bench.keys.append(our_keybag)
    device = bench.trusted()
    number = bench.place().number
    esim = _said(device, esim="PhoneNumber")
    assert esim["esim"]
    do(device, AskActivation(), Erase())
    assert bench.place().number != number
    assert bench.state()["erased"] == 1
    assert _said(device, state="ActivationState", esim="PhoneNumber") == {"state": "Unactivated", "esim": esim["esim"]}
    do(device, Activate(), Supervise(("AppleID", "Siri")))
    chaperoned = Value("com.apple.mobile.chaperone", "DeviceIsChaperoned")
    said = {name: value(answer) for name, answer in device.ask({"is": chaperoned, "by": CloudConfiguration()}).items()}
    assert said["is"] is True
    assert said["by"]["OrganizationName"] == "Schoolbag tests"
    assert said["by"]["SupervisorHostCertificates"] == [our_keybag.certificate]
    assert said["by"]["SkipSetup"] == ["AppleID", "Siri"]
    assert "media/iTunes_Control/iTunes/SkipSetup" in bench.state()["files"]
    do(device, _profile(silent=True, seconds=10))
    assert bench.state()["profiles"][_PROFILE]["silent"] is True
    bench.keys.append(keybag.create("Somebody else"))
    with pytest.raises(Refused, match="does not accept this bench's supervision identity"):
        do(bench.attach(), _profile(silent=True))


def _said(device: Device, **keys: str) -> dict[str, Any]:
    answers = device.ask({name: Value("", key) for name, key in keys.items()})
    return {name: value(answer) for name, answer in answers.items()}


def test_what_stands_in_the_way_of_activation(iphones: Start) -> None:
    locked = iphones("iphone-activation-locked", {"trust": 0}).trusted()
    with pytest.raises(Refused, match="needs its owner"):
        do(locked, Activate())


def test_without_internet(iphones: Start) -> None:
    bench = iphones("iphone-17")
    device = bench.trusted()
    bench.order("activation_server", on=False)
    with pytest.raises(Refused, match="needs internet"):
        do(device, AskActivation())


def test_one_whose_user_does_not_let_us_in_after_the_erasing(iphones: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.ios.device._BACK_SECONDS", 1.0)
    bench: Iphones = iphones("iphone-17", {"trust": 0, "reboot_seconds": 30})
    with pytest.raises(NoAnswer, match="did not answer in time"):
        do(bench.trusted(), Erase())
