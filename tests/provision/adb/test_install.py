"""Installing: the script that goes to the phone is run by this computer's sh, with a package manager of the test."""

from __future__ import annotations

import hashlib
import queue
import subprocess
from pathlib import Path

import pytest

from provision.android import install
from provision.errors import DeviceError, NoAnswer, Refused, Unplugged
from tests.provision.adb.conftest import Attach
from tests.provision.adb.scripted import Handler, Talk, programs, real_shell

# Answers as the package manager does, and writes down what it was asked; $0.d holds what the case prescribes.
PM = r"""
take() { [ -e "$0.d/early" ] || head -c "$1" | sha256sum >>"$0.log"; }
say() { if [ -e "$0.d/$1" ]; then cat "$0.d/$1"; else printf "$2\n"; fi; }
what=$1
printf '%s|' "$@" >>"$0.log"; echo >>"$0.log"
case $what in
install) shift $(($# - 1)); take "$1"; say install Success ;;
install-create) say create 'Success: created install session [1729]' ;;
install-write) take "$3"; say "write-$5" "Success: streamed $3 bytes" ;;
install-commit) say commit Success ;;
install-abandon) echo Success ;;
esac
"""


class Manager:
    """The package manager of a test."""

    def __init__(self, directory: Path) -> None:
        self.path = programs(directory, pm=PM, cmd='shift; exec pm "$@"')
        (self.path / "pm.d").mkdir()

    @property
    def phone(self) -> Handler:
        return real_shell(self.path)

    @property
    def log(self) -> list[str]:
        return (self.path / "pm.log").read_text().splitlines()

    def prescribe(self, step: str, answer: bytes) -> None:
        (self.path / "pm.d" / step).write_bytes(answer)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manager:
    monkeypatch.setattr(install, "KEPT", str(tmp_path / "kept"))
    return Manager(tmp_path / "bin")


@pytest.fixture
def apks(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "base.apk", tmp_path / "split 'vi'; reboot.apk", tmp_path / "empty.apk"]
    for path, content in zip(paths, (b"\0commit\n" * 300_000, b"split", b""), strict=True):
        path.write_bytes(content)
    return paths


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() + "  -"


def test_one_apk_is_streamed(attach: Attach, manager: Manager, apks: list[Path]) -> None:
    link, told = attach(manager.phone), list[int]()
    assert link.install(apks[:1], ["-r", "-i", "it's; rm -rf /"], told.append) == "Success"
    assert manager.log == ["install|-r|-i|it's; rm -rf /|-S|2400000|", digest(apks[0])]
    assert sum(told) == 2_400_000
    assert link.round_trips == 1


@pytest.mark.parametrize("features", [b"cmd", b""])
def test_several_apks_are_one_session_in_one_round_trip(
    attach: Attach, manager: Manager, apks: list[Path], features: bytes
) -> None:
    link = attach(manager.phone, features=features)
    assert link.install(apks, ["-r", "--user", "0 1"]) == "Success"
    assert manager.log == [
        "install-create|-r|--user|0 1|-S|2400005|",
        "install-write|-S|2400000|1729|0.apk|-|",
        digest(apks[0]),
        "install-write|-S|5|1729|1.apk|-|",
        digest(apks[1]),
        "install-write|-S|0|1729|2.apk|-|",
        digest(apks[2]),
        "install-commit|1729|",
    ]
    assert link.round_trips == 1


def test_before_android_7_one_apk_is_a_session_too(attach: Attach, manager: Manager, apks: list[Path]) -> None:
    assert attach(manager.phone, features=b"").install(apks[:1]) == "Success"
    assert [line.split("|")[0] for line in manager.log if "|" in line] == [
        "install-create",
        "install-write",
        "install-commit",
    ]


def test_noise_before_success_does_not_hide_it(attach: Attach, manager: Manager, apks: list[Path]) -> None:
    manager.prescribe("install", b"open: Permission failed\r\nSuccess\r\n")
    assert attach(manager.phone).install(apks[:1]) == "Success"


FAILURES = [
    b"Failure [INSTALL_FAILED_ALREADY_EXISTS: Attempt to re-install x without first uninstalling.]",
    b"Failure [INSTALL_FAILED_USER_RESTRICTED: Install canceled by user]",
    b"Error: failed to write; Success is far\xff",
    b"\nException occurred while executing 'install':\njava.lang.SecurityException: no\n\tat x",
]


@pytest.mark.parametrize("verdict", FAILURES)
@pytest.mark.parametrize("early", [True, False])
def test_a_refusal_is_the_phones_own_text_also_when_it_is_early(
    attach: Attach, manager: Manager, tmp_path: Path, verdict: bytes, early: bool
) -> None:
    big = tmp_path / "big.apk"
    big.write_bytes(bytes(30 << 20))
    manager.prescribe("install", verdict)
    if early:
        manager.prescribe("early", b"")
    with pytest.raises(Refused, match=r"refused big\.apk") as caught:
        attach(manager.phone).install([big])
    assert caught.value.evidence == verdict.decode("utf-8", "replace").strip()
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("step", ["create", "write-0.apk", "write-1.apk", "commit"])
def test_a_refused_session_is_abandoned_and_the_step_tells_why(
    attach: Attach, manager: Manager, apks: list[Path], step: str
) -> None:
    verdict = b"Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE: no room]"
    manager.prescribe(step, verdict)
    with pytest.raises(Refused, match="INSUFFICIENT_STORAGE") as caught:
        attach(manager.phone).install(apks)
    assert caught.value.evidence == verdict.decode()
    if step == "create":
        assert len(manager.log) == 1
    else:
        assert manager.log[-1] == "install-abandon|1729|"


def test_a_success_in_the_middle_of_a_line_is_none(attach: Attach, manager: Manager, apks: list[Path]) -> None:
    manager.prescribe("write-1.apk", b"Error: failed to write; Success is far")
    with pytest.raises(Refused, match="failed to write"):
        attach(manager.phone).install(apks)
    assert manager.log[-1] == "install-abandon|1729|"


def test_a_session_without_a_number_is_not_written_to(attach: Attach, manager: Manager, apks: list[Path]) -> None:
    manager.prescribe("create", b"Success")
    with pytest.raises(Refused):
        attach(manager.phone).install(apks)
    assert [line.split("|")[0] for line in manager.log] == ["install-create"]


@pytest.mark.parametrize("kept", [0, 1000, 2_399_999, 2_400_000, 2_400_004, 2_400_005, 2_400_011])
def test_a_pulled_cable_leaves_no_session(attach: Attach, manager: Manager, apks: list[Path], kept: int) -> None:
    """Cut after ``kept`` bytes: in an APK, between two, and before the last word. The shell on the phone lives on."""
    ended = queue.SimpleQueue[int]()

    def service(talk: Talk) -> None:
        script = talk.request().removeprefix("exec:")
        talk.okay()
        content = talk.read(kept)
        talk.socket.close()
        done = subprocess.run(
            ["/bin/sh", "-c", script], input=content, env={"PATH": str(manager.path)}, timeout=10, check=False
        )
        ended.put(done.returncode)

    with pytest.raises(Unplugged, match=r"while base\.apk and 1 more was being installed"):
        attach(service).install(apks[:2])
    assert ended.get(timeout=60) == 1
    assert manager.log[-1] == "install-abandon|1729|"
    assert not any(line.startswith("install-commit") for line in manager.log)


def test_a_session_that_was_left_is_abandoned_by_the_next_install(
    attach: Attach, manager: Manager, apks: list[Path], tmp_path: Path
) -> None:
    """Some phones end all scripts with the cable, so that nobody is there to abandon it."""
    (tmp_path / "kept").write_text("1234\n")
    link = attach(manager.phone)
    assert link.install(apks) == "Success"
    assert link.install(apks) == "Success"
    steps = [line.split("|")[:2] for line in manager.log if "|" in line]
    assert steps[:2] == [["install-abandon", "1234"], ["install-create", "-S"]]
    assert [step for step, _ in steps].count("install-abandon") == 1
    assert not (tmp_path / "kept").exists()


def test_the_verdict_is_not_waited_for_without_end(attach: Attach, apks: list[Path]) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read_to_end()

    with pytest.raises(NoAnswer, match=r"did not say in time whether it installed base\.apk"):
        attach(service).install(apks[:1], timeout=0.3)


def test_an_end_without_a_verdict_is_unplugged(attach: Attach, apks: list[Path]) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read(1000)

    with pytest.raises(Unplugged):
        attach(service).install(apks[:1])


def test_a_verdict_without_end_is_refused(attach: Attach, apks: list[Path]) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        while True:
            talk.say(b"noise\n" * 10_000)

    with pytest.raises(Refused, match="answers without end"):
        attach(service).install(apks[:1])


@pytest.mark.parametrize("count", [1, 2])
def test_an_apk_that_is_gone(attach: Attach, manager: Manager, tmp_path: Path, count: int) -> None:
    with pytest.raises(DeviceError, match=r"gone\.apk cannot be read"):
        attach(manager.phone).install([tmp_path / "gone.apk"] * count)
