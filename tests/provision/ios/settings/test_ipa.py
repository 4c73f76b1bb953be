"""IPAs, read on the host: what they say, and every way in which they cannot be installed."""

from __future__ import annotations

import contextlib
import plistlib
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from profiles.errors import ProfileError
from profiles.load import load
from profiles.schema import IosApp
from profiles.secrets import Secrets
from provision.ios import ipa, preflight
from provision.ios.ipa import IpaError
from tests.ipas import TEAM, make_ipa

UDID = "00008101-000A1B2C3D4E001E"


def test_an_ipa_says_what_it_is(tmp_path: Path) -> None:
    path = make_ipa(
        tmp_path / "Toán.ipa",
        "org.example.maths",
        version="34",
        short="1.2",
        devices=[UDID.lower()],
        shares_files=True,
        min_os="13.1",
        family=(2,),
        size=100_000,
        title="Toán lớp 3",
        expires=datetime(2031, 5, 1, tzinfo=UTC),
    )
    found = ipa.read(path)
    assert (found.bundle, found.version, found.shown, found.minimum_os) == ("org.example.maths", "34", "1.2", "13.1")
    assert (set(found.families), found.shares_files, found.size) == ({2}, True, path.stat().st_size)
    assert found.unpacked > 100_000
    assert (found.signing.team, found.signing.developer) == (TEAM, "Schoolbag samples")
    assert found.allows(UDID)
    assert found.allows(UDID.replace("-", ""))
    assert not found.allows("00008101-000A1B2C3D4E001F")
    assert not found.ended(datetime(2031, 4, 30, 23, 59, tzinfo=UTC))
    assert found.ended(datetime(2031, 5, 1, tzinfo=UTC))


def test_an_organisations_own_app_goes_on_every_device(tmp_path: Path) -> None:
    assert ipa.read(make_ipa(tmp_path / "a.ipa", "org.example.a", devices="all")).allows("any")


def test_its_profile_may_be_for_several_apps(tmp_path: Path) -> None:
    path = make_ipa(tmp_path / "a.ipa", "org.example.a")
    star = _signed_for(tmp_path / "star.ipa", path, b"org.example.a</string>", b"org.example.*</string>")
    assert ipa.read(star).bundle == "org.example.a"
    other = _signed_for(tmp_path / "other.ipa", path, b"org.example.a</string>", b"org.example.b</string>")
    with pytest.raises(IpaError, match=r"is for org.example.b, not for org.example.a \(0xe8008016\)"):
        ipa.read(other)


def _signed_for(path: Path, source: Path, old: bytes, new: bytes) -> Path:
    return _changed(path, source, "embedded.mobileprovision", lambda data: data.replace(old, new))


def _changed(path: Path, source: Path, name: str, change: Callable[[bytes], bytes | None]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as archive:
        for entry in old.infolist():
            data: bytes | None = old.read(entry)
            if entry.filename.endswith(name):
                data = change(data or b"")
            if data is not None:
                archive.writestr(entry.filename, data)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"signed": False}, r"a.ipa is not signed \(0xe800801c\)"),
        ({"drm": True}, "a.ipa comes from the App Store"),
        ({"devices": None}, r"a.ipa has no provisioning profile, so no device takes it \(0xe8008015\)"),
        ({"info": {"CFBundleIdentifier": "../x"}}, "a.ipa does not tell its bundle identifier"),
        ({"info": {"CFBundleIdentifier": 7}}, "a.ipa does not tell its bundle identifier"),
    ],
)
def test_what_no_device_takes_is_refused(words: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(IpaError, match=said) as caught:
        ipa.read(make_ipa(tmp_path / "a.ipa", "org.example.a", **words))  # type: ignore[arg-type]
    assert caught.value.next_action


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("app/Info.plist", lambda _: None),
        ("app/Info.plist", lambda _: b"bplist00 nonsense"),
        ("app/Info.plist", lambda _: plistlib.dumps(["no", "dict"])),
        ("app/Info.plist", lambda _: b"<plist>" * 5000),
        ("app/Info.plist", lambda data: data + bytes(5_000_000)),
        ("embedded.mobileprovision", lambda _: b""),
        ("embedded.mobileprovision", lambda _: b"<?xml version='1.0'?><plist></plist>"),
        ("embedded.mobileprovision", lambda data: data.replace(b"<key>ExpirationDate</key>", b"<key>Another</key>")),
        ("embedded.mobileprovision", lambda data: data.replace(b"<key>Entitlements</key>", b"<key>Another</key>")),
        ("embedded.mobileprovision", lambda _: b"x" * 5_000_000),
    ],
)
def test_what_is_broken_inside_is_refused(name: str, change: Callable[[bytes], bytes | None], tmp_path: Path) -> None:
    whole = make_ipa(tmp_path / "whole.ipa", "org.example.a")
    with pytest.raises(IpaError, match=r"^broken\.ipa"):
        ipa.read(_changed(tmp_path / "broken.ipa", whole, name, change))


def test_two_apps_in_one_are_refused(tmp_path: Path) -> None:
    path = make_ipa(tmp_path / "a.ipa", "org.example.a")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("Payload/b.app/Info.plist", b"")
    with pytest.raises(IpaError, match="holds 2 apps"):
        ipa.read(path)


def test_apps_inside_the_app_do_not_count(tmp_path: Path) -> None:
    path = make_ipa(tmp_path / "a.ipa", "org.example.a")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("Payload/a.app/Watch/w.app/Info.plist", b"")
    assert ipa.read(path).bundle == "org.example.a"


def test_no_file_and_no_zip(tmp_path: Path) -> None:
    with pytest.raises(IpaError, match=r"gone\.ipa cannot be read: No such file"):
        ipa.read(tmp_path / "gone.ipa")
    (tmp_path / "text.ipa").write_text("<html>Sign in to download</html>")
    with pytest.raises(IpaError, match=r"text\.ipa is cut short, or no IPA at all"):
        ipa.read(tmp_path / "text.ipa")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_ipa(tmp_path_factory.mktemp("ipa") / "a.ipa", "org.example.a", size=2000).read_bytes()


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_download_that_broke_off_is_never_taken_for_whole(data: st.DataObject, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.ipa"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(IpaError):
        ipa._read.__wrapped__(path, path.stat().st_size, 0)


@hypothesis_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_an_error_in_words_or_does_not_matter(data: st.DataObject, whole: bytes, tmp_path: Path) -> None:
    path, damaged = tmp_path / "damaged.ipa", bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with contextlib.suppress(IpaError):
        assert ipa._read.__wrapped__(path, len(damaged), 0).shown.isprintable()


def test_bundle_of_an_app_of_a_profile(tmp_path: Path) -> None:
    path = make_ipa(tmp_path / "a.ipa", "org.example.a")
    assert ipa.bundle_of(IosApp(file=path)) == "org.example.a"
    assert ipa.bundle_of(IosApp(bundle="org.example.b", file=path)) == "org.example.b"
    assert ipa.bundle_of(IosApp(web="https://x.example")) == ""


def test_a_profile_is_checked_with_its_ipas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_ipa(tmp_path / "good.ipa", "org.example.good")
    make_ipa(tmp_path / "shop.ipa", "org.example.shop", drm=True)
    make_ipa(tmp_path / "old.ipa", "org.example.old", expires=datetime(2025, 6, 30, tzinfo=UTC))
    (tmp_path / "p.yaml").write_text(
        "profile: p\n"
        "apps:\n"
        "  - {id: good, ios: {file: good.ipa}}\n"
        "  - id: other\n"
        "    ios:\n"
        "      bundle: org.example.other\n"
        "      file: good.ipa\n"
        "  - {id: shop, ios: {file: shop.ipa}}\n"
        "  - {id: old, ios: {file: old.ipa}}\n"
        "content:\n"
        "  - {id: c, from: p.yaml, to: C, ios: good}\n"
    )
    with pytest.raises(ProfileError) as caught:
        preflight.check(load("./p.yaml", Secrets({})))
    said = [f"{p.file}:{p.line}: {p.message}" for p in caught.value.problems]
    assert said[0] == "p.yaml:6: other: the file is of org.example.good, not of org.example.other"
    assert said[1].startswith("p.yaml:8: shop: shop.ipa comes from the App Store")
    assert (
        said[2] == "p.yaml:9: old: old.ipa: its provisioning profile ended on 2025-06-30. Have its maker sign it anew."
    )
    assert said[3] == "p.yaml:11: c: the app good takes no files over USB (its UIFileSharingEnabled is not set)"
    assert len(said) == 4


def test_a_good_profile_passes(tmp_path: Path) -> None:
    make_ipa(tmp_path / "good.ipa", "org.example.good", shares_files=True)
    text = "profile: p\napps: [{id: good, ios: {file: good.ipa}}]\ncontent: [{id: c, from: p.yaml, to: C, ios: good}]\n"
    (tmp_path / "p.yaml").write_text(text)
    preflight.check(load(str(tmp_path / "p.yaml"), Secrets({})))
