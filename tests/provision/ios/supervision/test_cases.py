"""What comes of what an iPhone says of itself: tests/data/ios/{supervision,locks,setup}/*.yaml.

As in the cases of other settings; beside that, ``keybag`` is the bench's: ours (the default), ended or none; ``erase``
says that the unit may be erased, ``again`` that it may be so although it is ours, ``erased`` that this run has done it,
``find_my`` how that stands. In ``SupervisorHostCertificates`` write ``ours``, or any
other word for somebody else's. ``expect`` are the facts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.schema import Profile
from provision.ios import setup
from provision.ios.actions import Erase
from provision.ios.keybag import Keybag, create
from provision.ios.locks import LocksReader
from provision.ios.reading import answer, refusal
from provision.ios.supervision import SupervisionSetting
from provision.model import Facts, Identity, Item, Locks, Step, Unit
from provision.setting import Answer
from tests.provision.ios.settings.test_cases import answers, cases, described, device, profile_of, read

NOTHING = Profile(profile="case")


@cache
def keybags() -> Mapping[str, Keybag | None]:
    return {
        "ours": create("Schoolbag Hanoi"),
        "ended": create("Schoolbag Hanoi", datetime(2010, 3, 1, tzinfo=UTC)),
        "none": None,
    }


def told(case: Mapping[str, Any], bag: Keybag | None) -> Mapping[str, Answer]:
    said = {name: dict(value) if isinstance(value, dict) else value for name, value in case["answers"].items()}
    configuration = said.get("configuration", {})
    if "SupervisorHostCertificates" in configuration:
        words = configuration["SupervisorHostCertificates"]
        mine = bag.certificate if bag else b"nobody's"
        configuration["SupervisorHostCertificates"] = [mine if word == "ours" else word.encode() for word in words]
    return answers(said)


def shape(item: Item) -> dict[str, Any]:
    state = item.state
    more = {"effect": str(state.effect)} if isinstance(state, Step) else {"holds": getattr(state, "holds", False)}
    return {**described(item), **{key: value for key, value in more.items() if value}}


@pytest.mark.parametrize("file", cases({"supervision": None}))
def test_the_way_from_a_donors_device_to_one_of_ours(file: Path, tmp_path: Path) -> None:
    case = read(file)
    bag = keybags()[case.get("keybag", "ours")]
    setting, who = SupervisionSetting(bag), device(case)
    profile = profile_of({"profile": "", **case}, tmp_path)
    asked = setting.probes(profile, who, False)
    assert set(asked) == set(case["answers"]), "a case answers exactly what is asked"
    found = setting.parse(told(case, bag), profile, who)
    seen = dataclasses.asdict(found)
    assert {key: seen[key] for key in case.get("expect", {})} == case.get("expect", {})
    facts = Facts(who, locks=Locks(find_my=case.get("find_my", False)))
    unit = Unit(**{word: case.get(word, False) for word in ("erase", "again", "erased")})
    items = list(setting.plan(profile, found, facts, unit))
    assert [shape(item) for item in items] == case["items"]


@pytest.mark.parametrize("file", cases({"locks": None}))
def test_who_else_holds_it(file: Path) -> None:
    case = read(file)
    bag = keybags()[case.get("keybag", "ours")]
    reader, who = LocksReader(bag), device(case)
    assert set(reader.probes(NOTHING, who, False)) == set(case["answers"]), "a case answers exactly what is asked"
    found = dataclasses.asdict(reader.parse(told(case, bag), NOTHING, who))
    assert {key: found[key] for key in case["expect"]} == case["expect"]


@pytest.mark.parametrize("file", cases({"setup": None}))
def test_how_somebody_left_it(file: Path) -> None:
    case, who = read(file), device(read(file))
    assert set(setup.probes(NOTHING, who, False)) == set(case["answers"]), "a case answers exactly what is asked"
    found = dataclasses.asdict(setup.parse(answers(case["answers"]), NOTHING, who))
    found["packages"] = None if found["packages"] is None else sorted(found["packages"])
    assert {key: found[key] for key in case["expect"]} == case["expect"]


_SWITCH = st.none() | st.booleans()
_ODD = st.one_of(
    st.booleans(),
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=8),
    st.integers(-5, 5),
    st.binary(max_size=8),
    st.lists(st.binary(max_size=8), max_size=3),
)
_CONFIGURATION = st.dictionaries(
    st.sampled_from(["IsSupervised", "OrganizationName", "SupervisorHostCertificates", "ConfigurationURL"]), _ODD
)
_ANSWER = st.one_of(
    _ODD.map(answer),
    _CONFIGURATION.map(answer),
    st.sampled_from(["MissingValue", "GetProhibited", "PasswordProtected", ""]).map(refusal),
    st.text(max_size=20).map(Answer),
)
_SAID = st.fixed_dictionaries(
    {},
    optional={
        "chaperoned": st.booleans().map(answer) | _ANSWER,
        "configuration": _CONFIGURATION.map(answer) | _ANSWER,
        "set_up": st.booleans().map(answer) | _ANSWER,
        "activation": st.sampled_from(["Activated", "Unactivated", "FactoryActivated"]).map(answer) | _ANSWER,
        "find_my": st.booleans().map(answer) | _ANSWER,
    },
)
_BAG = st.sampled_from(["ours", "ended", "none"])
_WHO = Identity("ios", "S1", "Apple", "iPhone", "17.7", 17)


@settings(max_examples=300)
@given(said=_SAID, unit=st.builds(Unit, erase=st.booleans(), again=st.booleans()), which=_BAG)
def test_nothing_is_erased_that_could_not_be_brought_back(said: Mapping[str, Answer], unit: Unit, which: str) -> None:
    """Whatever the device says: it is erased only where Find My is off, nobody else holds it, and we can go on."""
    bag = keybags()[which]
    setting = SupervisionSetting(bag)
    locks = LocksReader(bag).parse(said, NOTHING, _WHO)
    found = setting.parse(said, NOTHING, _WHO)
    items = list(setting.plan(NOTHING, found, Facts(_WHO, locks=locks), unit))
    assert len({item.id for item in items}) == len(items)
    erasing = [item for item in items if isinstance(item.state, Step) and Erase() in item.state.actions]
    if erasing:
        assert unit.erase
        assert unit.again or not found.known
        assert which == "ours"
        assert (locks.find_my, locks.owner, found.activation) == (False, None, "Activated")
        assert not found.ours
        assert items[0] is erasing[0], "all else is for the erased device"


@settings(max_examples=100)
@given(said=_SAID, which=_BAG)
def test_unreadable_is_never_off(said: Mapping[str, Answer], which: str) -> None:
    locks = LocksReader(keybags()[which]).parse(said, NOTHING, _WHO)
    if "find_my" not in said or said["find_my"].code:
        assert locks.find_my is None
    if locks.find_my is None and locks.activation in (None, "Activated"):
        assert locks.accounts is None
    if not {"configuration", "chaperoned"} <= set(said):
        assert not locks.owner_known
