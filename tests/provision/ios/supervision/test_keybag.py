"""The keybag: made, kept for its owner's eyes, read again; what is wrong with one is told, its key never."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.ios import keybag
from provision.ios.keybag import Keybag, KeybagError


@pytest.fixture(scope="session")
def bag() -> Keybag:
    return keybag.create("Trường Tiểu học A")


@pytest.fixture(scope="session")
def other() -> Keybag:
    return keybag.create("Riverside School District")


def test_it_comes_back_from_its_file_as_it_was(bag: Keybag, tmp_path: Path) -> None:
    file = tmp_path / "supervision" / "keybag.pem"
    keybag.save(bag, file)
    assert keybag.load(file) == bag
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["keybag.pem"]


def test_other_programs_take_it_for_what_it_is(bag: Keybag, tmp_path: Path) -> None:
    file = tmp_path / "keybag.pem"
    keybag.save(bag, file)
    said = subprocess.run(
        ["openssl", "x509", "-in", file, "-noout", "-subject", "-nameopt", "utf8", "-checkend", str(9 * 365 * 86400)],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout
    assert "Trường Tiểu học A" in said
    assert "will not expire" in said
    key = subprocess.run(
        ["openssl", "rsa", "-in", file, "-noout", "-text"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "2048 bit" in key.stdout


def test_it_ends_after_ten_years() -> None:
    made = keybag.create("A", datetime(2025, 3, 1, 8, tzinfo=UTC))
    assert made.ends == datetime(2035, 3, 1, 8, tzinfo=UTC)
    assert not made.expired(datetime(2035, 3, 1, 8, tzinfo=UTC))
    assert made.expired(datetime(2035, 3, 1, 8, tzinfo=UTC) + timedelta(seconds=1))


def test_its_key_is_never_shown(bag: Keybag) -> None:
    body = bag.key.decode().splitlines()[1]
    assert body not in f"{bag} {bag!r}"
    assert "PRIVATE" not in f"{bag!r}"


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines", "bell\a"])
def test_names_that_no_certificate_holds(name: str) -> None:
    with pytest.raises(KeybagError, match="1 to 64"):
        keybag.create(name)


def test_nothing_is_written_over(bag: Keybag, other: Keybag, tmp_path: Path) -> None:
    file = tmp_path / "keybag.pem"
    keybag.save(bag, file)
    with pytest.raises(KeybagError, match="is there already"):
        keybag.save(other, file)
    assert keybag.load(file) == bag
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused_with_the_cure(bag: Keybag, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keybag.pem"
    keybag.save(bag, file)
    file.chmod(mode)
    with pytest.raises(KeybagError) as caught:
        keybag.load(file)
    assert caught.value.next_action == f"Run: chmod 600 {file}"
    subprocess.run(caught.value.next_action.removeprefix("Run: ").split(), check=True, timeout=10)
    assert keybag.load(file) == bag


def _certificate_of(file: Path) -> bytes:
    return b"-----BEGIN CERTIFICATE" + file.read_bytes().partition(b"-----BEGIN CERTIFICATE")[2]


SPOILT: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("empty", lambda _: b"", "damaged"),
    ("cut off", lambda whole: whole[: len(whole) // 2], "damaged"),
    ("only the key", lambda whole: whole.partition(b"-----BEGIN CERTIFICATE")[0], "damaged"),
    ("only the certificate", lambda whole: whole[whole.index(b"-----BEGIN CERTIFICATE") :], "damaged"),
    ("something else", lambda _: b"\x00\x01 not a keybag", "damaged"),
]


@pytest.mark.parametrize(("spoil", "said"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_a_damaged_file_is_told_with_the_way_back(
    bag: Keybag, tmp_path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    file = tmp_path / "keybag.pem"
    keybag.save(bag, file)
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(KeybagError, match=said) as caught:
        keybag.load(file)
    assert "restore" in caught.value.next_action
    assert "PRIVATE KEY" not in str(caught.value)


def test_a_key_of_another_certificate_is_refused(bag: Keybag, other: Keybag, tmp_path: Path) -> None:
    one, two = tmp_path / "one.pem", tmp_path / "two.pem"
    keybag.save(bag, one)
    keybag.save(other, two)
    mixed = tmp_path / "mixed.pem"
    keybag.write_once(mixed, bag.key + _certificate_of(two))
    with pytest.raises(KeybagError, match="do not belong together"):
        keybag.load(mixed)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeybagError, match="cannot be read"):
        keybag.load(tmp_path / "nowhere.pem")


def test_a_usb_stick_takes_a_backup(bag: Keybag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT and exFAT have no links."""

    def no(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no)
    monkeypatch.setattr(os, "symlink", no)
    file = tmp_path / "keybag.p12"
    keybag.write_once(file, b"whole")
    assert file.read_bytes() == b"whole"
    with pytest.raises(KeybagError, match="is there already"):
        keybag.write_once(file, b"another")
    assert [entry.name for entry in tmp_path.iterdir()] == ["keybag.p12"]


def test_what_does_not_fit_is_not_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeybagError, match="No space left"):
        keybag.write_once(tmp_path / "keybag.p12", b"whole")
    assert not list(tmp_path.iterdir())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2900), byte=st.integers(0, 255), length=st.integers(0, 40))
def test_no_bytes_break_the_reading(bag: Keybag, tmp_path: Path, at: int, byte: int, length: int) -> None:
    """Whatever a disk makes of the file: it is this keybag, or it is told; nothing else comes out."""
    file = tmp_path / "spoilt.pem"
    file.unlink(missing_ok=True)
    keybag.save(bag, file)
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + bytes([byte]) * length + whole[at + length :])
    try:
        found = keybag.load(file)
    except KeybagError as error:
        assert "PRIVATE" not in str(error)  # noqa: PT017
    else:
        assert found.certificate == bag.certificate
