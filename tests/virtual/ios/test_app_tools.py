"""Apps and files of virtual iPhones by programs that technicians have: Debian's ideviceinstaller, pymobiledevice3."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymobiledevice3.exceptions import (
    AfcException,
    AfcFileNotFoundError,
    AppInstallError,
    AppNotInstalledError,
    ConnectionTerminatedError,
)
from pymobiledevice3.lockdown import LockdownClient
from pymobiledevice3.services.afc import AfcError, AfcService
from pymobiledevice3.services.house_arrest import HouseArrestService
from pymobiledevice3.services.installation_proxy import InstallationProxyService
from pymobiledevice3.services.notification_proxy import NotificationProxyService
from pymobiledevice3.services.springboard import SpringBoardServicesService

from tests.benches import Bench
from tests.ipas import make_ipa
from tests.virtual.ios.clients import paired

Start = Callable[[Any], Bench]
BUNDLE = "org.example.reader"
MEBI = 1 << 20


def bench_of(start: Start, preset: str = "iphone-17", **more: Any) -> tuple[Bench, str, str]:
    """A bench with one phone whose person taps Trust at once: the bench, serial number and UDID."""
    state = {"trust": 0, **more.pop("state", {})}
    bench = start({"devices": [{"preset": preset, "state": state, **more}]})
    return bench, bench.devices[0].serial, bench.devices[0].address


def with_phone(udid: str, work: Callable[[LockdownClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with paired(udid) as client:
            return await work(client)

    return asyncio.run(run())


def installer(*words: str | Path, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    argv = ["ideviceinstaller", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)


def pair() -> None:
    subprocess.run(["idevicepair", "pair"], capture_output=True, timeout=60, check=True)


# Debian's ideviceinstaller ----------------------------------------------------------------------------------------


def test_ideviceinstaller_installs_lists_upgrades_and_removes(virtual_iphones: Start, tmp_path: Path) -> None:
    bench, serial, _ = bench_of(virtual_iphones)
    ipa = make_ipa(tmp_path / "a.ipa", BUNDLE, title="Reader", size=3 * MEBI)
    pair()

    done = installer("-i", ipa)
    assert done.returncode == 0, done
    assert "Install: VerifyingApplication (40%)" in done.stdout
    assert "Install: Complete" in done.stdout
    assert installer("-l").stdout.splitlines()[1:] == [f'{BUNDLE}, "1.0", "Reader"']
    make_ipa(ipa, BUNDLE, title="Reader", version="2.0")
    assert "Upgrade: Complete" in installer("-g", ipa).stdout
    assert bench.state(serial)["apps"][BUNDLE]["version"] == "2.0"
    assert "com.apple.camera" in installer("-l", "-o", "list_all").stdout
    assert "Uninstall: Complete" in installer("-U", BUNDLE).stdout
    assert installer("-l").stdout.splitlines()[1:] == []


def test_on_ios_12_ideviceinstaller_installs_and_waits_for_ever(virtual_iphones: Start, tmp_path: Path) -> None:
    """As technicians reported of real ones: libimobiledevice 1.3.0 gives up at the message without Status."""
    bench, serial, _ = bench_of(virtual_iphones, "iphone-12")
    ipa = make_ipa(tmp_path / "a.ipa", BUNDLE)
    pair()
    with subprocess.Popen(["ideviceinstaller", "-i", ipa], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        said = b""
        while b"GeneratingApplicationMap (90%)" not in said:
            piece = os.read(running.stdout.fileno(), 4096)
            assert piece, said
            said += piece
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(2)
        running.kill()
        assert b"Complete" not in said + running.stdout.read()
    assert BUNDLE in bench.state(serial)["apps"]


def test_ideviceinstaller_shows_the_refusal(virtual_iphones: Start, tmp_path: Path) -> None:
    bench_of(virtual_iphones)
    ipa = make_ipa(tmp_path / "a.ipa", BUNDLE, expires=datetime(2024, 1, 1, tzinfo=UTC))
    pair()
    done = installer("-i", ipa)
    assert done.returncode != 0
    assert 'Got error "ApplicationVerificationFailed" with code 0xe8008015' in done.stderr
    make_ipa(ipa, BUNDLE, min_os="18.0")
    assert "Have 17.7.2; need 18.0" in installer("-i", ipa).stderr
    make_ipa(ipa, BUNDLE, drm=True)  # which it sends with the purchase
    assert "Install: Complete" in installer("-i", ipa).stdout


# pymobiledevice3 --------------------------------------------------------------------------------------------------


def test_apps(virtual_iphones: Start, tmp_path: Path) -> None:
    _, _, udid = bench_of(virtual_iphones)
    good = make_ipa(tmp_path / "a.ipa", BUNDLE, shares_files=True, size=MEBI)
    bad = make_ipa(tmp_path / "b.ipa", BUNDLE, signed=False)

    async def work(client: LockdownClient) -> None:
        async with InstallationProxyService(client) as apps:
            seen: list[int] = []
            await apps.install_from_local(good, handler=seen.append)
            assert seen[0] == 5
            assert seen[-1] == 90
            with pytest.raises(AppInstallError, match="0xe800801c"):
                await apps.install_from_local(bad)
            found = await apps.get_apps(application_type="User", calculate_sizes=True)
            assert found[BUNDLE]["StaticDiskUsage"] > MEBI
            assert len(await apps.browse(attributes=["CFBundleIdentifier"])) == 14
            await apps.uninstall(BUNDLE)
            assert await apps.get_apps(application_type="User") == {}

    with_phone(udid, work)


def test_files_of_the_phone(virtual_iphones: Start, tmp_path: Path) -> None:
    bench, serial, udid = bench_of(virtual_iphones)
    data = os.urandom(9 * MEBI + 1)
    (tmp_path / "big").write_bytes(data)

    async def work(client: LockdownClient) -> None:
        async with AfcService(client) as afc:
            await afc.makedirs("/Downloads/Kho/Lớp 3")
            await afc.push(str(tmp_path / "big"), "/Downloads/Kho/Lớp 3/big", progress_bar=False)
            assert await afc.listdir("/Downloads/Kho") == ["Lớp 3"]
            assert (await afc.stat("/Downloads/Kho/Lớp 3/big"))["st_size"] == len(data)
            await afc.pull("/Downloads/Kho/Lớp 3/big", str(tmp_path / "back"), progress_bar=False)
            await afc.link("big", "/Downloads/Kho/Lớp 3/same")
            assert hashlib.sha256(await afc.get_file_contents("/Downloads/Kho/Lớp 3/same")).digest() == (
                hashlib.sha256(data).digest()
            )
            await afc.rename("/Downloads/Kho/Lớp 3/big", "/DCIM/big")
            with pytest.raises(AfcFileNotFoundError):
                await afc.stat("/Downloads/Kho/Lớp 3/big")
            with pytest.raises(AfcException) as refused:
                await afc.listdir("/../..")
            assert refused.value.status == AfcError.PERM_DENIED
            await afc.rm("/Downloads/Kho")
            assert "Kho" not in await afc.listdir("/Downloads")

    with_phone(udid, work)
    assert (tmp_path / "back").read_bytes() == data
    assert bench.state(serial)["files"]["media/DCIM/big"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_files_of_an_app(virtual_iphones: Start, tmp_path: Path) -> None:
    bench, serial, udid = bench_of(virtual_iphones)
    ipa = make_ipa(tmp_path / "a.ipa", BUNDLE, shares_files=True)

    async def work(client: LockdownClient) -> None:
        async with InstallationProxyService(client) as apps:
            await apps.install_from_local(ipa)
        async with await HouseArrestService.create(client, BUNDLE, documents_only=True) as documents:
            await documents.set_file_contents("/Documents/a.txt", b"hello")
            assert await documents.listdir("/Documents") == ["a.txt"]
        with pytest.raises(AppNotInstalledError):
            await HouseArrestService.create(client, "org.nobody", documents_only=True)

    with_phone(udid, work)
    assert f"apps/{BUNDLE}/Documents/a.txt" in bench.state(serial)["files"]


def test_a_full_phone(virtual_iphones: Start) -> None:
    _, _, udid = bench_of(virtual_iphones, faults=[{"kind": "storage_full"}])

    async def work(client: LockdownClient) -> None:
        async with AfcService(client) as afc:
            with pytest.raises(AfcException) as refused:
                await afc.set_file_contents("/DCIM/a", bytes(5 * MEBI))
            assert refused.value.status == AfcError.NO_SPACE_LEFT
            assert (await afc.get_device_info())["FSFreeBytes"] == "0"

    with_phone(udid, work)


def test_unplugged_in_the_middle_of_a_file(virtual_iphones: Start) -> None:
    fault = {"kind": "unplug", "service": "com.apple.afc", "after_bytes": 2 * MEBI, "replug_after": 0.3}
    bench, serial, udid = bench_of(virtual_iphones, faults=[fault])

    async def work(client: LockdownClient) -> None:
        async with AfcService(client) as afc:
            with pytest.raises((ConnectionTerminatedError, ConnectionError)):
                await afc.set_file_contents("/DCIM/a", bytes(6 * MEBI))

    with_phone(udid, work)
    bench.wait_for(lambda event: event["event"] == "unplugged")
    bench.wait_for(lambda event: event["event"] == "plugged" and event["number"] == 2)
    assert 0 < bench.state(serial)["files"]["media/DCIM/a"]["size"] <= 2 * MEBI

    async def again(client: LockdownClient) -> None:
        async with AfcService(client) as afc:
            await afc.set_file_contents("/DCIM/a", b"whole")

    with_phone(udid, again)
    assert bench.state(serial)["files"]["media/DCIM/a"]["size"] == 5


def test_notifications_and_the_home_screen(virtual_iphones: Start, tmp_path: Path) -> None:
    _, _, udid = bench_of(virtual_iphones)
    ipa = make_ipa(tmp_path / "a.ipa", BUNDLE)

    async def work(client: LockdownClient) -> None:
        async with NotificationProxyService(client, timeout=10) as told:
            await told.notify_register_dispatch("com.apple.mobile.application_installed")
            await told.notify_register_dispatch("ready")
            await told.notify_post("ready")
            events = told.receive_notification()
            assert (await anext(events)).name == "ready"
            async with InstallationProxyService(client) as apps:
                await apps.install_from_local(ipa)
            assert (await anext(events)).name == "com.apple.mobile.application_installed"
            await events.aclose()
        async with SpringBoardServicesService(client) as screen:
            state = await screen.get_icon_state()
            assert BUNDLE in {icon["displayIdentifier"] for icon in state[1]}
            state[0].reverse()
            await screen.set_icon_state(state)
            assert await screen.get_icon_state() == state

    with_phone(udid, work)
