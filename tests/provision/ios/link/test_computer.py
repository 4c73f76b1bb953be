"""Our own side of pairing: keys and records, for their owner only, and what is said where they are damaged."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from provision.errors import DeviceError, NotReady
from provision.ios import computer
from tests.provision.ios.link.conftest import Iphones

_CUT = plistlib.dumps({"HostID": "A", **dict.fromkeys(computer._PEMS, b"-----BEGIN CERTIFICATE-----\nMIIC")})


@pytest.mark.parametrize("damage", [b"", b"garbage", b"<plist><dict/></plist>", _CUT[:200], _CUT])
def test_damaged_keys_are_not_the_devices_fault(iphone: Iphones, damage: bytes) -> None:
    iphone.records.mkdir()
    ours = computer.file_of(iphone.records)
    ours.write_bytes(damage)
    with pytest.raises(DeviceError, match="On this computer") as caught:
        iphone.attach(trust=5)
    assert not isinstance(caught.value, NotReady), "no tap on the device helps"
    assert str(ours) in caught.value.what
    assert "Delete that file" in caught.value.next_action
    ours.unlink()
    assert iphone.attach(trust=5).identity.serial == iphone.one.serial


def test_a_record_that_cannot_be_kept(iphone: Iphones) -> None:
    iphone.records.mkdir()
    (iphone.records / f"{iphone.one.address}.plist" / "in the way").mkdir(parents=True)
    with pytest.raises(DeviceError, match=r"On this computer, .* cannot be used"):
        iphone.attach(trust=5)


def test_a_damaged_record_counts_as_none(iphone: Iphones) -> None:
    iphone.records.mkdir()
    (iphone.records / f"{iphone.one.address}.plist").write_bytes(b"bplist00 cut short")
    assert iphone.attach(trust=5).identity.serial == iphone.one.serial


def test_nobody_else_reads_them(iphone: Iphones, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for a moment, nor where the folder was there before with wider rights."""
    iphone.records.mkdir(mode=0o755)
    modes: list[int] = []
    rename = Path.replace

    def look(path: Path, to: Path) -> Path:
        modes.append(path.stat().st_mode & 0o777)
        return rename(path, to)

    monkeypatch.setattr(Path, "replace", look)
    iphone.trusted()
    record = iphone.records / f"{iphone.one.address}.plist"
    paths = (iphone.records, record, computer.file_of(iphone.records))
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700, 0o600, 0o600]
    assert modes == [0o600]
    assert sorted(path.name for path in iphone.records.iterdir()) == sorted(path.name for path in paths[1:])
