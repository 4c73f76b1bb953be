"""The agent on virtual phones, by the real adb, against a server of the test's own: enrolment and updates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual import agents, mdm
from tests.virtual.conftest import OnePhone
from tests.virtual.enrolled import FAST, FOLDER, NUMBER, SCREEN, Enrolled, Phone, enrol, until
from tests.virtual.phone.play import APPS

READER = "org.schoolbag.sample.reader"
OLD, NEW, OTHER = (f"schoolbag-reader-{name}.apk" for name in ("1", "2", "other-signer"))

pytestmark = pytest.mark.skipif(not agents.BUILDABLE, reason="needs Debian's aapt2 and apksigner")


@pytest.fixture(scope="module")
def apk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agents.build(tmp_path_factory.mktemp("agent"))


@pytest.fixture
def server() -> Iterator[mdm.Mdm]:
    with mdm.serving() as found:
        yield found


def test_first_sync_through_the_cable(one_phone: OnePhone, server: mdm.Mdm, apk: Path) -> None:
    bench, device, adb = one_phone(state=FAST)
    server.config = {
        "restrictions": "no_sms,no_install_apps, no_factory_reset,no_such_key",
        "timeZone": "Asia/Shanghai",
    }
    adb.ok("install", "-r", apk)
    assert adb.ok("shell", "dpm set-device-owner com.hmdm.launcher/.AdminReceiver").startswith(b"Success")
    enrol(adb, server.port)
    state = until(bench, device, lambda state: state["agent"]["reports"])
    first = server.asked[0]
    assert (first.method, first.path) == ("POST", "/rest/public/sync/configuration/sb-7f3a%209c%2F%C3%A9")
    assert first.body == {"customer": None, "configuration": None, "groups": None}
    assert first.headers["X-Request-Signature"] == server.signature(NUMBER)
    assert first.headers["X-CPU-Arch"] == "arm64-v8a"
    assert "/rest/plugins/devicelog/log/rules/" in server.asked[1].path
    info = server.wait_for("sync/info").body
    assert info["deviceId"] == NUMBER
    assert info["mdmMode"] is True
    assert info["permissions"] == [1, 0, 0, 0]
    assert info["iccid"] == state["sims"][0]["iccid"]
    assert info["batteryLevel"] == state["battery"]["level"]
    assert "X-Request-Signature" not in server.wait_for("sync/info").headers
    assert state["policy_restrictions"] == ["no_factory_reset", "no_install_apps", "no_sms"]
    assert state["agent"]["updates"] == ["complete"]
    assert state["time_zone"] == "Asia/Shanghai"
    shown = adb.ok("shell", "dumpsys user").decode()
    assert "    Effective restrictions:\n      no_add_clone_profile\n" in shown
    assert "      no_install_apps\n" in shown
    refused = adb("install", "-r", apk)
    assert b"java.lang.SecurityException: User restriction prevents installing" in refused.stderr + refused.stdout


@pytest.mark.parametrize("made_anew", [False, True])
def test_enrolment_is_read_when_its_screen_is_made(enrolled: Enrolled, server: mdm.Mdm, made_anew: bool) -> None:
    phone = enrolled(start=False)
    told = json.dumps({"com.hmdm.DEVICE_ID": NUMBER, "com.hmdm.BASE_URL": "http://localhost:8080"}).encode()
    assert phone.adb("shell", f"ls {FOLDER}").returncode == 1  # the first start makes it
    phone.adb.ok("shell", f"am start -n {SCREEN}")
    phone.adb.ok("shell", f"cat > {FOLDER}/init.json", stdin=told)
    phone.adb.ok("reverse", "tcp:8080", f"tcp:{server.port}")
    phone.adb.ok("shell", f"am start -n {SCREEN}")  # brings it to the front, and reads nothing
    assert phone.state()["agent"]["number"] == ""
    again = (
        f"am start -f 0x10008000 -n {SCREEN}" if made_anew else f"am force-stop com.hmdm.launcher; am start -n {SCREEN}"
    )
    phone.adb.ok("shell", again)
    assert phone.until(lambda state: state["agent"]["reports"])["agent"]["number"] == NUMBER


@pytest.mark.parametrize("preset", ["samsung-13", "pixel-13"])
def test_the_ladder_into_its_folder(one_phone: OnePhone, tmp_path: Path, preset: str) -> None:
    _, _, adb = one_phone(preset, deny_app_dirs=preset == "pixel-13", state={**FAST, "packages": {}})
    folder = "/sdcard/Android/data/com.example/files"
    (tmp_path / "init.json").write_text("{}")
    made = adb("shell", f"mkdir -p {folder}")
    pushed = adb("push", tmp_path / "init.json", f"{folder}/init.json")
    assert pushed.returncode != 0
    adb.ok("push", tmp_path / "init.json", "/data/local/tmp/init.json")
    copied = adb("shell", f"cp /data/local/tmp/init.json {folder}/init.json")
    if preset == "samsung-13":
        assert b"remote fchown failed: Operation not permitted" in pushed.stderr + pushed.stdout
        assert (made.returncode, copied.returncode) == (0, 0)
        assert adb.ok("shell", f"cat {folder}/init.json") == b"{}"
    else:
        assert b"Permission denied" in made.stderr
        assert copied.returncode == 1


@pytest.mark.parametrize(
    ("answer", "ended", "restricted", "requests"),
    [
        ((404, b""), "network error: went on with what it had", True, 2),
        ((503, b""), "network error: went on with what it had", True, 2),
        ((200, b"<html>"), "network error: went on with what it had", True, 2),
        ((200, b'{"status": "ERROR", "message": "error.busy"}'), "server error", False, 1),
        ((200, b'{"status": "OK", "data": null}'), "server error", False, 1),
    ],
)
def test_an_update_that_gets_no_answer(
    enrolled: Enrolled, server: mdm.Mdm, answer: mdm.Reply, ended: str, restricted: bool, requests: int
) -> None:
    server.config = {"restrictions": "no_sms"}
    phone = enrolled(server)
    server.answer = lambda asked: answer if "/sync/configuration/" in asked.path else None
    phone.order(do="agent", now="update")
    state = phone.until(lambda state: len(state["agent"]["updates"]) == 2)
    assert state["agent"]["updates"][1] == ended
    assert state["policy_restrictions"] == (["no_sms"] if restricted else [])
    gets = [one for one in server.asked if one.method == "GET" and "/sync/configuration/" in one.path]
    assert len(gets) == requests


def test_it_is_free_while_it_asks(enrolled: Enrolled, server: mdm.Mdm) -> None:
    server.config = {"restrictions": "no_sms,no_install_apps"}
    phone = enrolled(server)
    seen = []

    def look(asked: mdm.Asked) -> None:
        if "/sync/configuration/" in asked.path:
            seen.append(phone.state()["policy_restrictions"])

    server.answer = look
    phone.order(do="agent", now="update")
    state = phone.until(lambda state: len(state["agent"]["updates"]) == 2)
    assert seen == [[]]
    assert state["policy_restrictions"] == ["no_install_apps", "no_sms"]


def test_the_second_address_is_for_when_nobody_answers_at_the_first(enrolled: Enrolled, server: mdm.Mdm) -> None:
    second = "http://localhost:8080/"
    phone = enrolled(server, BASE_URL="http://localhost:8081", SECONDARY_BASE_URL=second, SERVER_PROJECT="mdm")
    assert server.asked[0].path.startswith("/mdm/rest/public/sync/configuration/")
    with mdm.serving() as refuses:
        refuses.answer = lambda _: (404, b"")
        phone.adb.ok("reverse", "tcp:8081", f"tcp:{refuses.port}")
        asked = len(server.asked)
        phone.order(do="agent", now="update")
        state = phone.until(lambda state: len(state["agent"]["updates"]) == 2)
        assert state["agent"]["updates"][1].startswith("network error")
        assert len(server.asked) == asked


def test_a_number_that_the_server_does_not_know(enrolled: Enrolled, server: mdm.Mdm) -> None:
    phone = enrolled(server)
    unknown = json.dumps({"status": "ERROR", "message": "error.notfound.device"}).encode()
    server.answer = lambda asked: (200, unknown) if asked.method == "GET" and "/sync/c" in asked.path else None
    phone.order(do="agent", now="update")
    phone.until(lambda state: len(state["agent"]["updates"]) == 2)
    phone.order(do="agent", now="update")  # it enrols again
    server.wait_for("/sync/configuration/", method="POST", count=2)


def test_a_build_with_another_secret(one_phone: OnePhone, server: mdm.Mdm, tmp_path: Path) -> None:
    bench, device, adb = one_phone(state=FAST)
    adb.ok("install", agents.build(tmp_path, secret="another"))
    right = server.signature(NUMBER)
    server.answer = lambda asked: None if asked.headers.get("X-Request-Signature") == right else (404, b"")
    enrol(adb, server.port)
    state = until(bench, device, lambda state: state["agent"]["updates"])
    assert state["agent"]["updates"] == ["network error"]
    assert state["agent"]["config"] is None
    server.secret = "another"
    assert server.asked[0].headers["X-Request-Signature"] == server.signature(NUMBER)


def test_a_build_that_looks_at_signatures(one_phone: OnePhone, server: mdm.Mdm, tmp_path: Path) -> None:
    bench, device, adb = one_phone(state=FAST)
    adb.ok("install", agents.build(tmp_path, secret="ours", check_signature=True))
    server.secret = "ours"
    enrol(adb, server.port)
    assert until(bench, device, lambda state: state["agent"]["updates"])["agent"]["updates"] == ["network error"]
    server.sign_answers = True
    bench.send({"do": "agent", "serial": device.serial, "now": "update"})
    until(bench, device, lambda state: state["agent"]["updates"] == ["network error", "complete"])


def test_who_owns_nothing_restricts_nothing(enrolled: Enrolled, server: mdm.Mdm) -> None:
    server.config = {"restrictions": "no_sms", "applications": [app(server, OLD, "1.0", 1)]}
    phone = enrolled(server, owner=False)
    state = phone.state()
    assert (state["policy_restrictions"], READER in state["packages"]) == ([], False)
    info = server.wait_for("sync/info").body
    assert (info["mdmMode"], info["permissions"][0], "iccid" in info) == (False, 0, False)
    phone.adb.ok("shell", "pm grant com.hmdm.launcher android.permission.READ_PHONE_STATE")
    phone.order(do="agent", now="report")
    assert "iccid" not in server.wait_for("sync/info", count=2).body  # Android 10 and newer keep it for owners


# Apps and files ---------------------------------------------------------------------------------------------------


def app(server: mdm.Mdm, file: str, version: str, code: int, **more: object) -> dict[str, object]:
    data = (APPS / file).read_bytes()
    name = f"{hashlib.sha256(data).hexdigest()}/{file}"
    server.files[name] = data
    url = f"http://localhost:8080/files/{name}"
    return {"type": "app", "pkg": READER, "name": "Reader", "version": version, "code": code, "url": url, **more}


def test_apps_come_and_go(enrolled: Enrolled, server: mdm.Mdm) -> None:
    server.config = {"restrictions": "no_install_apps", "applications": [app(server, OLD, "1.0", 1)]}
    phone = enrolled(server)
    asked = server.wait_for("/files/")
    assert asked.headers["X-Request-Signature"] == server.signature(asked.path.partition("/files/")[2])
    state = phone.state()
    assert state["packages"][READER]["version_code"] == 1
    assert state["packages"][READER]["installer"] == "com.hmdm.launcher"
    assert server.wait_for("sync/info").body["applications"][0]["version"] == "1.0"
    assert state["policy_restrictions"] == ["no_install_apps"]

    server.config["applications"] = [app(server, NEW, "2.0", 2)]
    assert phone.update()["packages"][READER]["version_code"] == 2
    server.config["applications"] = [app(server, OLD, "1.0", 1)]  # older: not even fetched
    assert phone.update()["packages"][READER]["version_code"] == 2
    server.config["applications"] = [{"pkg": READER, "version": "0", "remove": True}]
    assert READER not in phone.update()["packages"]
    assert [one.path.rpartition("/")[2] for one in server.asked if "/files/" in one.path] == [OLD, NEW]


def test_an_app_that_the_phone_refuses_is_passed_over(enrolled: Enrolled, server: mdm.Mdm) -> None:
    server.config = {"restrictions": "no_sms", "applications": [app(server, OLD, "1.0", 1)]}
    phone = enrolled(server)
    server.config["applications"] = [app(server, OTHER, "9.0", 9), app(server, NEW, "2.0", 2) | {"pkg": "org.other"}]
    state = phone.update()
    assert state["agent"]["updates"][-1] == "complete"
    assert state["policy_restrictions"] == ["no_sms"]
    log = "\n".join(state["agent"]["log"])
    assert f"Install failed: {READER}: INSTALL_FAILED_UPDATE_INCOMPATIBLE" in log
    assert "Install failed: org.other: INSTALL_FAILED_INVALID_APK" in log
    assert state["packages"][READER]["version_code"] == 1


def test_it_replaces_itself(one_phone: OnePhone, server: mdm.Mdm, apk: Path, tmp_path: Path) -> None:
    bench, device, adb = one_phone("xiaomi-11-ready", state={**FAST, "switches": {"install_via_usb": True}})
    adb.ok("install", apk)
    adb.ok("shell", "dpm set-device-owner com.hmdm.launcher/.AdminReceiver")
    enrol(adb, server.port)
    until(bench, device, lambda state: state["agent"]["reports"])
    newer = agents.build(tmp_path, version=2, secret="new")
    server.files["agent"] = newer.read_bytes()
    url = "http://localhost:8080/files/agent"
    server.config = {"applications": [{"pkg": "com.hmdm.launcher", "version": "2.0", "code": 2, "url": url}]}
    bench.send({"do": "agent", "serial": device.serial, "now": "update"})
    state = until(bench, device, lambda state: state["agent"]["updates"][-2:] == ["gone", "complete"])
    assert state["packages"]["com.hmdm.launcher"]["version_code"] == 2
    assert state["owner"]["component"] == "com.hmdm.launcher/com.hmdm.launcher.AdminReceiver"
    assert state["agent"]["number"] == NUMBER
    server.secret = "new"
    last = [one for one in server.asked if "/sync/configuration/" in one.path][-1]
    assert last.headers["X-Request-Signature"] == server.signature(NUMBER)


@pytest.mark.parametrize("kind", ["applications", "files"])
def test_what_cannot_be_fetched_leaves_it_free(enrolled: Enrolled, server: mdm.Mdm, kind: str) -> None:
    server.config = {"restrictions": "no_sms"}
    phone = enrolled(server)
    url = "http://localhost:8080/files/not-there"
    server.config[kind] = [{"pkg": READER, "version": "1", "url": url, "path": "/a.txt", "lastUpdate": 1}]
    state = phone.update()
    assert "failed to download" in state["agent"]["updates"][-1]
    assert state["policy_restrictions"] == []


def test_an_answer_cut_short_is_none(enrolled: Enrolled, server: mdm.Mdm) -> None:
    server.config = {"restrictions": "no_sms"}
    phone = enrolled(server)
    server.files["f"] = b"x" * 500_000
    server.cut_at = 100_000
    server.config["files"] = [{"path": "f.bin", "url": "http://localhost:8080/files/f", "lastUpdate": 1}]
    state = phone.update()
    assert "failed to download file f.bin" in state["agent"]["updates"][-1]
    assert not [path for path in state["files"] if path.endswith(("f.bin", "/f"))]


def test_files_follow_the_time_of_the_server(enrolled: Enrolled, server: mdm.Mdm) -> None:
    server.files["one"] = b"first"
    row = {"path": "/Learning/one.txt", "url": "http://localhost:8080/files/one", "checksum": "c1", "lastUpdate": 5}
    server.config = {"files": [row]}
    phone = enrolled(server)
    place = "/storage/emulated/0/Learning/one.txt"
    assert phone.adb.ok("shell", f"cat {place}") == b"first"
    assert server.wait_for("sync/info").body["files"][0]["checksum"] == "c1"
    server.files["one"] = b"second"
    server.config["files"] = [row | {"checksum": "c2"}]
    phone.update()
    assert phone.adb.ok("shell", f"cat {place}") == b"first"
    server.config["files"] = [row | {"checksum": "c2", "lastUpdate": 6}]
    phone.update()
    assert phone.adb.ok("shell", f"cat {place}") == b"second"
    server.config["files"] = [row | {"remove": True}]
    assert place not in phone.update()["files"]


@pytest.mark.parametrize("path", ["../../../data/local/tmp/x", "a/../../../../system/x", "/../../obb"])
def test_no_file_outside_shared_storage(enrolled: Enrolled, server: mdm.Mdm, path: str) -> None:
    server.files["x"] = b"x"
    server.config = {"restrictions": "no_sms"}
    phone = enrolled(server)
    server.config["files"] = [{"path": path, "url": "http://localhost:8080/files/x", "lastUpdate": 1}]
    state = phone.update()
    assert "failed to create file" in state["agent"]["updates"][-1]
    assert not [name for name in state["files"] if name.endswith(("/x", "/obb"))]


# Told to wait for Wi-Fi --------------------------------------------------------------------------------------------


def waiting(server: mdm.Mdm, said: str | None) -> dict[str, object]:
    """A configuration that brings an app and a file, and takes a file away."""
    server.files["new"] = b"new"
    files = [
        {"path": "/Learning/new.txt", "url": "http://localhost:8080/files/new", "lastUpdate": 2},
        {"path": "/Learning/old.txt", "remove": True},
    ]
    apps = [app(server, OLD, "1.0", 1)]
    return {"restrictions": "no_sms,no_fun", "downloadUpdates": said, "files": files, "applications": apps}


def with_an_old_file(enrolled: Enrolled, server: mdm.Mdm) -> Phone:
    server.files["old"] = b"old"
    row = {"path": "/Learning/old.txt", "url": "http://localhost:8080/files/old", "lastUpdate": 1}
    server.config = {"restrictions": "no_sms", "files": [row]}
    return enrolled(server)


def fetched(server: mdm.Mdm) -> list[str]:
    return [one.path.rpartition("/")[2] for one in server.asked if "/files/" in one.path]


LEARNING = "/storage/emulated/0/Learning"


@pytest.mark.parametrize("away", [{"network": "mobile"}, {"online": False}])
def test_it_waits_for_wifi_and_is_restricted_meanwhile(
    enrolled: Enrolled, server: mdm.Mdm, away: dict[str, object]
) -> None:
    phone = with_an_old_file(enrolled, server)
    phone.order(do="internet", **away)
    server.config = waiting(server, "wifi")
    state = phone.update()
    assert state["agent"]["updates"][-1] == "complete"
    assert state["policy_restrictions"] == ["no_fun", "no_sms"]
    assert (fetched(server), READER in state["packages"]) == (["old"], False)
    assert f"{LEARNING}/old.txt" in state["files"]
    said = "\n".join(state["agent"]["log"])
    assert "Updating files not enabled: waiting for WiFi connection" in said
    assert "Application update not enabled: waiting for WiFi connection" in said
    report = [one for one in server.asked if "sync/info" in one.path][-1].body
    assert [row["path"] for row in report["files"]] == ["/Learning/old.txt"]

    phone.order(do="internet", online=True, network="wifi")
    assert fetched(server) == ["old"]  # not before its next update
    state = phone.update()
    assert fetched(server) == ["old", "new", OLD]
    assert state["packages"][READER]["version_code"] == 1
    assert [path for path in state["files"] if path.startswith(LEARNING)] == [f"{LEARNING}/new.txt"]


@pytest.mark.parametrize("said", ["UNLIMITED", None])
def test_by_any_other_word_it_fetches_at_once(enrolled: Enrolled, server: mdm.Mdm, said: str | None) -> None:
    phone = with_an_old_file(enrolled, server)
    phone.order(do="internet", network="mobile")
    server.config = waiting(server, said)
    assert READER in phone.update()["packages"]
    assert fetched(server) == ["old", "new", OLD]


def test_told_to_wait_for_wifi_with_nothing_to_fetch(enrolled: Enrolled, server: mdm.Mdm) -> None:
    phone = with_an_old_file(enrolled, server)
    phone.order(do="internet", network="mobile")
    server.config = server.config | {"downloadUpdates": "wifi", "restrictions": "no_fun"}
    state = phone.update()
    assert state["policy_restrictions"] == ["no_fun"]
    assert not [line for line in state["agent"]["log"] if "WiFi" in line]


def test_it_is_on_wifi_or_a_mobile_network(enrolled: Enrolled) -> None:
    phone = enrolled(start=False)
    assert phone.state()["internet"]["network"] == "wifi"
    assert "network is one of wifi, mobile, not '5g'" in phone.refused(do="internet", network="5g")
    phone.order(do="internet", network="mobile")
    phone.order(do="internet", online=True)
    assert phone.state()["internet"] == {"online": True, "network": "mobile", "hosts": {}}
