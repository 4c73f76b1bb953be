"""What the phone remembers: settings of odd values, install sessions whatever the order, faults, lost connections."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from provision.virtual.android import presets
from provision.virtual.android.process import Disconnected
from tests.virtual.phone import play

READER = [(play.APPS / f"schoolbag-reader-{version}.apk").read_bytes() for version in (1, 2)]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


class Cable:
    """A standard input that gives its bytes, then the cable is pulled."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int, /) -> bytes:
        if not self.data:
            raise Disconnected
        part, self.data = self.data[:size], self.data[size:]
        return part


def test_a_file_that_goes_while_somebody_looks_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = play.make(tmp_path, "pixel-13")
    shared = "/storage/emulated/0"
    for name in ("download.part", "there.txt"):
        phone.files.create(f"{shared}/{name}").close()
    digest = phone.files.digest

    def after_it_went(path: str, *, uid: int) -> str:
        if path.endswith(".part"):
            phone.files.unlink(path)
        return digest(path, uid=uid)

    monkeypatch.setattr(phone.files, "digest", after_it_went)
    assert set(phone.files.inventory(shared)) == {f"{shared}/there.txt"}


@pytest.mark.parametrize("preset", presets.names())
def test_every_preset_tells_its_state_as_json(preset: str, tmp_path: Path) -> None:
    phone = play.make(tmp_path, preset)
    state = json.loads(json.dumps(phone.state()))
    assert state["serial"] == play.shell(phone, "getprop ro.serialno").out.strip()
    assert str(state["api"]) == play.shell(phone, "getprop ro.build.version.sdk").out.strip()
    for digits in [*state["imei"], *(sim["iccid"] for sim in state["sims"] if sim["iccid"])]:
        assert presets.luhn(digits[:-1]) == digits
    assert all(sim["iccid"].startswith(("8984", "8986")) for sim in state["sims"] if sim["iccid"])


def test_a_seed_makes_another_phone_of_the_same_kind(tmp_path: Path) -> None:
    one, other = (play.make(tmp_path / str(seed), "pixel-13", {"seed": seed}).state() for seed in (1, 2))
    assert one["serial"] != other["serial"]
    assert set(one["imei"]).isdisjoint(other["imei"])
    assert one["sims"][0]["iccid"] != other["sims"][0]["iccid"]


@settings(max_examples=60)
@given(key=TEXT.filter(lambda key: key.strip() and not key.startswith("-")), value=TEXT)
def test_settings_give_back_what_was_put(key: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        phone = play.make(Path(home), "pixel-13")
        put = play.shell(phone, f"settings put global {shlex.quote(key)} {shlex.quote(value)}")
        assert put == play.Answer("", "", 0)
        assert play.shell(phone, f"settings get global {shlex.quote(key)}").out == f"{value}\n"
        assert play.shell(phone, f"settings delete global {shlex.quote(key)}").out == "Deleted 1 rows\n"


@pytest.mark.parametrize("cut", [0, 1, 4000])
def test_a_lost_connection_leaves_nothing_of_a_streamed_install(cut: int, tmp_path: Path) -> None:
    phone = play.make(tmp_path, "pixel-13")
    used = phone.files.used
    with pytest.raises(Disconnected):
        play.shell(phone, f"cmd package install -S {len(READER[0])}", Cable(READER[0][:cut]))
    assert phone.state()["sessions"] == []
    assert phone.files.used == used
    assert play.install(phone, READER[0]).out == "Success\n"
    assert phone.state()["installs"] == {"org.schoolbag.sample.reader": 1}


def test_a_lost_connection_leaves_the_session_open_without_the_half_file(tmp_path: Path) -> None:
    phone = play.make(tmp_path, "pixel-13")
    number = int(play.shell(phone, "pm install-create").out.split("[")[1].rstrip("]\n"))
    with pytest.raises(Disconnected):
        play.shell(phone, f"pm install-write -S {len(READER[0])} {number} base.apk -", Cable(READER[0][:100]))
    assert phone.state()["sessions"] == [{"id": number, "staged": []}]
    assert play.shell(phone, f"pm install-abandon {number}").out == "Success\n"
    assert phone.state()["sessions"] == []


def test_an_update_keeps_uid_and_permissions_and_takes_no_room_of_the_old(tmp_path: Path) -> None:
    phone = play.make(tmp_path, "pixel-13")
    play.install(phone, READER[0])
    before, used = phone.state()["packages"]["org.schoolbag.sample.reader"], phone.files.used
    play.install(phone, READER[1])
    after = phone.state()["packages"]["org.schoolbag.sample.reader"]
    assert (after["uid"], after["signer"]) == (before["uid"], before["signer"])
    assert (before["version_code"], after["version_code"]) == (1, 2)
    assert phone.files.used - used == len(READER[1]) - len(READER[0])
    path = play.shell(phone, "pm path org.schoolbag.sample.reader").out.strip().removeprefix("package:")
    assert phone.files.read_bytes(path, uid=0) == READER[1]


def test_a_full_phone_refuses_the_session_and_a_broken_one_the_commit(tmp_path: Path) -> None:
    phone = play.make(tmp_path, "pixel-13", capacity=4000)
    assert "not enough space" in play.install(phone, READER[0]).err
    number = int(play.shell(phone, "pm install-create").out.split("[")[1].rstrip("]\n"))
    late = play.shell(phone, f"pm install-write -S {len(READER[0])} {number} base.apk -", READER[0])
    assert (late.err, late.code) == ("Error: failed to write; write failed: ENOSPC (No space left on device)\n", 1)


def test_faults_of_the_bench(tmp_path: Path) -> None:
    phone = play.make(tmp_path, "pixel-13")
    slept: list[float] = []
    phone.sleep = slept.append
    phone.faults.slow_install = 10.0
    phone.faults.install_refused = "INSTALL_FAILED_ABORTED: User rejected permissions"
    assert play.install(phone, READER[0]).out == "Failure [INSTALL_FAILED_ABORTED: User rejected permissions]\n"
    assert slept == [pytest.approx(len(READER[0]) / 1e5)]
    phone.faults.install_refused, phone.faults.storage_full = None, True
    assert play.install(phone, READER[0]).out.startswith("Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE")
    assert "org.schoolbag.sample.reader" not in phone.state()["packages"]


class Sessions(RuleBasedStateMachine):
    """Sessions opened, written, committed and abandoned in any order, against a plain model of them."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.phone = play.make(Path(self.home.name), "pixel-13")
        self.sessions: dict[int, set[int]] = {}
        self.installed = 0

    def teardown(self) -> None:
        self.home.cleanup()

    @rule()
    def create(self) -> None:
        answer = play.shell(self.phone, "pm install-create -r")
        self.sessions[int(answer.out.split("[")[1].rstrip("]\n"))] = set()

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), version=st.sampled_from([1, 2]))
    def write(self, data: st.DataObject, version: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.sessions)))
        apk = READER[version - 1]
        answer = play.shell(self.phone, f"pm install-write -S {len(apk)} {number} {version}.apk -", apk)
        assert answer.out == f"Success: streamed {len(apk)} bytes\n"
        self.sessions[number].add(version)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.sessions)))
        answer = play.shell(self.phone, f"pm install-commit {number}")
        staged = self.sessions.pop(number)
        if len(staged) == 1 and max(staged) >= self.installed:
            assert answer.out == "Success\n"
            self.installed = max(staged)
        else:
            assert answer.out.startswith("Failure [INSTALL_FAILED_")

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.sessions)))
        assert play.shell(self.phone, f"pm install-abandon {number}").out == "Success\n"
        del self.sessions[number]

    @rule()
    def uninstall(self) -> None:
        answer = play.shell(self.phone, "pm uninstall org.schoolbag.sample.reader")
        assert answer.out == ("Success\n" if self.installed else "Failure [DELETE_FAILED_INTERNAL_ERROR]\n")
        self.installed = 0

    @invariant()
    def phone_agrees(self) -> None:
        state = self.phone.state()
        assert {row["id"]: len(row["staged"]) for row in state["sessions"]} == {
            number: len(staged) for number, staged in self.sessions.items()
        }
        package = state["packages"].get("org.schoolbag.sample.reader")
        assert (package["version_code"] if package else 0) == self.installed
        apks = sum(len(READER[version - 1]) for staged in self.sessions.values() for version in staged)
        assert self.phone.files.used == apks + (len(READER[self.installed - 1]) if self.installed else 0)


Sessions.TestCase.settings = settings(max_examples=20, stateful_step_count=15)
TestSessions = Sessions.TestCase
