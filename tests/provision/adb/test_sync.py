"""Files: whole, in order, and with the phone's own reason when it does not take them."""

from __future__ import annotations

import errno
import io
import os
import struct
import threading
from pathlib import Path

import pytest

from provision.android.adb import RemoteStat, Sending
from provision.errors import DeviceError, NoAnswer, Refused, Unplugged
from tests.provision.adb.conftest import Attach
from tests.provision.adb.scripted import Handler, Talk

MODE = 0o100644


def sync_head(word: bytes, number: int) -> bytes:
    return struct.pack("<4sI", word, number)


def files_of(talk: Talk, taken: dict[str, tuple[bytes, int]], answer: bytes = sync_head(b"OKAY", 0)) -> None:
    """Take files until the other side ends, answering each with ``answer``."""
    name, content = "", b""
    while head := talk.read(8):
        word, number = struct.unpack("<4sI", head)
        if word == b"QUIT":
            return
        if word == b"SEND":
            name, content = talk.read(number).decode(), b""
        elif word == b"DATA":
            assert number <= 65536
            content += talk.read(number)
        else:
            assert word == b"DONE", word
            taken[name] = (content, number)
            talk.drip(answer)


def taking(taken: dict[str, tuple[bytes, int]]) -> Handler:
    def service(talk: Talk) -> None:
        assert talk.request() == "sync:"
        talk.okay()
        files_of(talk, taken)

    return service


def test_many_files_arrive_whole_in_one_round_trip(attach: Attach, tmp_path: Path) -> None:
    taken: dict[str, tuple[bytes, int]] = {}
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * 12345)
    files = [
        Sending(big, "/sdcard/Học/大.bin", 0o600, 1_600_000_000),
        Sending(b"", "/sdcard/empty", mtime=5),
        (b"x" * 65536, "/sdcard/one block", 0o644, 6),
        (b"x" * 65537, "/sdcard/one block, and a byte", 0o644, 7),
        *((b"%d" % at, f"/sdcard/small/{at}", 0o644, at) for at in range(500)),
    ]
    link = attach(taking(taken))
    told: list[int] = []
    link.push_many(files, told.append)
    assert link.round_trips == 1
    assert taken.pop("/sdcard/Học/大.bin,33152") == (big.read_bytes(), 1_600_000_000)
    assert taken.pop(f"/sdcard/empty,{MODE}") == (b"", 5)
    assert taken.pop(f"/sdcard/one block,{MODE}") == (b"x" * 65536, 6)
    assert taken.pop(f"/sdcard/one block, and a byte,{MODE}") == (b"x" * 65537, 7)
    assert taken == {f"/sdcard/small/{at},{MODE}": (b"%d" % at, at) for at in range(500)}
    assert sum(told) == big.stat().st_size + 65536 + 65537 + sum(len(str(at)) for at in range(500))


def test_no_files_are_no_round_trip(attach: Attach) -> None:
    link = attach(taking({}))
    link.push_many([])
    assert link.round_trips == 0


def test_a_file_keeps_its_own_time(attach: Attach, tmp_path: Path) -> None:
    taken: dict[str, tuple[bytes, int]] = {}
    path = tmp_path / "f"
    path.write_bytes(b"x")
    attach(taking(taken)).push(path, "/sdcard/f")
    assert taken == {f"/sdcard/f,{MODE}": (b"x", int(path.stat().st_mtime))}


@pytest.mark.parametrize("drains", [True, False])
def test_an_early_refusal_is_told_with_its_reason(attach: Attach, drains: bool) -> None:
    """The phone refuses at the first byte. Newer ones read on to the end, older ones just close."""
    reason = b"couldn't create file: No space left on device"

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read(8)
        talk.say(sync_head(b"FAIL", len(reason)) + reason)
        if drains:
            talk.read_to_end()

    sent: list[int] = []
    with pytest.raises(Refused) as caught:
        attach(service).push(bytes(64 << 20), "/sdcard/big", progress=sent.append)
    assert caught.value.evidence == reason.decode()
    assert "No space left" in caught.value.what
    assert "Free some space" in caught.value.next_action
    assert sum(sent) < 64 << 20


def test_a_refusal_names_the_file_that_it_is_about(attach: Attach) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.say(sync_head(b"OKAY", 0) + sync_head(b"FAIL", 6) + b"no way")
        talk.read_to_end()

    with pytest.raises(Refused, match=r"did not take /sdcard/b \[2J: no way"):
        attach(service).push_many([(b"", f"/sdcard/{name}", 0o644, 0) for name in ("a", "b\x1b[2J", "c")])


def test_a_cut_link_is_unplugged_and_names_the_file(attach: Attach) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read(100_000)

    with pytest.raises(Unplugged, match="while /sdcard/x was being sent"):
        attach(service).push(bytes(8 << 20), "/sdcard/x")


def test_a_phone_that_reads_no_more_is_not_waited_for_without_end(
    attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.android.adb._SILENCE", 0.3)
    given_up = threading.Event()

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read(1000)
        assert given_up.wait(60)

    with pytest.raises(NoAnswer):
        attach(service).push(bytes(64 << 20), "/sdcard/x")
    given_up.set()


def test_an_answer_out_of_place_is_refused(attach: Attach) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.say(b"WHAT" * 2)
        talk.read_to_end()

    with pytest.raises(Refused, match="broke the file transfer protocol"):
        attach(service).push(b"", "/sdcard/x")


@pytest.mark.parametrize("remote", ["/sdcard/a\0b", "/sdcard/" + "long" * 300])
def test_names_that_no_phone_takes(attach: Attach, remote: str) -> None:
    with pytest.raises(Refused, match="No phone takes a file name like this"):
        attach(taking({})).push(b"", remote)


def test_a_source_that_is_gone(attach: Attach, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="gone cannot be read: No such file"):
        attach(taking({})).push(tmp_path / "gone", "/sdcard/x")


def test_a_source_that_shrinks_while_it_is_sent(attach: Attach, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(64 << 20))

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read(1000)
        os.truncate(path, 1 << 20)
        talk.read_to_end()

    with pytest.raises(DeviceError, match="became shorter"):
        attach(service).push(path, "/sdcard/f")


def giving(data: bytes, *, drip: bool = False) -> Handler:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        _, length = struct.unpack("<4sI", talk.read(8))
        talk.read(length)
        (talk.drip if drip else talk.say)(data)

    return service


def test_pull_gives_all_of_a_file(attach: Attach) -> None:
    blocks = [bytes([at]) * 65536 for at in range(40)] + [b"the end"]
    data = b"".join(sync_head(b"DATA", len(block)) + block for block in blocks) + sync_head(b"DONE", 0)
    sink, told = io.BytesIO(), list[int]()
    attach(giving(data)).pull("/sdcard/x", sink, told.append)
    assert sink.getvalue() == b"".join(blocks)
    assert sum(told) == len(sink.getvalue())


def test_pull_of_what_drips(attach: Attach) -> None:
    sink = io.BytesIO()
    attach(giving(sync_head(b"DATA", 5) + b"12345" + sync_head(b"DONE", 0), drip=True)).pull("/x", sink)
    assert sink.getvalue() == b"12345"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (sync_head(b"FAIL", 9) + b"no such x", Refused),
        (sync_head(b"DATA", 100) + b"only this", Unplugged),
        (b"", Unplugged),
        (sync_head(b"OKAY", 0), Refused),
        (sync_head(b"DATA", 1 << 31), Refused),
    ],
)
def test_pull_never_returns_an_error_as_if_all_were_well(attach: Attach, data: bytes, error: type[DeviceError]) -> None:
    with pytest.raises(error):
        attach(giving(data)).pull("/sdcard/x", io.BytesIO())


def stat_2(error: int, mode: int = 0, size: int = 0, mtime: int = 0) -> bytes:
    return struct.pack("<4sIQQIIIIQqqq", b"STA2", error, 1, 2, mode, 1, 0, 0, size, 0, mtime, 0)


def test_stat_of_a_file_beyond_4_gib(attach: Attach) -> None:
    found = attach(giving(stat_2(0, MODE, 5 << 30, 1_700_000_000))).stat("/sdcard/x")
    assert found == RemoteStat(5 << 30, MODE, 1_700_000_000)


def test_stat_of_nothing_and_of_what_is_forbidden(attach: Attach) -> None:
    assert attach(giving(stat_2(errno.ENOENT))).stat("/sdcard/x") is None
    with pytest.raises(Refused, match="did not show /data/x: Permission denied"):
        attach(giving(stat_2(errno.EACCES))).stat("/data/x")


def test_stat_of_old_phones(attach: Attach) -> None:
    def old(*numbers: int) -> bytes:
        return struct.pack("<4sIII", b"STAT", *numbers)

    assert attach(giving(old(MODE, 12, 34)), features=b"").stat("/x") == RemoteStat(12, MODE, 34)
    assert attach(giving(old(0, 0, 0)), features=b"").stat("/x") is None
    with pytest.raises(Refused):
        attach(giving(b"DENT" + bytes(12)), features=b"").stat("/x")
