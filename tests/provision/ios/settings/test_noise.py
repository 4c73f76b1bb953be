"""Whatever an iPhone answers, every reader and setting makes something of it that can be shown."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.ios.reading import answer, refusal
from provision.ios.settings import readers, settings
from provision.model import Facts, Identity, Item, Step, Strength, Unit
from provision.setting import Answer
from provision.text import printable

_WIDE = """
profile: wide
apps: [{id: a, ios: {bundle: org.example.a}}, {id: b, ios: {web: "https://b.example", title: B}}]
content: [{id: c, from: wide.yaml, to: C, ios: a}]
identity: {name: "{tag}", time_zone: Asia/Ho_Chi_Minh, language: vi, locale: vi_VN, automatic_time: on, skip_setup: all}
network: {wifi: [{ssid: A, password: !secret wifi}], filter_dns: family.example}
sim: {carrier: viettel, apn: automatic, roaming: off}
restrictions: {install_apps: deny, factory_reset: deny, block: [{ios: com.apple.tips}]}
home_screen: {dock: [a], pages: [[b]]}
screen_lock: {pin: none}
bench: {debugging: off}
"""
_KEYS = (
    "BatteryCurrentCapacity", "DesignCapacity", "NominalChargeCapacity", "CycleCount", "TotalDiskCapacity",
    "AmountDataAvailable", "path", "size", "time", "Slot", "MCC", "CFBundleVersion", "SignerIdentity",
    "org.example.a", "ProfileMetadata", "PayloadUUID", "OrganizationName", "org.schoolbag.configuration",
    "SupervisorHostCertificates", "ConfigurationURL",
)  # fmt: skip
_ODD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["kOne", "kCTSIMSupportSIMStatusReady", "Activated", "\x1b[31m", "../../x", ".schoolbag.c"]),
    st.integers(-(2**63), 2**64 - 1),
    st.booleans(),
    st.binary(max_size=12),
    st.just(b'{"v": 1, "files": {"a": [1, 2, "3"], "b": [], "/c": [1, 2, "3"]}}'),
)
_SAID = st.recursive(
    _ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(_KEYS), st.text(max_size=5)), inner)
    ),
    max_leaves=10,
)
_ANSWER = st.one_of(
    _SAID.map(answer),
    st.sampled_from(["MissingValue", "GetProhibited", "PasswordProtected", "ApplicationLookupFailed", "\x1b", ""]).map(
        refusal
    ),
    st.text(max_size=20).map(Answer),
)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    file: Path = tmp_path_factory.mktemp("wide") / "wide.yaml"
    file.write_text(_WIDE, encoding="utf-8")
    return load(str(file), Secrets({"FLEET_SECRET_WIFI": "hoc-tap-tot"}))


@hypothesis_settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), version=st.sampled_from(["", "9.3", "12.5.7", "15.8", "17.7.2", "26.1"]))
def test_no_noise_from_a_device_breaks_anything(data: st.DataObject, version: str, wide: Profile) -> None:
    major = int(version.partition(".")[0] or 0)
    who = Identity("ios", "F1", "Apple", "iPad", version, major, properties={"DeviceClass": "iPad"})

    def said(reader: Any) -> Any:
        return reader.parse({name: data.draw(_ANSWER) for name in reader.probes(wide, who, False)}, wide, who)

    read = {name: said(reader) for name, reader in readers(None).items()}
    found = {name: said(setting) for name, setting in settings(None).items()}
    facts = Facts(who, **read, found=MappingProxyType(found))
    for name, setting in settings(None).items():
        for item in setting.plan(wide, found[name], facts, Unit(tag="T-1", seal_key=b"key")):
            _can_be_shown(item)


def _can_be_shown(item: Item) -> None:
    assert item.state.why
    assert printable(item.state.why) == item.state.why, "nothing that a terminal acts on"
    assert item.strength in (None, *Strength)
    if isinstance(item.state, Step):
        assert not [action for action in item.state.actions if ".." in action.masked]
