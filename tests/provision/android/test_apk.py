"""App files against independent truth: Debian's aapt and apksigner say what each sample is, and we have to agree."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provision.android.apk import AppFiles, for_device, read

ROOT = Path(__file__).parents[3]
APPS = ROOT / "examples/apps"
SIGNED = sorted(p for p in APPS.glob("*.apk") if not p.stem.endswith(("unsigned", "truncated")))
BUNDLES = [APPS / f"schoolbag-maths.{kind}" for kind in ("apks", "xapk", "apkm")]
FIRST_SIGNER = "47d21fecf64bc2d0cd12a3619d66ec879b7b5cad7f4c0239fb331bce01c355b9"


def third_party() -> Path:
    spec = importlib.util.find_spec("uiautomator2")
    assert spec
    assert spec.origin
    return next(Path(spec.origin).parent.glob("assets/*.apk"))


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def key(name: str) -> list[str | Path]:
    return ["--ks", APPS / f"keys/{name}-sample.p12", "--ks-type", "PKCS12", "--ks-pass", "pass:schoolbag"]


def needs(tool: str) -> None:
    assert shutil.which(tool), f"{tool} is missing: make test installs what .ci/apt.txt lists"


@pytest.mark.parametrize("path", [*SIGNED, third_party()], ids=lambda path: path.name)
def test_manifest_is_what_aapt_says(path: Path) -> None:
    needs("aapt")
    badging = run("aapt", "dump", "badging", path)
    app = read([path])

    package = re.search(r"^package: name='(.*?)' versionCode='(\d+)' versionName='(.*?)'", badging)
    assert package
    assert (app.package, str(app.version_code), app.version_name) == package.groups()
    assert [str(app.min_sdk)] == re.findall(r"^sdkVersion:'(\d+)'", badging, re.MULTILINE)
    assert [str(app.target_sdk)] == re.findall(r"^targetSdkVersion:'(\d+)'", badging, re.MULTILINE)
    assert set(app.permissions) == set(re.findall(r"^uses-permission: name='(.*?)'", badging, re.MULTILINE))
    assert app.test_only == ("testOnly=" in badging)
    native = re.search(r"^native-code: (.*)", badging, re.MULTILINE)
    assert app.abis == frozenset(re.findall(r"'(.*?)'", native[1]) if native else ())


@pytest.mark.parametrize("path", [*SIGNED, third_party()], ids=lambda path: path.name)
@pytest.mark.parametrize("api", [21, 33])
def test_signer_is_what_apksigner_says(path: Path, api: int, tmp_path: Path) -> None:
    """For each Android of its own: that is what --min/--max-sdk-version make apksigner look at."""
    needs("apksigner")
    app = read([path])
    api = max(api, app.min_sdk)
    said = run(
        "apksigner", "verify", "--print-certs", "--min-sdk-version", str(api), "--max-sdk-version", str(api), path
    )
    signer = app.signer_for(api)

    assert signer
    assert [signer.sha256] == re.findall(r"Signer #1 certificate SHA-256 digest: ([0-9a-f]{64})", said)


def test_short_form_of_a_signer_is_java_s_hash_of_its_certificate(tmp_path: Path) -> None:
    """Computed once by Java itself: Arrays.hashCode of the certificate that keytool -exportcert wrote."""
    assert read([APPS / "schoolbag-reader-1.apk"]).signer_short == "9787785f"
    assert read([APPS / "schoolbag-reader-other-signer.apk"]).signer_short == "162071d7"


def test_a_changed_key_is_known_with_the_one_that_it_replaces(tmp_path: Path) -> None:
    needs("apksigner")
    sample, other = key("schoolbag"), key("other")
    run("apksigner", "rotate", "--out", tmp_path / "lineage", "--old-signer", *sample, "--new-signer", *other)
    apk = tmp_path / "rotated.apk"
    run("apksigner", "sign", *sample, "--next-signer", *other, "--lineage", tmp_path / "lineage", "--out", apk,
        "--v4-signing-enabled", "false", APPS / "schoolbag-reader-1.apk")  # fmt: skip
    app = read([apk])

    old, new = app.signer_for(24), app.signer_for(28)
    assert old
    assert new
    assert (old.short, new.short) == ("9787785f", "162071d7")
    assert new.replaces == {old.short}
    assert not old.replaces
    assert app.signer == new.sha256


def test_an_app_signed_only_for_new_androids_has_no_signer_on_old_ones(tmp_path: Path) -> None:
    needs("apksigner")
    apk = tmp_path / "new.apk"
    run("apksigner", "sign", *key("schoolbag"), "--v1-signing-enabled", "false", "--v2-signing-enabled", "false",
        "--v4-signing-enabled", "false", "--min-sdk-version", "28", "--out", apk,
        APPS / "schoolbag-reader-unsigned.apk")  # fmt: skip
    app = read([apk])

    assert app.signer == FIRST_SIGNER
    assert app.signer_for(28) == app.signers[0]
    assert app.signer_for(27) is None


@pytest.fixture(params=BUNDLES, ids=lambda path: path.suffix)
def maths(request: pytest.FixtureRequest, tmp_path: Path) -> AppFiles:
    return read([request.param], tmp_path)


def test_bundles_of_all_kinds_give_the_same_app(maths: AppFiles) -> None:
    assert (maths.package, maths.version_code, maths.signer) == ("org.schoolbag.sample.maths", 3, FIRST_SIGNER)
    assert maths.abis == {"arm64-v8a", "armeabi-v7a"}
    assert set(maths.permissions) == {"android.permission.CAMERA"}
    assert {apk.name for apk in maths.apks} == {
        "base", "config.vi", "config.zh", "config.arm64_v8a", "config.armeabi_v7a"
    }  # fmt: skip


def test_what_is_in_a_bundle_comes_out_as_it_was_put_in(maths: AppFiles, tmp_path: Path) -> None:
    needs("apksigner")
    with zipfile.ZipFile(APPS / "schoolbag-maths.xapk") as bundle:
        for apk in maths.apks:
            assert apk.path.read_bytes() == bundle.read(f"{apk.name}.apk")
            assert apk.path.stat().st_size == apk.size
    run("apksigner", "verify", "--min-sdk-version", "21", next(apk.path for apk in maths.apks if apk.name == "base"))
    assert not list(tmp_path.rglob("*.part"))


def test_expansion_files_are_those_of_the_list(tmp_path: Path) -> None:
    (obb,) = read([APPS / "schoolbag-maths.xapk"], tmp_path).obbs

    assert obb.name == "main.3.org.schoolbag.sample.maths.obb"
    assert obb.path.read_bytes() == (APPS / "src/maths/exercises.txt").read_bytes()
    assert obb.size == obb.path.stat().st_size


def test_apks_given_one_by_one_are_one_app(maths: AppFiles) -> None:
    again = read([apk.path for apk in maths.apks])

    assert {(apk.name, apk.sha256) for apk in again.apks} == {(apk.name, apk.sha256) for apk in maths.apks}
    assert again.abis == maths.abis


@pytest.mark.parametrize(
    ("abis", "expected"),
    [
        (["arm64-v8a", "armeabi-v7a", "armeabi"], "config.arm64_v8a"),
        (["armeabi-v7a", "armeabi"], "config.armeabi_v7a"),
        (["x86_64", "x86", "armeabi-v7a"], "config.armeabi_v7a"),
    ],
)
def test_a_device_gets_the_base_first_its_processor_and_every_language(
    maths: AppFiles, abis: list[str], expected: str
) -> None:
    assert [apk.name for apk in for_device(maths, abis)] == ["base", expected, "config.vi", "config.zh"]


def test_many_phones_share_one_reading(tmp_path: Path) -> None:
    bundle = tmp_path / "maths.apks"
    bundle.write_bytes((APPS / "schoolbag-maths.apks").read_bytes())
    with ThreadPoolExecutor(30) as phones:
        found = list(phones.map(lambda _: read([bundle], tmp_path / "cache"), range(30)))

    assert all(app is found[0] for app in found)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "reader.apk"
    path.write_bytes((APPS / "schoolbag-reader-1.apk").read_bytes())
    before = read([path])
    path.write_bytes((APPS / "schoolbag-reader-2.apk").read_bytes())

    assert (before.version_code, read([path]).version_code) == (1, 2)


@pytest.mark.slow
def test_the_sample_apps_are_what_their_sources_make(tmp_path: Path) -> None:
    """Other versions of the tools may write other bytes, never another app."""
    run(APPS / "build.sh", tmp_path)
    for path in [*SIGNED, *BUNDLES]:
        built, committed = read([tmp_path / path.name], tmp_path), read([path], tmp_path)
        assert _essence(built) == _essence(committed)


def _essence(app: AppFiles) -> tuple[object, ...]:
    return (
        app.package, app.version_code, app.version_name, app.min_sdk, app.target_sdk, app.abis, dict(app.permissions),
        app.test_only, app.signers, [apk.name for apk in app.apks], [(obb.name, obb.sha256) for obb in app.obbs],
    )  # fmt: skip
