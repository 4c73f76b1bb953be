"""Activating virtual iPhones at their own activation server, by pymobiledevice3 with its addresses set to that."""

from __future__ import annotations

import asyncio
import plistlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import requests
from pymobiledevice3.exceptions import MobileActivationException
from pymobiledevice3.services import mobile_activation
from pymobiledevice3.services.mobile_activation import MobileActivationService

from tests.benches import Bench
from tests.virtual.ios.clients import paired

Start = Callable[[Any], Bench]
STATE = {"trust": 0, "reboot_seconds": 0.2, "set_up": False, "activated": False}


@pytest.fixture
def bench(virtual_iphones: Start, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Phones that are not activated (free, locked by its owner, of iOS 12), and pymobiledevice3 pointed at them."""
    presets = ("iphone-17", "iphone-activation-locked", "iphone-12")
    found = virtual_iphones({"devices": [{"preset": preset, "state": STATE} for preset in presets]})
    base = f"{found.activation_server}/deviceservices"
    monkeypatch.setattr(mobile_activation, "ACTIVATION_DEFAULT_URL", f"{base}/deviceActivation")
    monkeypatch.setattr(mobile_activation, "ACTIVATION_DRM_HANDSHAKE_DEFAULT_URL", f"{base}/drmHandshake")
    return found


# pymobiledevice3 leaves parts of this service without types, hence Any.


def using(udid: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with paired(udid) as client:
            return await work(MobileActivationService(client))

    return asyncio.run(run())


@pytest.mark.parametrize("number", [0, 2])
def test_a_free_phone_is_activated_and_deactivated(bench: Bench, number: int) -> None:
    device = bench.devices[number]

    async def work(service: Any) -> None:
        assert await service.state() == "Unactivated"
        await service.activate(skip_apple_id_query=True)
        assert await service.state() == "Activated"
        assert bench.state(device.serial)["values"][""]["ActivationState"] == "Activated"
        await service.deactivate()
        assert await service.state() == "Unactivated"

    using(device.address, work)


def test_a_phone_that_its_owner_did_not_let_go_of_waits_for_the_owner(bench: Bench) -> None:
    device = bench.devices[1]
    with pytest.raises(MobileActivationException, match="Activation Lock"):
        using(device.address, lambda service: service.activate(skip_apple_id_query=True))
    assert bench.state(device.serial)["activation"] == "Unactivated"
    bench.send({"do": "sign_out", "serial": device.serial})
    using(device.address, lambda service: service.activate(skip_apple_id_query=True))
    assert bench.state(device.serial)["activation"] == "Activated"


def test_the_page_of_the_lock_can_be_read_and_its_form_is_answered_by_the_page_again(bench: Bench) -> None:
    async def work(service: Any) -> tuple[bytes, bytes]:
        handshake = await service.create_activation_session_info()
        content, _ = service.post(mobile_activation.ACTIVATION_DRM_HANDSHAKE_DEFAULT_URL, plistlib.dumps(handshake))
        info = await service.create_activation_info_with_session(content)
        first, _ = service.post(mobile_activation.ACTIVATION_DEFAULT_URL, {"activation-info": plistlib.dumps(info)})
        again, headers = service.post(mobile_activation.ACTIVATION_DEFAULT_URL, {"login": "a@b", "password": "guess"})
        assert headers["Content-Type"] == "application/x-buddyml"
        return first, again

    for page in using(bench.devices[1].address, work):
        form = MobileActivationService._get_activation_form_from_response(page.decode())
        assert form.title == "Activation Lock"
        assert [(field.id, field.secure) for field in form.fields] == [("login", False), ("password", True)]


def test_without_internet_nothing_is_activated(bench: Bench) -> None:
    device = bench.devices[0]
    bench.send({"do": "activation_server", "serial": device.serial, "on": False})
    with pytest.raises(requests.ConnectionError):
        using(device.address, lambda service: service.activate(skip_apple_id_query=True))
    bench.send({"do": "activation_server", "serial": device.serial, "on": True})
    using(device.address, lambda service: service.activate(skip_apple_id_query=True))
    assert bench.state(device.serial)["activation"] == "Activated"


def test_a_record_of_another_session_or_phone_is_refused(bench: Bench) -> None:
    async def record(service: Any) -> bytes:
        handshake = await service.create_activation_session_info()
        content, _ = service.post(mobile_activation.ACTIVATION_DRM_HANDSHAKE_DEFAULT_URL, plistlib.dumps(handshake))
        info = await service.create_activation_info_with_session(content)
        asked = {"activation-info": plistlib.dumps(info)}
        body: bytes = service.post(mobile_activation.ACTIVATION_DEFAULT_URL, asked)[0]
        return body

    async def late(service: Any) -> Any:
        made = await record(service)
        await service.create_activation_session_info()
        return await service.activate_with_session(made, {})

    free, old = bench.devices[0], bench.devices[2]
    assert "Error" in using(free.address, late)
    others = using(old.address, record)
    assert "Error" in using(free.address, lambda service: service.activate_with_session(others, {}))
    assert "Error" in using(free.address, lambda service: service.activate_with_session(b"<html>", {}))
    assert bench.state(free.serial)["activation"] == "Unactivated"


def test_what_the_server_does_not_understand(bench: Bench) -> None:
    cases = {"drmHandshake": [b"no property list"], "elsewhere": [b""]}
    cases["deviceActivation"] = [b"", b"activation-info=nonsense"]
    for path, bodies in cases.items():
        for body in bodies:
            answer = requests.post(f"{bench.activation_server}/deviceservices/{path}", data=body, timeout=10)
            assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html")
