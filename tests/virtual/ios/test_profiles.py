"""What a virtual iPhone makes of configuration profiles: the cases of data/virtual/ios/profiles.yaml, and more."""

from __future__ import annotations

import plistlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.virtual.ios import installing, payload_types, profile_check, supervision
from provision.virtual.ios.cms import Unsigned, verify
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.profile_effects import effects
from provision.virtual.ios.profile_errors import Refused
from tests.virtual.ios.profiles import CAMERA, IDENTIFIER, data, profile, without_none

CASES = yaml.safe_load((Path(__file__).parents[2] / "data/virtual/ios/profiles.yaml").read_text("utf-8"))


def phone_for(case: Mapping[str, Any], home: Path) -> Phone:
    values = {"values": {"": {"ProductVersion": case["ios"]}}} if "ios" in case else {}
    phone = Phone(case.get("preset", "iphone-17"), {"set_up": not case.get("supervised"), **values}, home)
    if case.get("supervised"):
        supervision.set_cloud(phone, {"IsSupervised": True})
    return phone


def file_of(case: Mapping[str, Any]) -> bytes:
    return data(case["payloads"], identifier=case.get("identifier", IDENTIFIER), **case.get("profile", {}))


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_case(case: Mapping[str, Any], tmp_path: Path) -> None:
    phone = phone_for(case, tmp_path)
    for before in case.get("before", ()):
        installing.install_silently(phone, file_of(before))
    expected = case.get("refused", {})
    if "unread" in expected:
        with pytest.raises(Refused) as refused:
            installing.hand_over(phone, file_of(case))
        assert chain(refused.value) == expected["unread"]
        return
    if "installing" in expected:
        had = dict(phone.profiles)
        with pytest.raises(Refused) as refused:
            installing.install_silently(phone, file_of(case))
        assert chain(refused.value) == expected["installing"]
        assert phone.profiles == had
        return
    installing.install_silently(phone, file_of(case))
    assert phone.restrictions == case.get("restrictions", phone.restrictions)
    found = effects(phone)
    assert {key: found[key] for key in case.get("effects", {})} == case.get("effects", {})


def chain(refused: Refused) -> list[str]:
    rows = refused.answer()["ErrorChain"]
    assert all(row["LocalizedDescription"] and row["USEnglishDescription"] for row in rows)
    return [f"{row['ErrorDomain']} {row['ErrorCode']}" for row in rows]


# How it is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_xml_and_binary_are_read(written: plistlib.PlistFormat) -> None:
    content = profile()
    assert profile_check.read(plistlib.dumps(content, fmt=written), "17.0").content == content


def test_white_space_before_it_is_let_pass() -> None:
    assert profile_check.read(b"\n  " + data(), "17.0").identifier == IDENTIFIER


@pytest.mark.parametrize("bad", [b"", b"no profile", b"<plist", b"\x30\x80", plistlib.dumps([1])])
def test_what_is_no_profile_is_refused(bad: bytes) -> None:
    with pytest.raises(Refused) as refused:
        profile_check.read(bad, "17.0")
    assert refused.value.causes[0].code == 4000


PLISTS = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = [*payload_types._file()["types"], "org.example.unheard"]
KEYS = sorted({key for about in payload_types._file()["types"].values() for key in about.get("keys", {})})
PAYLOADS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={str(key): PLISTS for key in [*KEYS, "PayloadVersion", "PayloadUUID", "allowCamera", "ratingApps"]},
)


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Phone:
    return Phone("iphone-17", {}, tmp_path_factory.mktemp("phone"))


@settings(max_examples=60)
@given(
    payloads=st.lists(PAYLOADS, max_size=3),
    own=st.dictionaries(
        st.sampled_from(["PayloadContent", "RemovalDate", "PayloadUUID", "PayloadDisplayName"]), PLISTS, max_size=1
    ),
    ios=st.sampled_from(["12.5.7", "17.7.2", "26.1"]),
    supervised=st.booleans(),
)
def test_any_property_list_is_installed_or_refused(
    phone: Phone, payloads: list[dict[str, Any]], own: dict[str, Any], ios: str, supervised: bool
) -> None:
    try:
        content = plistlib.dumps(profile(payloads, **own))
    except (OverflowError, ValueError):
        return  # what no property list can hold
    phone.values[""]["ProductVersion"] = ios
    phone.cloud = {"IsSupervised": supervised}
    phone.profiles.clear()
    try:
        for _ in range(2):
            installing.install_silently(phone, content)
    except Refused as refused:
        assert refused.answer()["Status"] == "Error"  # noqa: PT017 - it may be refused, or not
    else:
        plistlib.dumps({"effects": without_none(effects(phone)), "restrictions": phone.restrictions})


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(junk: bytes) -> None:
    with pytest.raises(Refused):
        profile_check.read(junk, "17.0")


# Signed ones -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two who sign, made by OpenSSL: ``rsa`` and ``ec``."""
    home = tmp_path_factory.mktemp("signers")
    kinds = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
    for name, kind in kinds.items():
        made = ["-keyout", f"{home}/{name}.key", "-out", f"{home}/{name}.pem", "-subj", f"/CN={name}"]
        run("req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", *made)
    return home


def run(*args: str, content: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *args], input=content, check=True, capture_output=True, timeout=60).stdout


def signed(home: Path, who: str, content: bytes, *how: str) -> bytes:
    keys = ("-signer", f"{home}/{who}.pem", "-inkey", f"{home}/{who}.key")
    return run("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", *keys, *how, content=content)


@pytest.mark.parametrize("who", ["rsa", "ec"])
@pytest.mark.parametrize("how", [(), ("-stream",), ("-noattr",), ("-keyid",), ("-md", "sha512")])
def test_openssl_signs_and_the_phone_reads_it(signers: Path, who: str, how: tuple[str, ...]) -> None:
    content = data()
    message = signed(signers, who, content, *how)
    found = profile_check.read(message, "17.0")
    assert found.content == plistlib.loads(content)
    assert found.signer == run("x509", "-outform", "DER", content=(signers / f"{who}.pem").read_bytes())
    place = message.find(b"PayloadUUID") + 30
    assert place > 30
    with pytest.raises(Unsigned):
        verify(message[:place] + b"!" + message[place + 1 :])


def test_a_message_without_its_content_is_refused(signers: Path) -> None:
    keys = ("-signer", f"{signers}/rsa.pem", "-inkey", f"{signers}/rsa.key")
    with pytest.raises(Unsigned, match="not in it"):
        verify(run("cms", "-sign", "-binary", "-outform", "DER", *keys, content=b"challenge"))


@settings(max_examples=60)
@given(place=st.integers(0, 2000), value=st.integers(0, 255), end=st.integers(0, 3000))
def test_a_damaged_message_is_refused_or_unharmed(signers: Path, place: int, value: int, end: int) -> None:
    whole = _message(signers)
    damaged = bytearray(whole)
    damaged[place % len(whole)] = value
    try:
        found = verify(bytes(damaged[: max(1, len(whole) - end)]))
    except Unsigned:
        return
    assert found.content == b"challenge"


_made: dict[Path, bytes] = {}


def _message(home: Path) -> bytes:
    if home not in _made:
        _made[home] = signed(home, "rsa", b"challenge")
    return _made[home]


def test_only_the_same_signer_may_replace_or_remove_a_signed_profile(signers: Path, tmp_path: Path) -> None:
    phone = phone_for({}, tmp_path)
    kept = data(PayloadRemovalDisallowed=True)
    installing.install_silently(phone, signed(signers, "rsa", kept))
    for other in (kept, signed(signers, "ec", kept)):
        with pytest.raises(Refused) as refused:
            installing.install_silently(phone, other)
        assert refused.value.causes[-1].code == 4008
    for asked in (IDENTIFIER, kept, signed(signers, "ec", kept)):
        with pytest.raises(Refused) as refused:
            installing.remove(phone, asked)
        assert refused.value.causes[-1].code == 4008
    installing.install_silently(phone, signed(signers, "rsa", data([CAMERA], PayloadRemovalDisallowed=True)))
    installing.remove(phone, signed(signers, "rsa", kept))
    assert phone.profiles == {}
    assert phone.restrictions == {}


def test_that_it_may_not_be_removed_does_not_bind_the_computer_unless_it_is_signed(tmp_path: Path) -> None:
    phone = phone_for({}, tmp_path)
    installing.install_silently(phone, data(PayloadRemovalDisallowed=True))
    installing.remove(phone, IDENTIFIER)
    assert phone.profiles == {}
