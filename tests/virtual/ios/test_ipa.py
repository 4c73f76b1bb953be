"""What a phone reads out of an IPA, whatever is in it."""

from __future__ import annotations

import plistlib
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.virtual.ios import ipa
from provision.virtual.ios.ipa import Refused
from provision.virtual.ios.macho import ARM64, read_code
from provision.virtual.ios.provisioning import BadProfile, read_profile
from tests.ipas import ARM_32, macho, make_ipa, provisioning_profile

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ANY = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CODE = macho("org.x", ARM64, {"application-identifier": "T.org.x"})
PROFILE = provisioning_profile("org.x", ["UDID"], expires=NOW)
INFO = plistlib.dumps({"CFBundleIdentifier": "org.x", "CFBundleVersion": "1", "CFBundleExecutable": "x"})


def whole() -> bytes:
    with TemporaryDirectory() as folder:
        return make_ipa(Path(folder, "a.ipa"), "org.x").read_bytes()


WHOLE = whole()


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with some of them changed, or with their end missing, or quite other bytes."""
    changes = st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=6)

    def apply(marks: list[tuple[int, int]]) -> bytes:
        found = bytearray(data)
        for at, value in marks:
            found[at] = value
        return bytes(found)

    return changes.map(apply) | st.integers(0, len(data)).map(lambda end: data[:end]) | st.binary(max_size=200)


def test_code_is_read_for_each_processor() -> None:
    wide = read_code(CODE)
    assert wide is not None
    assert (wide.cpu, wide.entitlements, wide.encrypted) == (ARM64, {"application-identifier": "T.org.x"}, False)
    old = read_code(macho("org.x", ARM_32, None, encrypted=True))
    assert old is not None
    assert (old.cpu, old.entitlements, old.encrypted) == (ARM_32, None, True)


def test_of_several_processors_arm64_is_taken() -> None:
    old = macho("org.x", ARM_32, None)
    table = b""
    at = 4096
    for cpu, part in ((ARM_32, old), (ARM64, CODE)):
        table += b"".join(number.to_bytes(4, "big") for number in (cpu, 0, at, len(part), 12))
        at += len(part)
    fat = (0xCAFEBABE).to_bytes(4, "big") + (2).to_bytes(4, "big") + table
    assert read_code(fat.ljust(4096, b"\0") + old + CODE) == read_code(CODE)


def test_a_profile_is_read() -> None:
    found = read_profile(PROFILE)
    assert (found.devices, found.expires, found.enterprise) == (frozenset({"UDID"}), NOW, False)
    assert found.covers("UDID")
    assert not found.covers("other")
    assert found.grants({"keychain-access-groups": ["SCHOOLBAG1.anything"]})
    assert not found.grants({"keychain-access-groups": ["OTHERTEAM1.anything"]})
    assert read_profile(provisioning_profile("org.x", "all")).covers("whichever")


@ANY
@given(damaged(PROFILE))
def test_a_profile_that_was_changed_is_none(data: bytes) -> None:
    if data != PROFILE:
        try:
            found = read_profile(data)
        except BadProfile:
            return
        assert found == read_profile(PROFILE)  # what was changed was not signed


@ANY
@given(info=damaged(INFO), code=damaged(CODE), profile=damaged(PROFILE))
def test_whatever_is_in_an_app_it_is_taken_or_refused(info: bytes, code: bytes, profile: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.ipa"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Payload/X.app/Info.plist", info)
        archive.writestr("Payload/X.app/x", code)
        archive.writestr("Payload/X.app/_CodeSignature/CodeResources", b"")
        archive.writestr("Payload/X.app/embedded.mobileprovision", profile)
    with suppress(Refused):
        ipa.extract(path, 1 << 30)
        package = ipa.inspect(path, "/staging")
        ipa.preflight(package, "17.0", [1])
        ipa.verify(package, "UDID", datetime(2026, 1, 1, tzinfo=UTC), {})


@ANY
@given(data=damaged(WHOLE))
def test_whatever_the_file_is_it_is_taken_or_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.ipa"
    path.write_bytes(data)
    with suppress(Refused):
        ipa.extract(path, 1 << 30)
        ipa.inspect(path, "/staging")


def test_made_ipas_of_any_size_are_whole(tmp_path: Path) -> None:
    for size in (0, 1, (1 << 20) + 1):
        path = make_ipa(tmp_path / "a.ipa", "org.x", size=size)
        ipa.extract(path, 1 << 30)
        assert path.stat().st_size >= size
    with pytest.raises(Refused, match="PackageExtractionFailed"):
        ipa.extract(path, size)
