"""The keys by which iPhones and iPads know this computer, and the records of who trusts it: files for their owner only.

Nothing here knows a device, so that ``fleet doctor`` can look without one.
"""

from __future__ import annotations

import os
import plistlib
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from provision.errors import DeviceError
from provision.ios.keybag import KeybagError, write_once

_FILE = "this-computer"
"""No UDID, so that it is nobody's pair record."""

_PEMS = ("RootPrivateKey", "RootCertificate", "HostPrivateKey", "HostCertificate")


def file_of(records: Path) -> Path:
    """Where the keys are, in the folder of pair records."""
    return records / _FILE


def keys(records: Path) -> dict[str, Any]:
    """HostID (text), keys and certificates (PEM). Raises DeviceError, which tells of this computer, where they are
    damaged or cannot be read."""
    path = file_of(records)
    try:
        known = _plist(path)
    except OSError as error:
        raise DeviceError(
            f"On this computer, {path} cannot be read: {error.strerror}.", "See that this user may read and write it."
        ) from error
    if not isinstance(known, dict) or not _whole(known):
        raise DeviceError(
            f"On this computer, the keys by which iPhones and iPads know it are damaged: {path}.",
            "Delete that file and run again; the devices ask for trust anew.",
        )
    return known


def have_keys(records: Path, make: Callable[[], Mapping[str, Any]]) -> None:
    """See that there are keys, made by ``make`` at first use; two programs that make them at once end up with the same.
    Raises DeviceError."""
    path = file_of(records)
    if path.exists():
        return
    try:
        write_once(path, plistlib.dumps(dict(make())))
    except KeybagError as error:
        if not path.exists():  # else another program was faster
            raise DeviceError(f"On this computer: {error.what}", error.next_action) from error


def _whole(known: Mapping[str, Any]) -> bool:
    pems = (known.get(name) for name in _PEMS)
    return isinstance(known.get("HostID"), str) and all(isinstance(pem, bytes) and b"-----END" in pem for pem in pems)


def keep(records: Path, udid: str, record: bytes) -> None:
    """Save the pair record of a device, over an older one: whole or not at all. Raises DeviceError."""
    path = records / f"{udid}.plist"
    try:
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=records)  # for its owner only, from the first byte
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(record)
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise DeviceError(
            f"On this computer, {path} cannot be written: {error.strerror}.", "Free some space there, and run again."
        ) from error


def prepare(records: Path, udid: str) -> None:
    """See that the folder is there, nobody else's to read, and that the record of the device is whole or not there.
    Raises DeviceError."""
    path = records
    try:
        records.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix" and records.stat().st_mode & 0o077:
            records.chmod(0o700)
        path = records / f"{udid}.plist"
        if path.exists() and not isinstance(_plist(path), dict):
            path.unlink()
    except OSError as error:
        raise DeviceError(
            f"On this computer, {path} cannot be used: {error.strerror}.", "See that this user may read and write it."
        ) from error


def _plist(path: Path) -> Any:
    """What is in the file; ``None`` where it is damaged. Raises OSError."""
    try:
        return plistlib.loads(path.read_bytes())
    except (plistlib.InvalidFileException, ExpatError, ValueError, LookupError, OverflowError):
        return None
