"""Phones with the agent far from the bench: moving to another server, messages, orders, and what people do to them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.virtual import mdm
from tests.virtual.enrolled import NUMBER, Enrolled, Phone

HOST = "school.example"
YEAR = 366 * 24 * 3600


def _certificate(home: Path) -> tuple[Path, Path]:
    """One that signs itself for HOST, for a week from yesterday on, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=7))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = home / "certificate.pem", home / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption_algorithm=plain)
    )
    return certificate, private


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def bench_server() -> Iterator[mdm.Mdm]:
    with mdm.serving() as found:
        yield found


@pytest.fixture
def school(certificate: tuple[Path, Path]) -> Iterator[mdm.Mdm]:
    """The server on the internet, by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with mdm.serving(context) as found:
        yield found


def online(phone: Phone, school: mdm.Mdm, certificate: tuple[Path, Path]) -> None:
    phone.order(do="internet", online=True, hosts={HOST: f"127.0.0.1:{school.port}"}, ca=str(certificate[0]))


@pytest.fixture
def at_home(enrolled: Enrolled, bench_server: mdm.Mdm, school: mdm.Mdm, certificate: tuple[Path, Path]) -> Phone:
    """A phone that moved to the server of the school and then left the bench."""
    bench_server.config = {"restrictions": "no_sms", "newServerUrl": f"https://{HOST}"}
    school.config = {"restrictions": "no_sms,no_fun", "pushOptions": "polling"}
    phone = enrolled(start=False)
    online(phone, school, certificate)
    phone.enrol(bench_server.port)
    phone.until(lambda state: state["agent"]["reports"])
    phone.order(do="unplug")
    return phone


def test_it_moves_and_goes_on_without_the_cable(at_home: Phone, bench_server: mdm.Mdm, school: mdm.Mdm) -> None:
    state = at_home.state()
    assert (state["agent"]["server"], state["agent"]["secondary"]) == (f"https://{HOST}", f"https://{HOST}")
    assert state["policy_restrictions"] == ["no_fun", "no_sms"]
    tried, fetched = (school.wait_for("/sync/configuration/", count=count) for count in (1, 2))
    assert {one.method for one in (tried, fetched)} == {"GET"}
    assert tried.headers["X-Request-Signature"] == school.signature(NUMBER)
    assert tried.headers["Host"] == HOST
    assert len([one for one in bench_server.asked if "/sync/configuration/" in one.path]) == 1
    count = len([one for one in school.asked if "sync/info" in one.path])
    school.wait_for("sync/info", count=count + 1)  # every quarter of an hour, however long that is here
    school.wait_for("/notifications/device/")
    poll = school.wait_for("/notification/polling/")
    assert poll.headers["X-Request-Signature"] == school.signature("/rest/notification/polling/sb-7f3a+9c%2F%C3%A9")


def test_without_an_internet_it_stays_and_tries_again(
    enrolled: Enrolled, bench_server: mdm.Mdm, school: mdm.Mdm, certificate: tuple[Path, Path]
) -> None:
    bench_server.config = {"restrictions": "no_sms", "newServerUrl": f"https://{HOST}"}
    phone = enrolled(start=False)
    phone.order(do="internet", online=False)
    phone.enrol(bench_server.port)
    state = phone.until(lambda state: state["agent"]["reports"])
    assert state["agent"]["server"] == "http://localhost:8080"
    assert state["policy_restrictions"] == ["no_sms"]
    phone.order(do="unplug")
    school.config = {"restrictions": "no_fun"}
    online(phone, school, certificate)
    phone.order(do="reboot")  # the old server is out of reach; what it said is remembered
    state = phone.until(lambda state: len(state["agent"]["updates"]) == 2)
    assert state["agent"]["server"] == f"https://{HOST}"
    assert state["policy_restrictions"] == ["no_fun"]
    assert state["plugged"] is False


@pytest.mark.parametrize("trouble", ["clock", "stranger", "refuses"])
def test_a_server_that_it_does_not_move_to(
    enrolled: Enrolled, bench_server: mdm.Mdm, school: mdm.Mdm, certificate: tuple[Path, Path], trouble: str
) -> None:
    bench_server.config = {"restrictions": "no_sms", "newServerUrl": f"https://{HOST}"}
    phone = enrolled(start=False)
    online(phone, school, certificate)
    if trouble == "clock":
        phone.order(do="clock", seconds=YEAR)
    elif trouble == "stranger":
        bench_server.config["newServerUrl"] = "https://other.example"
        phone.order(do="internet", hosts={"other.example": f"127.0.0.1:{school.port}"})
    else:
        school.answer = lambda _: (404, b"")
    phone.enrol(bench_server.port)
    state = phone.until(lambda state: state["agent"]["reports"])
    assert state["agent"]["server"] == "http://localhost:8080"
    assert any("Failed to migrate" in line for line in state["agent"]["log"])
    assert state["policy_restrictions"] == ["no_sms"]


def test_messages(at_home: Phone, school: mdm.Mdm) -> None:
    school.config["lock"] = True
    school.config["lockMessage"] = "Bring it back"
    page = {"action": "android.intent.action.VIEW", "data": "https://school.example/m/1"}
    school.messages = [
        {"messageType": "configUpdated", "payload": None},
        {"messageType": "intent", "payload": json.dumps(page | {"data": "https://school.example/m/0"})},
        {"messageType": "intent", "payload": json.dumps(page)},
    ]
    state = at_home.until(lambda state: state["agent"]["screen"]["lock"])
    assert state["agent"]["screen"] == {"lock": "Bring it back", "page": "https://school.example/m/1"}
    school.messages = [{"messageType": "intent", "payload": page}]
    state = at_home.until(lambda state: any("Failed to read push" in line for line in state["agent"]["log"]))
    school.config["lock"] = False
    school.messages = [{"messageType": "configUpdated", "payload": None}]
    at_home.until(lambda state: state["agent"]["screen"]["lock"] is None)


def test_a_poll_stays_with_the_server_that_it_began_with(
    enrolled: Enrolled, bench_server: mdm.Mdm, school: mdm.Mdm, certificate: tuple[Path, Path]
) -> None:
    bench_server.config = {"pushOptions": "polling"}
    school.config = {"pushOptions": "polling"}
    phone = enrolled(bench_server)
    online(phone, school, certificate)
    bench_server.wait_for("/notification/polling/")
    bench_server.config = {"newServerUrl": f"https://{HOST}"}
    assert phone.update()["agent"]["server"] == f"https://{HOST}"
    count = len([one for one in bench_server.asked if "/polling/" in one.path])
    bench_server.wait_for("/notification/polling/", count=count + 2)
    assert not [one for one in school.asked if "/polling/" in one.path]
    phone.order(do="reboot")
    school.wait_for("/notification/polling/")


def test_reboot_is_confirmed_first(at_home: Phone, school: mdm.Mdm) -> None:
    school.answer = lambda asked: (500, b"") if "/devicereset/" in asked.path else None
    school.config["reboot"] = True
    state = at_home.update()
    assert state["agent"]["updates"][-1] == "complete"
    path = "/rest/plugins/devicereset/public/reboot/"
    assert not [event for event in at_home.events() if event["event"] == "reboot"]

    def confirmed(asked: mdm.Asked) -> None:
        if path in asked.path:
            school.config["reboot"] = False

    school.answer = confirmed
    at_home.order(do="agent", now="update")
    school.wait_for(path, count=2)
    at_home.until(lambda state: state["agent"]["updates"][-2:] == ["gone", "complete"])
    assert len([event for event in at_home.events() if event["event"] == "reboot"]) == 1


def test_wiped_by_its_server(at_home: Phone, school: mdm.Mdm) -> None:
    school.config |= {"factoryReset": True, "restrictions": "no_factory_reset"}
    at_home.order(do="agent", now="update")
    told = school.wait_for("/rest/plugins/devicereset/public/sb-")
    assert told.body["factoryReset"] is True
    state = at_home.until(lambda state: state["owner"] is None)
    bare(state)


def bare(state: dict[str, Any]) -> None:
    assert (state["agent"]["number"], state["agent"]["running"]) == ("", False)
    assert "com.hmdm.launcher" not in state["packages"]
    assert (state["user_restrictions"], state["accounts"]) == ([], [])
    assert state["settings"]["secure"]["user_setup_complete"] == "0"
    assert not [path for path in state["files"] if "hmdm" in path]


def test_reset_at_home_it_comes_back_bare(at_home: Phone, school: mdm.Mdm) -> None:
    school.config["restrictions"] = "no_factory_reset,no_modify_accounts"
    before = at_home.update()
    assert "no_factory_reset" in at_home.refused(do="reset", how="settings")
    assert "no_modify_accounts" in at_home.refused(do="add_account", name="x@example.org", type="com.google")
    at_home.order(do="reset", how="recovery")
    state = at_home.state()
    bare(state)
    assert (state["serial"], state["sims"]) == (before["serial"], before["sims"])
    asked = len(school.asked)
    at_home.order(do="plug")
    shown = at_home.adb.ok(
        "shell", "settings get secure user_setup_complete; dumpsys device_policy; pm list packages -3"
    )
    assert shown.startswith(b"1\n")
    assert b"hmdm" not in shown
    assert len(school.asked) == asked


def server_told(phone: Phone, school: mdm.Mdm) -> Any:
    """The report that follows one more update."""
    phone.update()
    return [one.body for one in school.asked if "sync/info" in one.path][-1]


def test_password_and_home_screen(at_home: Phone, school: mdm.Mdm) -> None:
    school.config |= {"passwordReset": "4711", "runDefaultLauncher": False}
    state = at_home.update()
    assert state["lock"] | {"kind": "pin", "value": "4711"} == state["lock"]
    assert school.wait_for("/rest/plugins/devicereset/public/password/").method == "POST"
    assert state["roles"]["android.app.role.HOME"] == ["com.hmdm.launcher"]
    school.config = {"runDefaultLauncher": True}
    assert server_told(at_home, school)["defaultLauncher"] is False


def test_what_people_do_to_it(at_home: Phone, school: mdm.Mdm) -> None:
    def report() -> Any:
        count = len([one for one in school.asked if "sync/info" in one.path])
        at_home.order(do="agent", now="report")
        return school.wait_for("sync/info", count=count + 1).body

    first = report()
    at_home.order(do="sim", operator="45201")
    other = report()
    assert other["iccid"] not in {None, first["iccid"]}
    at_home.order(do="sim")
    assert "iccid" not in report()
    at_home.order(do="withdraw", permission="android.permission.READ_PHONE_STATE")
    assert report()["serial"] == "unknown"
    assert first["location"]["lat"] == 21.0285
    school.config |= {"disableLocation": True, "gps": False}
    assert "location" in server_told(at_home, school)  # neither keeps it from telling
    school.config |= {"restrictions": "no_share_location"}
    assert "location" not in server_told(at_home, school)
    at_home.order(do="remove_owner")
    gone = report()
    assert (gone["mdmMode"], gone["permissions"][0]) == (False, 0)
    assert at_home.state()["policy_restrictions"] == []


def test_two_phones_with_one_number(
    at_home: Phone, enrolled: Enrolled, school: mdm.Mdm, certificate: tuple[Path, Path]
) -> None:
    other = enrolled(start=False, owner=False)
    at_home.order(do="clone", to=other.device.serial)
    online(other, school, certificate)
    other.adb.ok("shell", "am start -n com.hmdm.launcher/.ui.MainActivity")
    state = other.until(lambda state: state["agent"]["reports"])
    assert state["agent"]["number"] == at_home.state()["agent"]["number"] == NUMBER
    assert {one.body["mdmMode"] for one in school.asked if "sync/info" in one.path} == {True, False}


def test_without_debugging_the_cable_only_charges(
    enrolled: Enrolled, school: mdm.Mdm, certificate: tuple[Path, Path]
) -> None:
    phone = enrolled(start=False)
    online(phone, school, certificate)
    school.config = {"restrictions": "no_debugging_features"}
    phone.enrol(school.port, BASE_URL=f"https://{HOST}")
    state = phone.until(lambda state: not state["plugged"])
    assert state["settings"]["global"]["adb_enabled"] == "0"
    phone.order(do="plug")
    assert phone.state()["plugged"] is False
    school.config = {"restrictions": ""}
    phone.update()
    phone.order(do="plug")
    assert phone.adb.ok("shell", "settings get global adb_enabled") == b"1\n"


def test_offline_and_back(at_home: Phone, school: mdm.Mdm) -> None:
    at_home.order(do="internet", online=False)
    state = at_home.update()
    assert state["agent"]["updates"][-1] == "network error: went on with what it had"
    assert state["policy_restrictions"] == ["no_fun", "no_sms"]
    at_home.order(do="internet", online=True)
    assert at_home.update()["agent"]["updates"][-1] == "complete"
