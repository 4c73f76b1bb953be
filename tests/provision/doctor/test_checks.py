"""Each check, on a computer made of files, and what becomes of checks that fail."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provision.bench import Attached
from provision.device import Place
from provision.doctor import adb, computer, usb
from provision.doctor.check import Check, Mark, examine
from provision.doctor.host import Host, this_host
from provision.doors import OnBus
from provision.errors import NoAnswer, NoServer
from provision.ios.door import UsbmuxDoor
from tests.provision.adb.scripted import ScriptedServer, Talk
from tests.provision.usb.captures import case

GOOD, WARN, BAD = Mark.GOOD, Mark.WARN, Mark.BAD
ADB = "Android Debug Bridge version 1.0.{}\nVersion 34.0.5-debian\nInstalled as /usr/bin/adb\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A computer with nothing on it, whose clock is right."""
    return Host(
        root=tmp_path,
        environ={},
        user="lan",
        groups=frozenset({"lan"}),
        is_root=False,
        encoding="utf-8",
        may_open=lambda path: path.exists(),
        run=lambda argv: None,
        free=lambda path: 10_000_000_000,
        now=lambda: datetime.now(UTC),
    )


def marks(checks: Iterable[Check]) -> list[Mark]:
    found = list(checks)
    for check in found:
        assert check.what
        assert check.mend or check.mark is GOOD
    return [check.mark for check in found]


def saying(**answers: str) -> Callable[[Sequence[str]], str | None]:
    """A computer whose programs print this, by the name of the program."""
    return lambda argv: answers.get(Path(argv[0]).name)


def test_a_check_that_fails_hides_no_other() -> None:
    def fails(name: str) -> Iterable[Check]:
        yield Check(name, GOOD, "half of it")
        raise PermissionError(13, "Permission denied")

    def no_server(name: str) -> Iterable[Check]:
        raise NoServer("There is no adb program on this computer.", "Install it.")

    last = Check("last", GOOD, "fine")
    found = list(examine({"first": fails, "second": no_server, "last": lambda name: [replace(last, name=name)]}))

    assert found[0] == Check("first", GOOD, "half of it")
    assert (found[1].name, found[1].mark) == ("first", BAD)
    assert "PermissionError" in found[1].what
    assert found[2] == Check("second", BAD, "There is no adb program on this computer.", "Install it.")
    assert found[3] == last


# --- adb


def program(folder: Path, name: str = "adb") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_adb_program(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB", str(program(tmp_path / "bin")))

    (found,) = adb.program("adb", replace(host, run=saying(adb=ADB.format(41))))
    assert (found.mark, found.what) == (GOOD, f"{tmp_path}/bin/adb, version 1.0.41 (34.0.5-debian)")
    assert marks(adb.program("adb", replace(host, run=saying(adb=ADB.format(32))))) == [BAD]
    assert marks(adb.program("adb", replace(host, run=saying(adb="not adb")))) == [BAD]
    monkeypatch.setenv("ADB", str(tmp_path / "none"))
    assert marks(adb.program("adb", host)) == [BAD]


def test_a_second_adb_of_another_version(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other, same = (program(tmp_path / place) for place in ("ours", "kit/platform-tools", "same"))
    monkeypatch.setenv("ADB", str(ours))
    versions = {str(ours): 41, str(other): 39, str(same): 41}
    environ = {"PATH": f"{tmp_path}/ours:{tmp_path}/same:{tmp_path}/none", "ANDROID_HOME": f"{tmp_path}/kit"}
    found = list(adb.program("adb", replace(host, environ=environ, run=lambda argv: ADB.format(versions[argv[0]]))))

    assert marks(found) == [GOOD, WARN]
    assert f"{other} (1.0.39)" in found[1].what
    assert str(same) not in found[1].what


@pytest.mark.parametrize(("version", "mark"), [(b"0029", GOOD), (b"0028", BAD)])
def test_the_server_is_of_the_version_of_the_program(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: bytes, mark: Mark
) -> None:
    monkeypatch.setenv("ADB", str(program(tmp_path / "bin")))

    def answer(talk: Talk) -> None:
        talk.request()
        talk.okay(version)

    with ScriptedServer(answer) as scripted:
        assert marks(adb.server("adb server", replace(host, run=saying(adb=ADB.format(41))), scripted.server())) == [
            mark
        ]


def test_a_server_that_cannot_be_started(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB", str(tmp_path / "none"))
    with ScriptedServer(lambda talk: None) as scripted:
        closed = scripted.server()

    (found,) = examine({"adb server": lambda name: adb.server(name, host, closed)})
    assert found.mark is BAD
    assert found.mend


def process(root: Path, number: int, *words: str, environ: str = "") -> None:
    folder = root / "proc" / str(number)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (folder / "environ").write_bytes(environ.encode())


def test_two_servers_fight(host: Host, tmp_path: Path) -> None:
    process(tmp_path, 10, "adb", "-L", "tcp:5037", "fork-server", "server", "--reply-fd", "4")
    process(tmp_path, 11, "adb", "devices")
    process(tmp_path, 12, "/opt/adb", "-P", "41000", "nodaemon", "server", environ="A=1\0ADB_USB=0\0")
    process(tmp_path, 13, "vim", "server")
    (tmp_path / "proc/14").mkdir()
    assert marks(adb.servers("adb servers", host)) == [GOOD]

    process(tmp_path, 15, "/sdk/platform-tools/adb", "-L", "tcp:5038", "fork-server", "server")
    (found,) = adb.servers("adb servers", host)
    assert found.mark is WARN
    assert "process 15" in found.what


# --- USB


def plugged(host: Host, name: str, *, device_files: bool) -> Any:
    captured = case(name)
    captured.lay_out(host.root / "sys")
    (host.root / "dev/bus/usb").mkdir(parents=True)
    found = usb.usb_map(host, captured.devices())
    if device_files:
        for phone in found.phones:
            file = host.root / f"dev/bus/usb/{phone.bus:03}/{phone.number:03}"
            file.parent.mkdir(exist_ok=True)
            file.touch()
    return found


def rule(root: Path, name: str = "51-android.rules") -> None:
    (root / "etc/udev/rules.d").mkdir(parents=True)
    (root / "etc/udev/rules.d" / name).write_text('SUBSYSTEM=="usb", ATTR{idVendor}=="04e8", GROUP="plugdev"\n')


def test_phones_that_may_be_opened(host: Host) -> None:
    found = plugged(host, "seven-on-one-hub", device_files=True)
    assert marks(usb.rights("rights", host, found)) == [GOOD]


def test_phones_that_may_not_be_opened(host: Host) -> None:
    (found,) = usb.rights("rights", host, plugged(host, "seven-on-one-hub", device_files=False))

    assert found.mark is BAD
    assert "1-1.1, 1-1.2" in found.what
    assert "android-sdk-platform-tools-common" in found.mend
    assert "usermod -aG plugdev lan" in found.mend


def test_adb_knows_best_what_it_may_not_open(host: Host) -> None:
    rule(host.root)
    ready = replace(host, groups=frozenset({"plugdev"}))
    (found,) = usb.rights("rights", ready, plugged(host, "no-permissions", device_files=True))

    assert (found.mark, found.what) == (BAD, "This user may not open the phones at 1-3.")
    assert "udevadm" in found.mend


@pytest.mark.parametrize(
    ("rules", "groups", "is_root", "mark", "mend"),
    [
        ("51-android.rules", {"plugdev"}, False, GOOD, ""),
        ("51-android.rules", set(), False, WARN, "usermod"),
        ("70-printers.rules", {"plugdev"}, False, WARN, "apt install"),
        ("70-printers.rules", set(), True, GOOD, ""),
    ],
)
def test_rights_before_a_phone_is_there(
    host: Host, rules: str, groups: set[str], is_root: bool, mark: Mark, mend: str
) -> None:
    rule(host.root, rules)
    (host.root / "dev/bus/usb").mkdir(parents=True)
    (found,) = usb.rights("rights", replace(host, groups=frozenset(groups), is_root=is_root), usb.usb_map(host, []))

    assert found.mark is mark
    assert mend in found.mend


def test_a_computer_without_usb(host: Host) -> None:
    assert marks(usb.rights("rights", host, usb.usb_map(host, []))) == [WARN]


def test_limits(host: Host) -> None:
    assert marks(usb.bus("limits", plugged(host, "thirty-three-on-a-limit-of-32", device_files=False))) == [BAD]


def test_limits_do_not_tell_again_what_adb_says(host: Host) -> None:
    assert marks(usb.bus("limits", plugged(host, "no-permissions", device_files=False))) == [GOOD]


def test_the_kernels_log(host: Host) -> None:
    log = case("thirty-three-on-a-limit-of-32").log
    assert marks(usb.kernel_log("log", replace(host, run=saying(dmesg=log)))) == [WARN, WARN]
    assert marks(usb.kernel_log("log", replace(host, run=saying(dmesg="usb 1-1: Product: Pixel\n")))) == [GOOD]
    assert marks(usb.kernel_log("log", host)) == [GOOD]


def test_usbmuxd(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs it for Android; with an iPhone on the bus it has to answer."""
    monkeypatch.delenv("USBMUXD_SOCKET_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)  # the path of a socket may only be short
    monkeypatch.setattr("provision.ios.door._SOCKET", "usbmuxd")
    door = OnBus(UsbmuxDoor(tmp_path, lambda: None, {}, {}), tmp_path / "sys")
    looks = {"usbmuxd": lambda name: usb.usbmuxd(name, door)}
    assert marks(examine(looks)) == [WARN]

    case("on-the-bus-not-in-adb").lay_out(tmp_path / "sys")
    (bad,) = examine(looks)
    assert bad.mark is BAD
    assert bad.what.endswith("there is one at 1-1.5.")
    assert "apt install usbmuxd" in bad.mend

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("usbmuxd")
        listener.listen()
        assert marks(examine(looks)) == [GOOD]


def test_iphones_are_not_opened_by_this_user(host: Host) -> None:
    found = plugged(host, "on-the-bus-not-in-adb", device_files=False)
    (told,) = usb.rights("rights", host, found)
    assert "1-1.5" not in told.what
    assert "1-1.6" in told.what


def test_phones_that_do_not_answer_are_told() -> None:
    dead = Attached(
        Place("android", "A", "1-2", "device"),
        problem=NoAnswer("A (USB 1-2) is listed, but does not answer.", "Unplug it."),
    )
    first, last = usb.phones("phones", [dead])
    assert first == Check("phones", WARN, "A (USB 1-2) is listed, but does not answer.", "Unplug it.")
    assert last.what == "0 of 1 listed devices answer."
    assert marks(usb.phones("phones", [])) == [GOOD]


# --- the computer


@pytest.mark.parametrize(("free", "mark"), [(50_000_000, BAD), (1_000_000_000, WARN), (3_000_000_000, GOOD)])
def test_disk(host: Host, tmp_path: Path, free: int, mark: Mark) -> None:
    asked: list[Path] = []
    watched = replace(host, free=lambda path: asked.append(path) or free)  # type: ignore[func-returns-value]

    assert marks(computer.disk("disk", watched, tmp_path / "not/yet/there")) == [mark]
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("ahead", "said", "mark"),
    [(0, "yes\n", GOOD), (0, "no\n", WARN), (0, None, GOOD), (-3650, "yes\n", BAD), (36500, "yes\n", BAD)],
)
def test_clock(host: Host, ahead: int, said: str | None, mark: Mark) -> None:
    moved = replace(host, now=lambda: datetime.now(UTC) + timedelta(days=ahead), run=lambda argv: said)
    assert marks(computer.clock("clock", moved)) == [mark]


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", GOOD), ("UTF8", GOOD), ("ANSI_X3.4-1968", WARN), ("latin-1", WARN), ("", WARN)]
)
def test_terminal(host: Host, encoding: str, mark: Mark) -> None:
    assert marks(computer.terminal("terminal", replace(host, encoding=encoding))) == [mark]


def test_this_computer(tmp_path: Path) -> None:
    host = this_host()

    assert host.free(tmp_path) > 0
    assert host.run(["sh", "-c", "echo $LC_ALL"]) == "C\n"
    assert host.run(["sh", "-c", "exit 3"]) is None
    assert host.run(["no-such-program-here"]) is None
    assert host.may_open(tmp_path)
    assert host.user
