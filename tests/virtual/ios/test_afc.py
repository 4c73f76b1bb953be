"""AFC: what it answers to each packet, that nothing leads out of its directory, and what fills a phone up."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.virtual.ios import afc
from provision.virtual.ios.afc_files import AfcError, Files, Status
from provision.virtual.ios.phone import Phone
from tests.virtual.ios.inside import DATA, STATUS, TOLD, Afc, served

CASES = yaml.safe_load((Path(__file__).parents[2] / "data/virtual/ios/afc.yaml").read_text("utf-8"))["cases"]
MEBI = 1 << 20


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone("iphone-17", {}, tmp_path / "phone")


@pytest.fixture
def talk(phone: Phone) -> Iterator[Afc]:
    with served(afc.serve, phone) as sock:
        yield Afc(sock)


def lay_out(root: Path, given: dict[str, Any]) -> None:
    for name, what in given.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif isinstance(what, dict):
            path.symlink_to(what["link"])
        else:
            path.write_text(what)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any], talk: Afc, phone: Phone) -> None:
    (phone.home.parent / "secret").write_text("nobody's business")
    lay_out(phone.home / "media", case.get("given", {}))
    handle = talk.open(*case["open"]) if "open" in case else 0

    name, *words = case["do"]
    status = talk.status(name, *(handle if word == "H" else word for word in words))

    assert Status(status) == Status(case["status"])
    assert (phone.home.parent / "secret").read_text() == "nobody's business"


def test_a_file_is_written_read_and_told_of(talk: Afc, phone: Phone) -> None:
    handle = talk.open("/DCIM/a.bin", 4)
    assert talk.status("write", handle, b"0123456789") == 0
    assert talk.do("tell", handle) == (TOLD, struct.pack("<Q", 10))
    assert talk.status("seek", handle, 0, 4) == 0
    assert talk.do("read", handle, 3) == (DATA, b"456")
    assert talk.status("seek", handle, 1, -2) == 0
    assert talk.do("read", handle, 1000) == (DATA, b"56789")
    assert talk.do("read", handle, 1000) == (DATA, b"")
    assert talk.status("resize", handle, 4) == 0
    assert talk.status("close", handle) == 0
    assert talk.status("time", 1_600_000_000_000_000_001, "/DCIM/a.bin") == 0

    _, told = talk.do("info", "/DCIM/a.bin")
    words = told.split(b"\0")
    info = dict(zip(words[::2], words[1::2], strict=False))
    assert (info[b"st_ifmt"], info[b"st_size"], info[b"st_mtime"]) == (b"S_IFREG", b"4", b"1600000000000000001")
    assert (phone.home / "media/DCIM/a.bin").read_bytes() == b"0123"
    _, told = talk.do("info", "/DCIM")
    assert told.startswith(b"st_size\x0064\0")
    assert talk.do("list", "/DCIM") == (DATA, b".\0..\0a.bin\0")


def test_what_is_appended_comes_at_the_end_wherever_it_stands(talk: Afc, phone: Phone) -> None:
    (phone.home / "media/a").write_bytes(b"one")
    handle = talk.open("/a", 6)
    assert talk.status("seek", handle, 0, 0) == 0
    assert talk.status("write", handle, b"two") == 0
    assert (phone.home / "media/a").read_bytes() == b"onetwo"


def test_unknown_and_unreadable_packets_are_refused_and_the_rest_goes_on(talk: Afc) -> None:
    assert talk.ask(0x16) == (STATUS, struct.pack("<Q", Status.OP_NOT_SUPPORTED))
    assert talk.ask(0x7777, b"what") == (STATUS, struct.pack("<Q", Status.UNKNOWN_PACKET_TYPE))
    assert talk.ask(0x10, b"abc") == (STATUS, struct.pack("<Q", Status.INVALID_ARG))
    assert talk.ask(0x09, b"\xff\xfe\0") == (STATUS, struct.pack("<Q", Status.INVALID_ARG))
    assert talk.ask(0x09, bytes(MEBI)) == (STATUS, struct.pack("<Q", Status.TOO_MUCH_DATA))
    assert talk.status("mkdir", "/still/there") == 0


def test_another_protocol_is_hung_up_on(phone: Phone) -> None:
    with served(afc.serve, phone) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: phone\r\n\r\n".ljust(40))
        answer = sock.recv(1000)
        assert struct.unpack("<Q", answer[40:]) == (Status.OP_HEADER_INVALID,)
        assert sock.recv(1000) == b""


def test_a_phone_fills_up_to_the_byte_and_recovers(tmp_path: Path) -> None:
    phone = Phone("iphone-17", {"capacity": 14_000_000_000 + 3 * MEBI, "filled": 0}, tmp_path / "phone")
    with served(afc.serve, phone) as sock:
        talk = Afc(sock)
        handle = talk.open("/a", 3)
        assert talk.status("write", handle, bytes(2 * MEBI)) == 0
        assert talk.status("write", handle, bytes(2 * MEBI)) == Status.NO_SPACE_LEFT
        assert (phone.home / "media/a").stat().st_size == 3 * MEBI
        assert phone.free() == 0
        assert talk.status("seek", handle, 0, 0) == 0
        assert talk.status("write", handle, b"over what is there") == 0
        assert talk.status("close", handle) == 0
        assert talk.status("remove", "/a") == 0
        handle = talk.open("/b", 3)
        assert talk.status("write", handle, bytes(MEBI)) == 0
        phone.full = True
        assert talk.status("write", handle, b"x") == Status.NO_SPACE_LEFT
        assert talk.do("device")[1].split(b"\0")[5] == b"0"


def test_open_files_are_closed_when_the_connection_ends(phone: Phone) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with served(afc.serve, phone) as sock:
        for number in range(20):
            Afc(sock).open(f"/{number}", 3)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# For any input ----------------------------------------------------------------------------------------------------

U64 = st.integers(0, 2**64 - 1)


@given(operation=U64, number=U64, length=st.integers(0, 1 << 40), data=st.data())
def test_headers_come_back_as_they_were(operation: int, number: int, length: int, data: st.DataObject) -> None:
    header = afc.Header(operation, number, length, data.draw(st.integers(0, length)))
    packed = header.pack()
    assert struct.unpack("<8sQQQQ", packed)[1] == 40 + length
    assert afc.unpack(packed) == header


@given(st.binary(min_size=40, max_size=40) | st.binary(min_size=32, max_size=32).map(lambda tail: afc.MAGIC + tail))
def test_what_is_no_header_is_told_apart(data: bytes) -> None:
    try:
        header = afc.unpack(data)
    except ValueError:
        return
    assert 0 <= header.parameters <= header.length


NAMES = st.sampled_from(["a", "b", "c", "..", ".", "", "link", "over", "Documents"])
PATHS = st.lists(NAMES, max_size=6).map("/".join)
LINKS = st.dictionaries(st.sampled_from(["link", "over", "a", "a/b"]), PATHS.filter(bool), max_size=4)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(links=LINKS, path=PATHS, only=st.sampled_from(["", "Documents"]))
def test_no_path_and_no_link_leads_out(
    links: dict[str, str], path: str, only: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("root") / "in"
    (root / "Documents").mkdir(parents=True)
    for name, target in links.items():
        place = root / name
        if not place.parent.is_symlink() and not place.is_symlink() and not place.parent.is_file():
            place.parent.mkdir(exist_ok=True)
            if not place.exists():
                place.symlink_to(target)
    files = Files(Phone("iphone-17", {}, root.parent / "phone"), root, only)
    try:
        found = files.resolve(path)
    except AfcError as error:
        assert error.status in (Status.PERM_DENIED, Status.INVALID_ARG)  # noqa: PT017
        return
    real = Path(found).resolve() if not Path(found).is_symlink() else Path(found)
    assert real.is_relative_to(root / only)
    assert str(real) == found


OPERATIONS = st.integers(0, 0x30).filter(lambda number: number not in (0, STATUS))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(OPERATIONS, st.binary(max_size=40) | PATHS.map(str.encode)), max_size=8))
def test_every_packet_is_answered(phone: Phone, packets: list[tuple[int, bytes]]) -> None:
    with served(afc.serve, phone) as sock:
        talk = Afc(sock)
        for operation, data in packets:
            answer, said = talk.ask(operation, data)
            assert answer != STATUS or len(said) == 8
        assert talk.do("device")[0] == DATA
