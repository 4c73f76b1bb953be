"""Battery, IORegistry and restarting of virtual iPhones, by pymobiledevice3 and Debian's idevicediagnostics."""

from __future__ import annotations

import asyncio
import plistlib
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymobiledevice3.exceptions import DeprecationError
from pymobiledevice3.services.diagnostics import DiagnosticsService

from tests.benches import Bench
from tests.virtual.ios.clients import paired

Start = Callable[[Any], Bench]


def using(udid: str, work: Callable[[DiagnosticsService], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with paired(udid) as client, DiagnosticsService(client) as service:
            return await work(service)

    return asyncio.run(run())


@pytest.fixture
def bench(virtual_iphones: Start) -> Bench:
    state = {"trust": 0, "reboot_seconds": 0.2}
    worn = {"level": 55, "charging": True, "cycles": 901, "design": 2900, "nominal": 2088}
    return virtual_iphones(
        {
            "devices": [
                {"preset": "iphone-17", "state": {**state, "battery": worn}},
                {"preset": "iphone-12", "state": {**state, "battery": {"entry": "AppleARMPMUCharger"}}},
                {"preset": "iphone-18", "state": state},
            ]
        }
    )


def test_the_battery_is_worn_though_it_says_one_hundred(bench: Bench) -> None:
    async def work(service: DiagnosticsService) -> Any:
        by_class, by_name = await service.get_battery(), await service.ioregistry(name="AppleSmartBattery")
        assert by_class == by_name
        return by_class

    found = using(bench.devices[0].address, work)
    assert (found["CycleCount"], found["MaxCapacity"], found["CurrentCapacity"]) == (901, 100, 55)
    assert (found["DesignCapacity"], found["NominalChargeCapacity"]) == (2900, 2088)
    assert found["AppleRawMaxCapacity"] == 2088
    assert found["IsCharging"] is True


def test_old_models_have_another_entry(bench: Bench) -> None:
    async def work(service: DiagnosticsService) -> Any:
        return [
            await service.ioregistry(name="AppleSmartBattery"),
            await service.ioregistry(plane="IODeviceTree"),
            await service.ioregistry(name="AppleARMPMUCharger"),
        ]

    none, plane, found = using(bench.devices[1].address, work)
    assert not none
    assert not plane
    assert found["CycleCount"] > 0


def test_mobile_gestalt_is_gone_from_17_4(bench: Bench) -> None:
    old = using(bench.devices[1].address, lambda service: service.mobilegestalt(["ProductType", "Unheard"]))
    assert list(old) == ["ProductType"]
    with pytest.raises(DeprecationError):
        using(bench.devices[2].address, lambda service: service.mobilegestalt(["ProductType"]))


def test_a_restart_comes_when_the_connection_is_closed(bench: Bench) -> None:
    device = bench.devices[0]

    def left() -> list[str]:
        return [event["event"] for event in bench.events if event.get("serial") == device.serial]

    async def work(service: Any) -> None:
        await service.restart()
        assert await service.get_battery()
        assert "unplugged" not in left()

    using(device.address, work)
    bench.wait_for(lambda event: event["event"] == "unplugged" and event["serial"] == device.serial)
    assert using(device.address, lambda service: service.get_battery())


@pytest.mark.skipif(shutil.which("idevicediagnostics") is None, reason="needs libimobiledevice-utils")
def test_debians_tool_reads_and_restarts(bench: Bench) -> None:
    device = bench.devices[0]

    def tool(*words: str) -> bytes:
        return subprocess.run(
            ["idevicediagnostics", "-u", device.address, *words], check=True, capture_output=True, timeout=60
        ).stdout

    subprocess.run(["idevicepair", "-u", device.address, "pair"], check=True, capture_output=True, timeout=60)
    assert plistlib.loads(tool("ioregentry", "AppleSmartBattery"))["IORegistry"]["CycleCount"] == 901
    assert plistlib.loads(tool("diagnostics", "GasGauge"))["GasGauge"]["FullChargeCapacity"] == 100
    tool("restart")
    bench.wait_for(lambda event: event["event"] == "unplugged" and event["serial"] == device.serial)
