"""Stand-ins for the agents' APKs, built with Debian's aapt2 and apksigner: the package, its admin, its activity.

What runs in them is played by the virtual phones (``provision/virtual/android/headwind``, ``testdpc.py``).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
KEYS = Path(__file__).parents[2] / "examples" / "apps" / "keys"
SECRET = "changeme-C3z9vi54"
BUILDABLE = FRAMEWORK.exists() and shutil.which("aapt2") is not None and shutil.which("apksigner") is not None

_MANIFEST = """<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{package}">
  <uses-permission android:name="android.permission.READ_PHONE_STATE"/>
  <uses-permission android:name="android.permission.ACCESS_FINE_LOCATION"/>
  <application android:hasCode="false" android:label="{package}">
    <activity android:name="{activity}" android:exported="true"/>
    <receiver android:name="{receiver}" android:exported="true"
        android:permission="android.permission.BIND_DEVICE_ADMIN"/>
  </application>
</manifest>
"""
_AGENTS = {
    "headwind": ("com.hmdm.launcher", ".ui.MainActivity", ".AdminReceiver"),
    "testdpc": ("com.afwsamples.testdpc", ".PolicyManagementActivity", ".DeviceAdminReceiver"),
}


def build(
    home: Path,
    agent: str = "headwind",
    *,
    secret: str | None = None,
    check_signature: bool = False,
    version: int = 1,
    key: str = "schoolbag-sample",
) -> Path:
    """The signed APK of ``headwind`` or ``testdpc`` in ``home``; ``key`` is a file of examples/apps/keys.

    ``secret`` is what is compiled into Headwind's (its own default without one), ``check_signature`` whether it looks
    at what signs the answers to it.
    """
    package, activity, receiver = _AGENTS[agent]
    home.mkdir(parents=True, exist_ok=True)
    (home / "assets").mkdir(exist_ok=True)
    if secret is not None or check_signature:
        given = {"secret": secret or SECRET, "check_signature": check_signature}
        (home / "assets" / "agent.json").write_text(json.dumps(given))
    manifest = home / "AndroidManifest.xml"
    manifest.write_text(_MANIFEST.format(package=package, activity=activity, receiver=receiver))
    apk = home / f"{agent}-{version}.apk"
    link: list[str | Path] = [
        "aapt2",
        "link",
        "-o",
        apk,
        "--manifest",
        manifest,
        "-I",
        FRAMEWORK,
        "-A",
        home / "assets",
    ]
    link += ["--min-sdk-version", "26" if agent == "headwind" else "21", "--target-sdk-version", "34"]
    link += ["--version-code", str(version), "--version-name", f"{version}.0"]
    subprocess.run(link, check=True, capture_output=True)
    sign: list[str | Path] = ["apksigner", "sign", "--ks", KEYS / f"{key}.p12", "--ks-type", "PKCS12"]
    sign += ["--ks-pass", "pass:schoolbag", "--ks-key-alias", "sample", "--v4-signing-enabled", "false"]
    sign += ["--min-sdk-version", "24", apk]
    subprocess.run(sign, check=True, capture_output=True)
    return apk
