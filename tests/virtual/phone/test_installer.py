"""Refusals that need an APK of a special make, built here with Debian's aapt2 and apksigner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.virtual.phone import play

FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
KEY = play.APPS / "keys" / "schoolbag-sample.p12"
MANIFEST = """<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="com.example.made">
  <application android:hasCode="false" android:label="Made" android:testOnly="true">
    <receiver android:name=".Admin" android:exported="true" android:permission="android.permission.BIND_DEVICE_ADMIN"/>
  </application>
</manifest>
"""

pytestmark = pytest.mark.skipif(
    not (FRAMEWORK.exists() and shutil.which("aapt2") and shutil.which("apksigner")), reason="needs Debian's aapt2"
)


def build(home: Path, target: int, *, v2: bool = True) -> bytes:
    """A signed test-only APK with a device admin, for this target SDK."""
    (home / "AndroidManifest.xml").write_text(MANIFEST)
    link: list[str | Path] = [
        "aapt2",
        "link",
        "-o",
        home / "made.apk",
        "--manifest",
        home / "AndroidManifest.xml",
        "-I",
        FRAMEWORK,
    ]
    link += ["--min-sdk-version", "21", "--target-sdk-version", str(target), "--version-code", "1"]
    subprocess.run(link, check=True, capture_output=True)
    sign: list[str | Path] = ["apksigner", "sign", "--ks", KEY, "--ks-type", "PKCS12", "--ks-pass", "pass:schoolbag"]
    sign += ["--ks-key-alias", "sample", "--v4-signing-enabled", "false", "--min-sdk-version", "21"]
    wanted = "true" if v2 else "false"
    sign += ["--v2-signing-enabled", wanted, "--v3-signing-enabled", wanted, home / "made.apk"]
    subprocess.run(sign, check=True, capture_output=True)
    return (home / "made.apk").read_bytes()


def test_an_old_target_is_refused_from_14_on(tmp_path: Path) -> None:
    apk = build(tmp_path, 22)
    new = play.make(tmp_path / "new", "pixel-15")
    assert play.install(new, apk, "-t").out == (
        "Failure [INSTALL_FAILED_DEPRECATED_SDK_VERSION: "
        "App package must target at least SDK version 24, but found 22]\n"
    )
    assert play.install(new, apk, "-t", "--bypass-low-target-sdk-block").out == "Success\n"
    assert play.install(play.make(tmp_path / "old", "pixel-13"), apk, "-t").out == "Success\n"


def test_a_new_target_needs_a_signature_of_version_2_from_11_on(tmp_path: Path) -> None:
    apk = build(tmp_path, 34, v2=False)
    assert play.install(play.make(tmp_path / "new", "pixel-11"), apk, "-t").out == (
        "Failure [INSTALL_PARSE_FAILED_NO_CERTIFICATES: "
        "No signature found in package of version 2 or newer for package com.example.made]\n"
    )
    assert play.install(play.make(tmp_path / "old", "samsung-9"), apk, "-t").out == "Success\n"


def test_a_test_only_owner_can_be_set_and_removed(tmp_path: Path) -> None:
    phone = play.make(tmp_path / "phone", "pixel-15")
    play.install(phone, build(tmp_path, 34), "-t")
    assert play.shell(phone, "dpm set-device-owner com.example.made/.Admin").code == 0
    assert phone.state()["owner"]["component"] == "com.example.made/com.example.made.Admin"
    assert play.shell(phone, "pm uninstall com.example.made").out == "Failure [DELETE_FAILED_DEVICE_POLICY_MANAGER]\n"
    removed = play.shell(phone, "dpm remove-active-admin com.example.made/.Admin")
    assert removed.out == "Success: Admin removed ComponentInfo{com.example.made/com.example.made.Admin}\n"
    assert play.shell(phone, "dpm list-owners").out == "no owners\n"
    assert play.shell(phone, "pm uninstall com.example.made").out == "Success\n"
