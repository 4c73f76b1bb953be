"""What the agent expects, word by word: signatures, the enrolment file, and an answer in which nothing is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.agents import configuration, headwind
from provision.agents.configuration import Orders, answer
from provision.android import agent_document
from provision.android.agent_document import document

EXAMPLES = Path(__file__).parents[3] / "examples"
FIELDS = (Path(__file__).parents[2] / "data/agents/fields.txt").read_text(encoding="utf-8")
PROFILE = f"""
profile: owned
apps:
  - {{id: reader, android: {{package: org.schoolbag.sample.reader, file: {EXAMPLES}/apps/schoolbag-reader-2.apk}}}}
  - {{id: maths, android: {{package: org.schoolbag.sample.maths, file: {EXAMPLES}/apps/schoolbag-maths.apks}}}}
  - {{id: there, android: {{package: com.android.chrome}}}}
content: [{{id: grade-3, from: files, to: Learning/grade-3}}]
restrictions:
  install_apps: deny
  private_space: deny
  sms: allow
  debugging: deny
  camera: deny
  remove: [{{android: com.example.game}}, {{ios: com.example.other}}]
identity: {{time_zone: Asia/Ho_Chi_Minh}}
owner: {{agent: headwind, file: {EXAMPLES}/apps/schoolbag-reader-1.apk, secret: !secret agent, server: "https://a.example"}}
"""


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "bài 1.txt").write_text("một")
    (tmp_path / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    return load(str(tmp_path / "profile.yaml"), Secrets({"FLEET_SECRET_AGENT": "swordfish"}))


def said(told: dict[str, Any], **changed: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"api": 36, "number": "N1", "base": "http://localhost:8080", "home": False}
    return answer(told, **{**asked, **changed})


def test_a_signature_is_that_of_sha1_in_capitals() -> None:
    assert headwind.signature("abc", "") == "A9993E364706816ABA3E25717850C26C9CD0D89D"
    assert headwind.signature("a", "bc") == "A9993E364706816ABA3E25717850C26C9CD0D89D"


def test_what_is_signed_of_a_poll_is_its_path() -> None:
    assert headwind.polled("a/b c", long=True) == "/rest/notification/polling/a%2Fb%20c"
    assert headwind.polled("N1", long=False) == "/rest/notifications/device/N1"


def test_the_enrolment_file_is_a_map_of_texts_and_names_no_other_server() -> None:
    told = json.loads(headwind.enrolment("N1", "http://localhost:8080"))

    assert set(told) == {f"com.hmdm.{key}" for key in ("DEVICE_ID", "BASE_URL", "SECONDARY_BASE_URL", "SERVER_PROJECT")}
    assert all(isinstance(value, str) for value in told.values())
    assert told["com.hmdm.BASE_URL"] == told["com.hmdm.SECONDARY_BASE_URL"] == "http://localhost:8080"


def test_the_document_says_what_a_server_needs_and_no_secret(profile: Profile) -> None:
    told = document(profile)

    assert told["restrictions"] == {"no_install_apps": 21, "no_add_private_profile": 35, "no_debugging_features": 21}
    assert [(app["pkg"], app["code"], app["version"]) for app in told["apps"]] == [
        ("org.schoolbag.sample.reader", 2, "2.0")
    ]
    assert told["left_out"] == ["org.schoolbag.sample.maths"], "the agent installs single APKs only"
    assert [(file["path"], file["size"]) for file in told["files"]] == [("Learning/grade-3/bài 1.txt", 5)]
    assert told["removed"] == ["com.example.game"]
    assert (told["secret"], told["server"], told["time_zone"]) == ("agent", "https://a.example", "Asia/Ho_Chi_Minh")
    assert "swordfish" not in json.dumps(told)
    assert told["digest"] == profile.digest


def test_the_files_are_those_that_the_document_names(profile: Profile) -> None:
    told = document(profile)

    assert set(agent_document.files(profile)) == {part["sha256"] for part in (*told["apps"], *told["files"])}


def test_an_answer_has_every_field_that_the_agent_reads(profile: Profile) -> None:
    groups: dict[str, set[str]] = {}
    for line in FIELDS.splitlines():
        if line and not line.startswith("#"):
            group, _, names = line.partition(": ")
            groups[group] = set(names.split())
    full = said(document(profile))

    assert set(full) == groups["data"]
    assert {key for app in full["applications"] for key in app} == groups["applications"]
    assert {key for file in full["files"] for key in file} == groups["files"]
    assert all(set(app) == groups["applications"] for app in full["applications"])
    json.dumps(full)


def test_a_phone_is_told_the_rules_that_its_android_knows(profile: Profile) -> None:
    told = document(profile)

    assert said(told, api=33)["restrictions"] == "no_install_apps"
    assert said(told, api=35)["restrictions"] == "no_install_apps,no_add_private_profile"


def test_debugging_is_only_ended_where_the_server_at_home_has_seen_the_phone(profile: Profile) -> None:
    told = document(profile)

    assert "no_debugging_features" not in said(told)["restrictions"]
    assert said(told, home=True)["restrictions"].endswith("no_debugging_features")


def test_nothing_is_named_that_is_not_there(profile: Profile) -> None:
    full = said(document(profile), holds=lambda _: False)

    assert full["files"] == []
    assert [app["pkg"] for app in full["applications"]] == ["com.example.game"], "what is removed needs no bytes"


def test_orders_are_told_and_nothing_else_wipes_or_locks(profile: Profile) -> None:
    told = document(profile)
    quiet, loud = said(told), said(told, orders=Orders(lock="Lost", reboot=True, wipe=True, location_off=True))

    assert [quiet[key] for key in ("lock", "lockMessage", "reboot", "factoryReset", "gps")] == [
        False, "", False, False, None,
    ]  # fmt: skip
    assert [loud[key] for key in ("lock", "lockMessage", "reboot", "factoryReset", "gps")] == [
        True, "Lost", True, True, False,
    ]  # fmt: skip
    assert said(told, orders=Orders(lock=""))["lock"] is True


def test_what_keeps_android_from_wiping_is_lifted_for_a_wipe(profile: Profile) -> None:
    told = {**document(profile), "restrictions": {"no_sms": 21, "no_factory_reset": 21}}
    assert said(told)["restrictions"] == "no_sms,no_factory_reset"
    assert said(told, orders=Orders(wipe=True))["restrictions"] == "no_sms"


def test_it_may_be_told_to_fetch_by_wifi_alone_and_is_named_all_of_it(profile: Profile) -> None:
    at_once, by_wifi = said(document(profile)), said(document(profile), wifi=True)

    assert (at_once["downloadUpdates"], by_wifi["downloadUpdates"]) == ("UNLIMITED", "wifi")
    assert {**by_wifi, "downloadUpdates": "UNLIMITED"} == at_once


def test_where_it_moves_to_is_told_when_it_is_asked_for(profile: Profile) -> None:
    assert said(document(profile))["newServerUrl"] == ""
    assert said(document(profile), new_server="https://a.example")["newServerUrl"] == "https://a.example"


def test_a_changed_file_is_newer_than_what_the_agent_has_noted(profile: Profile) -> None:
    (file,) = said(document(profile), stamps={"Learning/grade-3/bài 1.txt": 4})["files"]

    assert file["lastUpdate"] == 4
    assert said(document(profile))["files"][0]["lastUpdate"] == 0


def test_an_address_holds_nothing_that_has_to_be_escaped(profile: Profile) -> None:
    (file,) = said(document(profile))["files"]

    assert file["url"] == f"http://localhost:8080/files/{document(profile)['files'][0]['sha256']}/b_i_1.txt"
    assert file["path"] == "/Learning/grade-3/bài 1.txt"


@given(st.text(max_size=200))
def test_a_place_is_one_name_below_its_hash(name: str) -> None:
    sha256, _, last = configuration.place("ab" * 32, name).partition("/")

    assert sha256 == "ab" * 32
    assert last
    assert last not in {".", ".."}
    assert "/" not in last
    assert last.isascii()
