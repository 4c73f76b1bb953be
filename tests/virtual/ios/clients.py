"""pymobiledevice3 as an independent client of virtual iPhones."""

from __future__ import annotations

import asyncio
import plistlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pymobiledevice3.exceptions import PyMobileDevice3Exception
from pymobiledevice3.lockdown import LockdownClient, create_using_usbmux
from pymobiledevice3.services.mobile_config import MobileConfigService


@asynccontextmanager
async def paired(udid: str) -> AsyncIterator[LockdownClient]:
    """A session with the phone, paired first if need be; it may still be on its way back from an erase."""
    client = await _connect(udid)
    try:
        yield client
    finally:
        await client.close()


async def _connect(udid: str) -> LockdownClient:
    for attempt in range(100):
        try:
            return await create_using_usbmux(serial=udid, autopair=True, pair_timeout=20)
        except PyMobileDevice3Exception:
            if attempt == 99:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError


@asynccontextmanager
async def configured(udid: str) -> AsyncIterator[MobileConfigService]:
    """MCInstall of the phone."""
    async with paired(udid) as client, MobileConfigService(client) as service:
        yield service


async def ask(service: MobileConfigService, request: str, **more: Any) -> dict[str, Any]:
    """The raw answer of MCInstall."""
    answer: dict[str, Any] = await service.service.send_recv_plist({"RequestType": request, **more})
    return answer


def using(udid: str, work: Callable[[MobileConfigService], Awaitable[Any]]) -> Any:
    """What ``work`` makes of MCInstall of the phone."""

    async def run() -> Any:
        async with configured(udid) as service:
            return await work(service)

    return asyncio.run(run())


def codes(answer: dict[str, Any]) -> list[int]:
    """The codes of an answer's error chain."""
    assert answer["Status"] == "Error", answer
    return [row["ErrorCode"] for row in answer["ErrorChain"]]


def named(identifier: str) -> bytes:
    """A profile that names another, as pymobiledevice3 asks to remove one."""
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadIdentifier": identifier,
            "PayloadUUID": "00000000-0000-4000-8000-000000000000",
            "PayloadVersion": 1,
        }
    )
