"""The phone's own APK reader, against Debian's aapt and apksigner."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.virtual.android.manifest import BadApk, read_apk
from provision.virtual.android.signer import java_hash
from tests.virtual.phone.play import APPS, REAL_APP

SIGNED = [REAL_APP, *(path for path in sorted(APPS.glob("*.apk")) if "truncated" not in path.name)]


def badging(path: Path) -> str:
    return subprocess.run(["aapt", "dump", "badging", path], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not shutil.which("aapt"), reason="needs Debian's aapt")
@pytest.mark.parametrize("path", SIGNED, ids=lambda path: path.name)
def test_reads_what_aapt_reads(path: Path) -> None:
    theirs, apk = badging(path), read_apk(path.read_bytes())
    first = re.search(r"package: name='(.*?)' versionCode='(.*?)' versionName='(.*?)'", theirs)
    assert first is not None
    assert (apk.package, str(apk.version_code), apk.version_name) == first.groups()
    assert set(apk.permissions) == set(re.findall(r"uses-permission: name='(.*?)'", theirs))
    assert apk.test_only == ("testOnly='-1'" in theirs)
    assert apk.debuggable == ("application-debuggable" in theirs)
    assert re.findall(r"sdkVersion:'(\d+)'", theirs)[:1] == [str(apk.min_sdk)]
    assert re.findall(r"targetSdkVersion:'(\d+)'", theirs) == [str(apk.target_sdk)]
    natives = re.search(r"native-code: (.*)", theirs)
    assert apk.abis == (set(re.findall(r"'(.*?)'", natives.group(1))) if natives else set())


@pytest.mark.skipif(not shutil.which("apksigner"), reason="needs Debian's apksigner")
def test_finds_the_signer_that_apksigner_finds() -> None:
    done = subprocess.run(
        ["apksigner", "verify", "--print-certs", "--min-sdk-version", "24", REAL_APP],
        capture_output=True,
        text=True,
        check=True,
    )
    signer = read_apk(REAL_APP.read_bytes()).signer
    assert signer is not None
    assert hashlib.sha256(signer.certificate).hexdigest() in done.stdout


def test_an_unsigned_apk_has_no_signer() -> None:
    assert read_apk((APPS / "schoolbag-reader-unsigned.apk").read_bytes()).signer is None


def test_the_hash_is_that_of_java() -> None:
    """Arrays.hashCode of {}, {0}, {-1} and {1, 2}, by hand: 1, 31, 30, (31 + 1) * 31 + 2."""
    assert [java_hash(data) for data in (b"", b"\0", b"\xff", b"\1\2")] == ["1", "1f", "1e", f"{994:x}"]


@settings(max_examples=60)
@given(st.data())
def test_damage_is_refused_and_never_a_crash(data: st.DataObject) -> None:
    apk = bytearray((APPS / "schoolbag-reader-1.apk").read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        apk[data.draw(st.integers(0, len(apk) - 1))] = data.draw(st.integers(0, 255))
    del apk[data.draw(st.integers(0, len(apk))) :]
    with contextlib.suppress(BadApk):
        read_apk(bytes(apk))
