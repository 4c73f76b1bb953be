"""Profiles, supervision and erasing of virtual iPhones, by pymobiledevice3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from pymobiledevice3.ca import create_keybag_file
from pymobiledevice3.exceptions import CloudConfigurationAlreadyPresentError, ProfileError
from pymobiledevice3.services.afc import AfcService
from pymobiledevice3.services.mobile_config import MobileConfigService

from tests.benches import Bench
from tests.virtual.ios.clients import ask, codes, configured, named, paired, using
from tests.virtual.ios.profiles import IDENTIFIER, data, profile

Start = Callable[[Any], Bench]
IN_SETUP: dict[str, Any] = {"set_up": False}


def bench_of(start: Start, preset: str = "iphone-17", **state: Any) -> tuple[Bench, str, str]:
    """A bench with one phone whose person taps Trust at once: the bench, serial number and UDID."""
    bench = start({"devices": [{"preset": preset, "state": {"trust": 0, "reboot_seconds": 0.2, **state}}]})
    return bench, bench.devices[0].serial, bench.devices[0].address


@pytest.fixture(scope="module")
def keybag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keybag") / "school.pem"
    create_keybag_file(path, "School")
    return path


@pytest.fixture(scope="module")
def other_keybag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keybag") / "other.pem"
    create_keybag_file(path, "Somebody else")
    return path


# Without supervision ----------------------------------------------------------------------------------------------


def test_what_is_acknowledged_is_not_installed_before_the_person_taps(virtual_iphones: Start) -> None:
    bench, serial, udid = bench_of(virtual_iphones)
    first, second = profile(), profile([{"type": "com.apple.applicationaccess", "allowScreenShot": False}])

    async def work(service: MobileConfigService) -> None:
        await service.hello()
        await service.flush()
        await service.install_profile(data([], **first))
        assert (await service.get_profile_list())["OrderedIdentifiers"] == []
        await service.install_profile(data([], **second))
        assert bench.state(serial)["waiting"] == {"identifier": IDENTIFIER, "uuid": second["PayloadUUID"]}
        assert bench.send({"do": "tap_install", "serial": serial})["event"] == "done"
        found = await service.get_profile_list()
        assert found["OrderedIdentifiers"] == [IDENTIFIER]
        assert found["ProfileManifest"] == {IDENTIFIER: {"Description": "School", "IsActive": True}}
        assert found["ProfileMetadata"][IDENTIFIER] == {
            "PayloadDisplayName": "School",
            "PayloadRemovalDisallowed": False,
            "PayloadUUID": second["PayloadUUID"],
            "PayloadVersion": 1,
        }
        assert bench.state(serial)["restrictions"] == {"allowScreenShot": False}
        await service.remove_profile(IDENTIFIER)
        assert (await service.get_profile_list())["OrderedIdentifiers"] == []

    using(udid, work)
    assert "no profile waits" in bench.send({"do": "tap_install", "serial": serial})["why"]
    assert bench.state(serial)["restrictions"] == {}


def test_after_eight_minutes_it_is_deleted(virtual_iphones: Start) -> None:
    bench, serial, udid = bench_of(virtual_iphones)
    using(udid, lambda service: service.install_profile(data()))
    bench.send({"do": "clock", "serial": serial, "seconds": 470})
    assert bench.state(serial)["waiting"] is not None
    bench.send({"do": "clock", "serial": serial, "seconds": 11})
    assert bench.state(serial)["waiting"] is None
    assert "eight minutes" in bench.send({"do": "tap_install", "serial": serial})["why"]
    assert bench.state(serial)["profiles"] == {}


def test_the_person_hears_that_the_device_is_not_supervised_and_the_computer_does_not(virtual_iphones: Start) -> None:
    bench, serial, udid = bench_of(virtual_iphones)
    wanted = data([{"type": "com.apple.app.lock", "App": {"Identifier": "org.example.app"}}])
    assert using(udid, lambda service: ask(service, "InstallProfile", Payload=wanted)) == {"Status": "Acknowledged"}
    answer = bench.send({"do": "tap_install", "serial": serial})
    assert "not supervised" in answer["why"]
    assert bench.state(serial)["profiles"] == {}
    assert bench.state(serial)["waiting"] is None


def test_requests_that_are_none_of_an_unsupervised_host(virtual_iphones: Start, keybag: Path) -> None:
    bench, _, udid = bench_of(virtual_iphones)

    async def work(service: MobileConfigService) -> None:
        for request in ("InstallProfileSilent", "SecurityInfo", "ProceedWithKeybagMigration", "Unheard"):
            assert await ask(service, request, Payload=data()) == {"Status": "CommandFormatError"}
        assert await ask(service, "InstallProfile") == {"Status": "ErrorPayloadEmpty"}
        assert codes(await ask(service, "InstallProfile", Payload="x")) == [14000]
        assert codes(await ask(service, "InstallProfile", Payload=b"x")) == [4000, 1000]
        assert codes(await ask(service, "RemoveProfile", ProfileIdentifier=7)) == [4000]
        assert await ask(service, "RemoveProfile", ProfileIdentifier="org.example.unheard") == {
            "Status": "Acknowledged"
        }
        assert await ask(service, "RemoveProfile", ProfileIdentifier=named("x.y")) == {"Status": "Acknowledged"}
        assert await ask(service, "Escalate", SupervisorCertificate=b"0") == {"Status": "CertificateRejected"}
        assert await ask(service, "EscalateResponse", SignedRequest=b"0") == {"Status": "SignedRequestRejected"}
        with pytest.raises(ProfileError, match="CertificateRejected"):
            await service.install_profile_silent(keybag, data())
        with pytest.raises(CloudConfigurationAlreadyPresentError):
            await service.supervise("School", keybag)
        assert (await service.get_cloud_configuration() or {})["IsSupervised"] is False
        assert await ask(service, "EraseDevice", PreserveDataPlan="yes") == {"Status": "CommandFormatError"}

    using(udid, work)
    assert bench.state(udid)["erased"] == 0


# In the Setup Assistant, and after --------------------------------------------------------------------------------


def test_in_the_setup_assistant_a_profile_is_installed_at_once(virtual_iphones: Start) -> None:
    bench, serial, udid = bench_of(virtual_iphones, **IN_SETUP)

    async def work(service: MobileConfigService) -> None:
        assert await service.get_cloud_configuration() is None
        await service.install_profile(data())
        assert (await service.get_profile_list())["OrderedIdentifiers"] == [IDENTIFIER]

    using(udid, work)
    bench.send({"do": "finish_setup", "serial": serial})
    assert bench.state(serial)["restrictions"] == {"allowCamera": False}


def test_supervised_it_takes_profiles_silently_and_tells_of_its_passcode(virtual_iphones: Start, keybag: Path) -> None:
    bench, serial, udid = bench_of(virtual_iphones, has_passcode=True, **IN_SETUP)
    wanted = data([{"type": "com.apple.applicationaccess", "allowUIConfigurationProfileInstallation": False}])

    async def work() -> None:
        async with paired(udid) as client, MobileConfigService(client) as service:
            await service.supervise("School", keybag)
            assert await client.get_value("com.apple.mobile.chaperone", "DeviceIsChaperoned") is True
            told = await service.get_cloud_configuration() or {}
            assert (told["OrganizationName"], told["ConfigurationSource"]) == ("School", 2)
            with pytest.raises(CloudConfigurationAlreadyPresentError):
                await service.supervise("School", keybag)
            await service.install_profile_silent(keybag, wanted)
            assert (await ask(service, "SecurityInfo"))["SecurityInfo"]["PasscodePresent"] is True
            with pytest.raises(ProfileError, match="4020"):
                await service.install_profile(data())
            bench.send({"do": "lock", "serial": serial})
            assert codes(await ask(service, "InstallProfileSilent", Payload=data())) == [4001, 1009, 4009]

    asyncio.run(work())
    state = bench.state(serial)
    assert (state["supervised"], len(state["supervisors"])) == (True, 1)
    assert state["profiles"][IDENTIFIER]["silent"] is True


def test_told_to_be_skipped_the_setup_assistant_ends_by_itself(virtual_iphones: Start, keybag: Path) -> None:
    """Not by a cloud configuration alone; and from then on a profile waits for a tap."""
    bench, serial, udid = bench_of(virtual_iphones, setup_ends=0.2, **IN_SETUP)

    async def work() -> None:
        async with paired(udid) as client, MobileConfigService(client) as service:
            await service.supervise("School", keybag)
            await asyncio.sleep(0.4)
            assert not bench.state(serial)["set_up"]
            async with AfcService(client) as files:
                await files.set_file_contents("iTunes_Control/iTunes/SkipSetup", b"")
            assert not bench.state(serial)["set_up"]
            await asyncio.sleep(0.4)
            assert await client.get_value("com.apple.PurpleBuddy", "SetupDone") is True
            await service.install_profile(data())
            assert (await service.get_profile_list())["OrderedIdentifiers"] == []
            assert bench.state(serial)["waiting"]

    asyncio.run(work())


def test_only_the_supervisor_proves_to_be_one(virtual_iphones: Start, keybag: Path, other_keybag: Path) -> None:
    _, _, udid = bench_of(virtual_iphones, **IN_SETUP)
    ours, others = identity(keybag), identity(other_keybag)

    async def work(service: MobileConfigService) -> None:
        await service.supervise("School", keybag)
        with pytest.raises(ProfileError, match="CertificateRejected"):
            await service.install_profile_silent(other_keybag, data())
        rejected = {"Status": "SignedRequestRejected"}
        for signer, spoil in ((others, False), (ours, True)):
            challenge = (await ask(service, "Escalate", SupervisorCertificate=ours[1]))["Challenge"]
            assert len(challenge) == 8
            proof = sign(signer, challenge + b"!" if spoil else challenge)
            assert await ask(service, "EscalateResponse", SignedRequest=proof) == rejected
        proof = sign(ours, (await ask(service, "Escalate", SupervisorCertificate=ours[1]))["Challenge"])
        assert await ask(service, "EscalateResponse", SignedRequest=proof) == {"Status": "Acknowledged"}
        assert await ask(service, "EscalateResponse", SignedRequest=proof) == rejected

    using(udid, work)


def identity(keybag: Path) -> tuple[Any, bytes]:
    """Private key and certificate (DER) of a keybag."""
    text = keybag.read_bytes()
    key = serialization.load_pem_private_key(text, password=None)
    return key, x509.load_pem_x509_certificate(text).public_bytes(Encoding.DER)


def sign(who: tuple[Any, bytes], content: bytes) -> bytes:
    key, certificate = who
    builder = PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(x509.load_der_x509_certificate(certificate), key, hashes.SHA256())
    return builder.sign(Encoding.DER, [PKCS7Options.Binary])


@pytest.mark.parametrize(("preset", "says"), [("iphone-17", "Acknowledged"), ("iphone-18", "Error")])
def test_not_activated_it_is_not_supervised_whatever_it_says(
    virtual_iphones: Start, keybag: Path, preset: str, says: str
) -> None:
    bench, serial, udid = bench_of(virtual_iphones, preset, activated=False, **IN_SETUP)
    wanted = {"IsSupervised": True, "SupervisorHostCertificates": [identity(keybag)[1]]}

    async def work(service: MobileConfigService) -> dict[str, Any]:
        assert codes(await ask(service, "SetCloudConfiguration", CloudConfiguration={"IsSupervised": "x"})) == [33002]
        return await ask(service, "SetCloudConfiguration", CloudConfiguration=wanted)

    answer = using(udid, work)
    assert answer["Status"] == says
    assert says == "Acknowledged" or codes(answer) == [33003]
    assert bench.state(serial)["supervised"] is False


def test_an_erase_forgets_all_and_comes_back_in_the_setup_assistant(virtual_iphones: Start, keybag: Path) -> None:
    bench, serial, udid = bench_of(virtual_iphones, "iphone-18", **IN_SETUP)

    async def erase() -> None:
        async with configured(udid) as service:
            await service.supervise("School", keybag)
            await service.install_profile_silent(keybag, data())
            await service.erase_device(preserve_data_plan=True, disallow_proximity_setup=True)

    asyncio.run(erase())
    bench.wait_for(lambda event: event["event"] == "erased")
    found = using(udid, lambda service: service.get_profile_list())
    assert found["OrderedIdentifiers"] == []
    state = bench.state(serial)
    assert (state["supervised"], state["set_up"], state["activation"]) == (False, False, "Unactivated")
    assert state["erased"] == 1
    assert "IntegratedCircuitCardIdentity" in state["values"][""]


def test_an_erase_without_a_word_about_it_takes_the_data_plan_of_the_esim(virtual_iphones: Start) -> None:
    bench, serial, udid = bench_of(virtual_iphones, "iphone-18")
    using(udid, lambda service: ask(service, "EraseDevice"))
    bench.wait_for(lambda event: event["event"] == "erased")
    assert "IntegratedCircuitCardIdentity" not in bench.state(serial)["values"][""]
