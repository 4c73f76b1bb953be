"""Every action, done and refused, over the real protocols; what is read back is the virtual device's own state."""

from __future__ import annotations

import plistlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from provision.device import Device
from provision.errors import DeviceError, NoAnswer, Refused, Stopped, Unplugged
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


def test_values(iphone: Iphones) -> None:
    device = iphone.trusted()
    do(device, SetValue("", "DeviceName", "Cặp 7"), SetValue("com.apple.international", "Locale", "vi_VN"))
    assert value(one(device.ask({"": Value("", "DeviceName")}))) == "Cặp 7"
    with pytest.raises(Refused, match="does not let this computer at that value"):
        do(device, SetValue("", "SerialNumber", "1"))


def test_an_app_is_sent_in_pieces_installed_and_removed(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    told: list[tuple[int, str]] = []
    device.perform(_install(ipa), lambda count: told.append((count, threading.current_thread().name)))
    assert sum(count for count, _ in told) == ipa.stat().st_size
    assert {name for _, name in told} == {threading.current_thread().name}
    state = iphone.state()
    assert _APP in state["apps"]
    assert not [path for path in state["files"] if path.startswith("media/PublicStaging/")]
    do(device, RemoveApp(_APP))
    assert _APP not in iphone.state()["apps"]


@pytest.mark.parametrize(
    ("made", "reason"), [({"signed": False}, "not signed"), ({"devices": ["00008101-0000000000000000"]}, "this device")]
)
def test_an_app_that_the_device_refuses(iphone: Iphones, tmp_path: Path, made: Any, reason: str) -> None:
    device = iphone.trusted()
    bad = make_ipa(tmp_path / "bad.ipa", _APP, **made)
    with pytest.raises(Refused, match=reason) as caught:
        do(device, _install(bad))
    assert caught.value.next_action
    assert caught.value.evidence
    good = make_ipa(tmp_path / "good.ipa", _APP)
    do(device, _install(good))
    assert _APP in iphone.state()["apps"]


def test_a_file_that_is_no_app_and_one_that_is_not_there(iphone: Iphones, tmp_path: Path) -> None:
    device = iphone.trusted()
    (tmp_path / "none.ipa").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(Refused):
        do(device, _install(tmp_path / "none.ipa"))
    with pytest.raises(Refused, match="A file on this computer cannot be used"):
        do(device, InstallApp(_APP, tmp_path / "missing.ipa", 5))


def test_a_full_device_leaves_no_piece_behind(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    iphone.order("fault", fault={"kind": "storage_full"})
    with pytest.raises(Refused, match="The device is full"):
        do(device, _install(ipa))
    assert not [path for path in iphone.state()["files"] if path.startswith("media/PublicStaging/")]


def test_unplugged_in_the_middle_and_plugged_in_again(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    number = iphone.place().number
    fault = {"kind": "unplug", "after_bytes": 1_500_000, "service": "com.apple.afc", "replug_after": 0.3}
    iphone.order("fault", fault=fault)
    with pytest.raises(Unplugged):
        do(device, _install(ipa))
    iphone.place(other_than=number)
    installed(device, ipa)  # the same device, on a link of its own
    state = iphone.state()
    assert _APP in state["apps"]
    assert not [path for path in state["files"] if path.startswith("media/PublicStaging/")]


def test_stopped_in_the_middle(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    iphone.order("fault", fault={"kind": "slow_link", "rate": 200_000})
    threading.Timer(0.5, device.stop).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        do(device, _install(ipa))
    assert time.monotonic() - begun < 12, "the rest would have taken longer than that"
    with pytest.raises(Stopped):
        device.ask({"": Value("", "SerialNumber")})


def test_what_befalls_one_leaves_the_others_alone(iphones: Start, ipa: Path) -> None:
    """All on one loop: one is pulled out, one falls silent, one is full, one is stopped, and one is filled."""
    bench = iphones("iphone-17", count=5)
    devices = [bench.trusted(at) for at in range(5)]
    bench.order("fault", 0, fault={"kind": "unplug", "after_bytes": 1_000_000})
    bench.order("fault", 1, fault={"kind": "silent", "after_bytes": 1_000_000})
    bench.order("fault", 2, fault={"kind": "storage_full"})
    bench.order("fault", 3, fault={"kind": "slow_link", "rate": 50_000})

    def work(at: int) -> type[BaseException] | None:
        try:
            do(devices[at], _install(ipa))
        except DeviceError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(work, at) for at in range(5)]
        assert running[4].result(60) is None
        assert running[0].result(60) is Unplugged
        assert running[2].result(60) is Refused
        for at in (1, 3):
            assert not running[at].done()
            devices[at].stop()
            assert running[at].result(60) is Stopped
    assert _APP in bench.state(4)["apps"]


# Files ------------------------------------------------------------------------------------------------------------


def test_a_file_that_was_cut_short_never_has_its_name(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    installed(device, ipa)
    number = iphone.place().number
    iphone.order("fault", fault={"kind": "unplug", "after_bytes": 1_500_000, "replug_after": 0.3})
    sending = SendFiles(_APP, (Sent(b"a" * 3_000_000, "Learning/film.mp4", 3_000_000),))
    with pytest.raises(Unplugged):
        do(device, sending)
    home = f"apps/{_APP}/Documents/Learning"
    assert not [path for path in iphone.state()["files"] if path.endswith("film.mp4")]
    iphone.place(other_than=number)
    do(device, sending)
    files = iphone.state()["files"]
    assert files[f"{home}/film.mp4"]["size"] == 3_000_000
    assert not [path for path in files if path.endswith(PART)]
    do(device, RemoveFiles(_APP, ("Learning/film.mp4", "Learning/never-there")))
    assert f"{home}/film.mp4" not in iphone.state()["files"]


def test_nothing_is_sent_beside_the_documents(iphone: Iphones, ipa: Path) -> None:
    device = iphone.trusted()
    installed(device, ipa)
    do(device, SendFiles(_APP, (Sent(b"x", "../../outside", 1),)))
    assert f"apps/{_APP}/Documents/outside" in iphone.state()["files"]
    with pytest.raises(Refused, match="not installed, or does not share"):
        do(device, SendFiles("org.example.none", (Sent(b"x", "a", 1),)))


# Configurations ---------------------------------------------------------------------------------------------------


def test_a_queued_profile_is_waited_for(iphone: Iphones) -> None:
    device = iphone.trusted()
    with iphone.person("waiting", "tap_install"):
        do(device, _profile(seconds=20))
    assert iphone.state()["profiles"][_PROFILE]["uuid"] == _UUID
    do(device, RemoveProfile(_PROFILE), RemoveProfile(_PROFILE))
    assert _PROFILE not in iphone.state()["profiles"]


def test_a_queued_profile_that_nobody_installs(iphone: Iphones) -> None:
    device = iphone.trusted()
    with pytest.raises(Refused, match="Nobody installed the configuration") as caught:
        do(device, _profile(seconds=0.5))
    assert "Settings" in caught.value.next_action


def test_a_profile_that_the_device_refuses(iphone: Iphones) -> None:
    device = iphone.trusted()
    with pytest.raises(Refused) as caught:
        do(device, InstallProfile(_PROFILE, _UUID, b"<no profile>", seconds=1))
    assert "MC" in caught.value.evidence


def test_silent_needs_our_supervision(iphone: Iphones, our_keybag: Keybag) -> None:
    device = iphone.trusted()
    with pytest.raises(Refused, match="no supervision identity"):
        do(device, _profile(silent=True))
    iphone.keys.append(our_keybag)
    with pytest.raises(Refused, match="does not accept this bench's supervision identity"):
        do(iphone.attach(), _profile(silent=True))


def test_one_that_was_set_up_cannot_be_supervised(iphone: Iphones, our_keybag: Keybag) -> None:
    iphone.keys.append(our_keybag)
    with pytest.raises(Refused, match="set up already") as caught:
        do(iphone.trusted(), Supervise())
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


def test_without_internet(iphone: Iphones) -> None:
    device = iphone.trusted()
    iphone.order("activation_server", on=False)
    try:
        with pytest.raises(Refused, match="needs internet"):
            do(device, AskActivation())
    finally:
        iphone.order("activation_server", on=True)


def test_one_whose_user_does_not_let_us_in_after_the_erasing(iphones: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.ios.device._BACK_SECONDS", 1.0)
    bench = iphones("iphone-17", {"trust": 0, "reboot_seconds": 30})
    with pytest.raises(NoAnswer, match="did not answer in time"):
        do(bench.trusted(), Erase())
