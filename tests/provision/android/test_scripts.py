"""What our scripts let leave the phone: run in this computer's shell, with programs that answer as a phone's do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from profiles.schema import Profile, ScreenLock
from profiles.secrets import Secret
from provision.android import cellular, locks, screen_lock
from provision.android.actions import Run
from provision.android.command import Command
from provision.model import Facts, Identity, Setup, Step, Unit
from provision.setting import Answer

PIN = "824613"
PHONE = Identity("android", "S1", "google", "Pixel", "13", 33)
ANY = Profile(profile="case")


def _on_phone(script: Command, folder: Path, **programs: str) -> Answer:
    """Run ``script`` where each of ``programs`` prints its text, and answer as adb would."""
    for name, says in programs.items():
        said = folder / f"{name}.txt"
        said.write_text(says, encoding="utf-8", errors="surrogateescape")
        program = folder / name
        program.write_text(f"#!/bin/sh\ncat '{said}'\n", encoding="utf-8")
        program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{script.raw} </dev/null 2>&1"],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        timeout=20,
        check=False,
    )
    return Answer(done.stdout.decode("utf-8", "replace"), done.returncode)


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=30), max_size=4
    )
)
def test_names_of_accounts_stay_on_the_phone(names: list[str], tmp_path: Path) -> None:
    rows = "".join(f"    Account {{name=§{name}§, type=com.google}}\n" for name in names)
    dump = f"User UserInfo{{0:Owner:c13}}:\n  Accounts: {len(names)}\n{rows}\n  Accounts History\n  1,§x§\n"
    answer = _on_phone(locks.probes(ANY, PHONE, False)["accounts"], tmp_path, dumpsys=dump)
    assert "§" not in answer.text
    assert set(answer.text.split()) <= {f"accounts={len(names)}", "type=com.google"}
    found = locks.parse({"accounts": answer}, ANY, PHONE).accounts
    assert found == ({"com.google": len(names)} if names else {})


def test_a_dump_that_was_refused_leaves_accounts_unknown(tmp_path: Path) -> None:
    said = "Permission Denial: can't dump AccountManager from pid=1, uid=2000\n"
    answer = _on_phone(locks.probes(ANY, PHONE, False)["accounts"], tmp_path, dumpsys=said)
    assert locks.parse({"accounts": answer}, ANY, PHONE).accounts is None


def _parcel(text: str) -> str:
    data = text.encode("utf-16-le") + b"\0\0"
    data += b"\0" * (-len(data) % 4)
    words = [0, len(text), *(int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4))]
    rows = [" ".join(f"{word:08x}" for word in words[at : at + 4]) for at in range(0, len(words), 4)]
    lines = [f"  0x{16 * at:08x}: {row:35} '................'" for at, row in enumerate(rows)]
    return "Result: Parcel(\n" + "\n".join(lines) + ")\n"


def test_the_iccid_comes_and_the_imsi_does_not(tmp_path: Path) -> None:
    probe = cellular.probes(ANY, PHONE, False)["iccid"]
    came = _on_phone(probe, tmp_path, service=_parcel("8984042123456789012"))
    assert cellular.decode(came.text) == "8984042123456789012"
    for number in ("452041234567890", "898404212345678", "+84912345678", ""):
        assert not _on_phone(probe, tmp_path, service=_parcel(number)).text, number


WITH_PIN = Profile(profile="case", screen_lock=ScreenLock(pin=Secret("pin", PIN)))


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the mark of a PIN of ours lies, on a phone that is this computer."""
    monkeypatch.setattr(screen_lock, "_MARK", str(tmp_path / "mark"))
    return tmp_path / "mark"


def _set_pin() -> Run:
    facts = Facts(PHONE, setup=Setup(screen_locked=False))
    [item] = screen_lock.plan(WITH_PIN, screen_lock.Found(), facts, Unit())
    assert isinstance(item.state, Step)
    [action] = item.state.actions
    assert isinstance(action, Run)
    return action


def test_the_phone_never_says_the_pin(tmp_path: Path, mark: Path) -> None:
    action = _set_pin()
    said = _on_phone(action.command, tmp_path, locksettings=f"Pin set to '{PIN}'\n")
    assert PIN not in said.text
    assert action.expect in said.text
    assert not mark.read_bytes(), "what is made of a short PIN, the PIN can be found from"
    probe = screen_lock.probes(WITH_PIN, PHONE, False)["verify"]
    other = _on_phone(probe, tmp_path, locksettings=f"Old password '{PIN}' didn't match\n")
    assert PIN not in other.text
    assert screen_lock.parse({"verify": other}, WITH_PIN, PHONE).lock is screen_lock.Lock.OTHER


def test_a_pin_is_tried_only_where_we_set_one_and_not_again_after_a_wrong_one(tmp_path: Path, mark: Path) -> None:
    probe = screen_lock.probes(WITH_PIN, PHONE, False)["verify"]
    right, wrong = "Lock credential verified successfully\n", f"Old password '{PIN}' didn't match\n"
    assert not _on_phone(probe, tmp_path, locksettings=right).text, "a lock that is not ours was tried"
    assert not mark.exists()
    _on_phone(_set_pin().command, tmp_path, locksettings=f"Pin set to '{PIN}'\n")
    for says in (right, "Request throttled\n", right, wrong):
        assert _on_phone(probe, tmp_path, locksettings=says).text
    assert not _on_phone(probe, tmp_path, locksettings=right).text


@pytest.mark.parametrize("says", ["Old password '' didn't match\n", "Request throttled\n", ""])
def test_a_pin_that_the_phone_did_not_take_leaves_no_mark(tmp_path: Path, mark: Path, says: str) -> None:
    _on_phone(_set_pin().command, tmp_path, locksettings=says)
    assert not mark.exists()
