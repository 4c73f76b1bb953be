"""App files that must not reach a phone: each is refused in one plain sentence, and none costs memory or patience."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.android import apk_manifest
from provision.android.apk import ApkError, for_device, read

APPS = Path(__file__).parents[3] / "examples/apps"
READER = APPS / "schoolbag-reader-1.apk"
MATHS = zipfile.ZipFile(io.BytesIO((APPS / "schoolbag-maths.xapk").read_bytes()))


def members(*names: str) -> dict[str, bytes]:
    return {name: MATHS.read(name) for name in names}


def bundle(path: Path, content: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def refusal(*paths: Path, cache: Path | None = None) -> str:
    with pytest.raises(ApkError) as refused:
        read(paths, cache)
    assert "\n" not in refused.value.what
    assert refused.value.next_action
    assert paths[0].name in refused.value.what
    return refused.value.what


def test_samples_that_are_no_good() -> None:
    assert "cut short" in refusal(APPS / "schoolbag-reader-truncated.apk")
    assert "not signed" in refusal(APPS / "schoolbag-reader-unsigned.apk")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.apk")
    assert "directory" in refusal(tmp_path)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x7fELF" + bytes(500)])
def test_not_an_app_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.apk"
    path.write_bytes(data)

    assert "not an app file" in refusal(path)


def test_zip_without_an_app(tmp_path: Path) -> None:
    assert "no APK" in refusal(bundle(tmp_path / "x.apks", {"readme.txt": b"hello"}))


def test_app_store_bundle(tmp_path: Path) -> None:
    assert ".aab" in refusal(
        bundle(tmp_path / "x.aab", {"BundleConfig.pb": b"", "base/manifest/AndroidManifest.xml": b""})
    )


def test_parts_of_other_apps_versions_and_signers(tmp_path: Path) -> None:
    base = bundle(tmp_path / "base.apks", members("base.apk"))
    vi = bundle(tmp_path / "vi.apks", members("config.vi.apk"))

    assert "another app" in refusal(READER, base, cache=tmp_path)
    assert "another version" in refusal(READER, APPS / "schoolbag-reader-2.apk")
    assert "another signer" in refusal(READER, APPS / "schoolbag-reader-other-signer.apk")
    assert "there twice" in refusal(base, base, cache=tmp_path)
    assert "base" in refusal(vi, cache=tmp_path)


def test_standalone_apps_are_not_parts(tmp_path: Path) -> None:
    path = bundle(tmp_path / "x.apks", {"standalones/standalone-arm64_v8a.apk": READER.read_bytes()})

    assert "per kind of phone" in refusal(path)


def test_copies_for_newer_androids_are_left_aside(tmp_path: Path) -> None:
    content = members("base.apk", "config.vi.apk")
    path = bundle(tmp_path / "x.apks", {
        "splits/base-master_2.apk": content["base.apk"], "splits/base-vi_2.apk": content["config.vi.apk"],
        "splits/base-master.apk": content["base.apk"], "splits/base-vi.apk": content["config.vi.apk"],
    })  # fmt: skip

    assert sorted(apk.name for apk in read([path], tmp_path / "cache").apks) == ["base", "config.vi"]


@pytest.mark.parametrize("name", ["../../etc/evil.apk", "/etc/evil.apk", "a\\evil.apk", "x\x1b[2J.apk", "a/../b.apk"])
def test_names_that_would_leave_their_place(tmp_path: Path, name: str) -> None:
    what = refusal(bundle(tmp_path / "x.apks", members("base.apk") | {name: b"PK"}), cache=tmp_path / "cache")

    assert "not safe" in what
    assert what.isprintable()
    assert not (tmp_path / "cache").exists()


def test_one_name_twice(tmp_path: Path) -> None:
    path = bundle(tmp_path / "x.apks", members("base.apk"))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("base.apk", READER.read_bytes())

    assert "not safe" in refusal(path, cache=tmp_path / "cache")


def test_bomb(tmp_path: Path) -> None:
    path = tmp_path / "x.apks"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("a.apk", "w") as bomb,
    ):
        for _ in range(80):
            bomb.write(bytes(1 << 20))

    assert "too large" in refusal(path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_damaged_member_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    data = bytearray(bundle(tmp_path / "x.apks", members("base.apk")).read_bytes())
    data[5000] ^= 0xFF
    path = tmp_path / "y.apks"
    path.write_bytes(data)

    assert "damaged" in refusal(path, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def xapk(tmp_path: Path, listing: object) -> Path:
    content = members("base.apk", "Android/obb/org.schoolbag.sample.maths/main.3.org.schoolbag.sample.maths.obb")
    return bundle(tmp_path / "x.xapk", {"manifest.json": json.dumps(listing).encode()} | content)


APK_LIST = [{"file": "base.apk", "id": "base"}]
OBB_FILE = "Android/obb/org.schoolbag.sample.maths/main.3.org.schoolbag.sample.maths.obb"


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        ([], "not a list of files"),
        ({"split_apks": "base.apk"}, "split_apks"),
        ({"split_apks": [{"id": "base"}]}, "has no file"),
        ({"split_apks": [{"file": "other.apk"}]}, "not in the file"),
        ({"split_apks": APK_LIST, "expansions": [{"file": OBB_FILE}]}, "has no install_path"),
        ({"split_apks": APK_LIST, "expansions": [{"file": OBB_FILE, "install_path": "../x.obb"}]}, "not its own"),
        (
            {"split_apks": APK_LIST, "expansions": [{"file": OBB_FILE, "install_path": "Android/obb/a/main.1.b.obb"}]},
            "not its own",
        ),
        (
            {
                "split_apks": APK_LIST,
                "expansions": [{"file": OBB_FILE, "install_path": "Android/obb/a.b/main.1.a.b.obb"}],
            },
            "not this app's",
        ),
    ],
)
def test_xapk_lists_that_lie(tmp_path: Path, listing: object, words: str) -> None:
    assert words in refusal(xapk(tmp_path, listing), cache=tmp_path / "cache")


def test_xapk_list_that_is_no_json(tmp_path: Path) -> None:
    assert "manifest.json" in refusal(bundle(tmp_path / "x.xapk", {"manifest.json": b"{", **members("base.apk")}))


def test_old_xapk_without_a_list_of_apks(tmp_path: Path) -> None:
    app = read([xapk(tmp_path, {"package_name": "x"})], tmp_path / "cache")

    assert [apk.name for apk in app.apks] == ["base"]
    assert app.obbs == ()


def test_app_for_another_processor() -> None:
    app = read([APPS / "schoolbag-arm64.apk"])

    assert [apk.name for apk in for_device(app, ["arm64-v8a"])] == ["base"]
    with pytest.raises(ApkError, match="arm64-v8a, the device takes armeabi-v7a"):
        for_device(app, ["armeabi-v7a", "armeabi"])


def with_signing_block_of_the_reader(path: Path) -> Path:
    """The block moved in front of the central directory of another zip."""
    reader, data = READER.read_bytes(), path.read_bytes()
    with zipfile.ZipFile(READER) as ours, zipfile.ZipFile(path) as theirs:
        (size,) = struct.unpack_from("<Q", reader, ours.start_dir - 24)
        block, at = reader[ours.start_dir - size - 8 : ours.start_dir], theirs.start_dir
    end = bytearray(data[at:])
    struct.pack_into("<I", end, len(end) - 6, at + len(block))
    path.write_bytes(data[:at] + block + end)
    return path


def test_an_unreadable_old_signature_is_none_beside_a_newer_one(tmp_path: Path) -> None:
    path = bundle(
        tmp_path / "old.apk", {"AndroidManifest.xml": MANIFEST, "META-INF/OLD.RSA": b"not quite to the letter"}
    )
    assert "signature is damaged" in refusal(path)

    signers = read([with_signing_block_of_the_reader(path)]).signers
    assert [signer.since for signer in signers] == [28, 24]


def test_memory_does_not_grow_with_the_app(tmp_path: Path) -> None:
    path = tmp_path / "big.apk"
    path.write_bytes(READER.read_bytes())
    with zipfile.ZipFile(path, "a") as archive, archive.open("assets/big", "w") as big:
        for _ in range(64):
            big.write(bytes(1 << 20))
    packed = bundle(tmp_path / "big.apks", {"base.apk": path.read_bytes()})
    tracemalloc.start()
    try:
        assert read([packed], tmp_path / "cache").size == read([path]).size > 64 << 20
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 << 20


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_app_is_read_or_refused_and_never_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(READER.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.apk"
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(ApkError):
        assert read([path]).apks


MANIFEST = zipfile.ZipFile(io.BytesIO(READER.read_bytes())).read("AndroidManifest.xml")


@given(st.data())
@settings(max_examples=200)
def test_a_damaged_manifest_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(MANIFEST)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ApkError):
        assert apk_manifest.parse(bytes(content[: data.draw(st.integers(0, len(content)))])).package


def utf8_manifest(name: str) -> bytes:
    """A manifest as some build tools write it: texts in UTF-8, attribute names left out, ids instead."""
    texts = ["", "manifest", "package", "org.example.app", name]
    units = [bytes(_short(len(t))) + bytes(_short(len(t.encode()))) + t.encode() + b"\0" for t in texts]
    offsets = [sum(map(len, units[:i])) for i in range(len(units))]
    body = b"".join(units)
    body += bytes(-len(body) % 4)
    start = 28 + 4 * len(texts)
    pool = struct.pack("<HHIIIIII", 1, 28, start + len(body), len(texts), 0, 1 << 8, start, 0)
    pool += struct.pack(f"<{len(texts)}I", *offsets) + body
    ids = struct.pack("<HHII", 0x0180, 8, 12, 0x0101021C)
    none = 0xFFFFFFFF
    attributes = struct.pack("<IIIHBBI", none, 2, 3, 8, 0, 3, 3) + struct.pack("<IIIHBBI", none, 0, 4, 8, 0, 3, 4)
    element = struct.pack("<HHIII", 0x0102, 16, 36 + len(attributes), 1, none)
    element += struct.pack("<IIHHHHHH", none, 1, 20, 20, 2, 0, 0, 0) + attributes
    content = pool + ids + element
    return struct.pack("<HHI", 3, 8, 8 + len(content)) + content


def _short(length: int) -> list[int]:
    return [length] if length < 128 else [0x80 | length >> 8, length & 0xFF]


@pytest.mark.parametrize("name", ["1.0", "Bản phát hành lớp 3", "版本" * 100, "x" * 5000])
def test_texts_in_utf8_of_any_length_and_attributes_without_names(name: str) -> None:
    manifest = apk_manifest.parse(utf8_manifest(name))

    assert (manifest.package, manifest.version_name) == ("org.example.app", name)


def test_reading_apps_leaves_the_log_alone() -> None:
    """apkInspector sets the root logger to DEBUG when it is imported."""
    code = "import logging; import provision.android.apk; r = logging.getLogger(); print(r.level, len(r.handlers))"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout

    assert said.split() == [str(logging.WARNING), "0"]
