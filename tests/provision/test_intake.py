"""The verdict of an intake, by cases that are files: tests/data/intake/cases/*.yaml; and rules with mistakes."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.errors import ProfileError
from profiles.schema import Profile
from provision.android import makers
from provision.errors import LET_GO
from provision.intake import Intake, IntakeVerdict, Known, judge
from provision.intake_rules import LEADS, Lead, Rules, rules
from provision.intake_words import language_of, words
from provision.ios import makers as ios_makers
from provision.model import Cellular, Facts, Health, Identity, Locks, Makers, Setup, Unit
from provision.reset_proof import Trace, compare, trace_of
from provision.setting import Answer

DATA = Path(__file__).parents[1] / "data" / "intake"
TODAY = date(2025, 3, 1)
RULES = rules()
_DEVICE = {"platform": "android", "serial": "S1", "maker": "google", "model": "Pixel", "version": "13", "api": 33}
_HEALTH = {"battery_worn": 5, "battery_temperature": 25.0, "storage_free": 30_000_000_000, "patch": "2025-01-05",
           "encrypted": True}  # fmt: skip
_LOCKS = {"accounts": {}, "users": 1, "bootloader_locked": True, "verified_boot": "green", "at_frp": False}
_IPHONE = {"platform": "ios", "maker": "Apple", "model": "iPhone 12", "version": "17.7.2", "api": 17}
_IOS_LOCKS = {"accounts": {}, "users": 1, "find_my": False, "activation": "Activated"}
_SETUP = {"screen_locked": False, "packages": ["android"], "own_apps": 0, "starts": 2, "installation": "aa"}


def _files(folder: str) -> list[Any]:
    return [pytest.param(file, id=file.stem) for file in sorted((DATA / folder).glob("*.yaml"))]


def _read(file: Path) -> Mapping[str, Any]:
    case: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


def _makers(who: Identity, gms: bool) -> Makers:
    if who.platform == "ios":
        return ios_makers.parse({}, Profile(profile="case"), who)
    path = Answer("package:/x.apk") if gms else Answer("", 1)
    return makers.parse({"path com.google.android.gms": path}, Profile(profile="case"), who)


def _facts(case: Mapping[str, Any]) -> Facts:
    """What a case leaves out is as on a phone that nobody could object to."""
    ios = case.get("device", {}).get("platform") == "ios"
    device, locks = (_IPHONE, _IOS_LOCKS) if ios else (_DEVICE, _LOCKS)
    health = {**_HEALTH, **({"patch": None, "encrypted": None, "battery_temperature": None} if ios else {})}
    properties = case.get("properties", {"DeviceClass": "iPhone"} if ios else {})
    who = Identity(**{"serial": "S1", **device, **case.get("device", {})}, properties=properties)
    setup = {**_SETUP, **case.get("setup", {})}
    setup["packages"] = None if setup["packages"] is None else frozenset(setup["packages"])
    return Facts(
        who,
        health=Health(**{**health, **case.get("health", {})}),
        locks=Locks(**{**locks, **case.get("locks", {})}),
        cellular=Cellular(**{"imei": "356938035643809", **case.get("cellular", {})}),
        makers=_makers(who, case.get("gms", True)),
        setup=Setup(**setup),
    )


def _judged(case: Mapping[str, Any], folder: Path) -> Intake:
    file = None
    if "rules" in case:
        file = folder / "intake.yaml"
        file.write_text(case["rules"], encoding="utf-8")
    told = dict(case.get("known", {}))
    known = Known(**{**told, **{name: frozenset(told.get(name, ())) for name in ("owners", "owners_here")}})
    return judge(_facts(case), rules(file), known, TODAY, erases=case.get("erases", False))


@pytest.mark.parametrize("file", _files("cases"))
def test_a_device_is_judged_as_its_case_says(file: Path, tmp_path: Path) -> None:
    case = _read(file)
    intake = _judged(case, tmp_path)
    assert intake.verdict == case["verdict"]
    told = [(f.key, f.lead.name.lower(), f.task) for f in intake.findings]
    assert told == [(row["key"], row["lead"], row.get("kind", "")) for row in case["findings"]]
    for finding, row in zip(intake.findings, case["findings"], strict=True):
        for language in {"en", "zh", "vi"} & set(row):
            assert list(finding.taps[language]) == row[language]
        assert set(finding.what) == {"en", "zh", "vi"}
        assert not finding.task or set(finding.taps) == {"en", "zh", "vi"}, "what has to be done is told how"
    by_key = {finding.key: finding for finding in intake.findings}
    for key, texts in case.get("says", {}).items():
        assert {language: by_key[key].what[language] for language in texts} == texts


@pytest.mark.parametrize("file", _files("cases"))
def test_a_refused_device_has_the_facts_for_a_letter(file: Path, tmp_path: Path) -> None:
    case = _read(file)
    letter = _judged(case, tmp_path).letter
    assert (letter is not None) == (case["verdict"] == "refuse")
    if letter is None:
        return
    told = {
        **vars(letter),
        "locks": [t["en"] for t in letter.locks],
        "donor_does": [t["en"] for t in letter.donor_does],
    }
    wanted = case.get("letter", {})
    assert {key: told[key] for key in wanted} == wanted
    assert letter.locks
    assert letter.donor_does


def test_the_bench_says_one_thing_of_an_owner() -> None:
    """Whether the gate stops, the erasing does or an intake: the same is to be done."""
    assert words()["bench"]["find_my"]["en"] == LET_GO


@pytest.mark.parametrize("file", _files("bad-rules"))
def test_mistakes_in_rules_are_told_at_their_place(file: Path, tmp_path: Path) -> None:
    case = _read(file)
    path = tmp_path / "mine.yaml"
    path.write_text(case["text"].replace("TAB", "\t"), encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        rules(path)
    told = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in told)
    assert [problem for problem in case["problems"] if problem not in str(caught.value)] == []
    assert len(told) <= len(case["problems"])


def test_a_rules_file_that_is_not_there() -> None:
    with pytest.raises(ProfileError, match="there is no such file"):
        rules(Path("/nowhere/rules.yaml"))


def test_every_finding_has_a_lead_and_words() -> None:
    assert set(words()["findings"]) - {"package", "reset"} == set(RULES.leads)
    assert set(words()["ios"]) <= set(RULES.leads)
    assert {key for key, lead in RULES.leads.items() if lead is Lead.IGNORE} == set()


def test_words_are_filled_with_the_same_in_every_language() -> None:
    for group in words().values():
        for key, texts in group.items():
            named = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts.values()]
            assert named[0] == named[1] == named[2], key


def test_rules_are_known_by_what_counts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("limits: {users: 1}  # as it is\n")
    (tmp_path / "b.yaml").write_text("limits: {users: 2}\n")
    assert rules(tmp_path / "a.yaml").digest() == RULES.digest()
    assert rules(tmp_path / "b.yaml").digest() != RULES.digest()


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_locale(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


_NUMBERS = st.none() | st.integers(-1, 10**12)
_HEALTHS = st.builds(
    Health,
    battery_worn=_NUMBERS,
    battery_temperature=st.none() | st.floats(allow_nan=False),
    battery_faked=st.booleans(),
    storage_free=_NUMBERS,
    patch=st.none() | st.text(max_size=12) | st.dates().map(str),
    encrypted=st.none() | st.booleans(),
)
_LOCKED = st.builds(
    Locks,
    accounts=st.none() | st.dictionaries(st.text(max_size=9), st.integers(0, 9), max_size=3),
    users=_NUMBERS,
    owner=st.none() | st.text(max_size=20),
    owner_known=st.booleans(),
    bootloader_locked=st.none() | st.booleans(),
    verified_boot=st.none() | st.sampled_from(["green", "yellow", "orange", "red", "{x}"]),
    at_frp=st.none() | st.booleans(),
    find_my=st.none() | st.booleans(),
    activation=st.none() | st.sampled_from(["Activated", "Unactivated", "{x}"]),
)
_LEFT = st.builds(
    Setup,
    screen_locked=st.none() | st.booleans(),
    packages=st.none() | st.frozensets(st.sampled_from([*RULES.packages, "android", "{}"])),
    own_apps=_NUMBERS,
    starts=_NUMBERS,
    installation=st.text(max_size=5),
)
_PROPERTIES = st.dictionaries(
    st.sampled_from([
        "ro.miui.ui.version.name", "ro.mi.os.version.name", "persist.security.adbinput", "persist.security.adbinstall",
        "ro.build.version.oplusrom", "ro.build.version.oneui", "ro.build.version.emui", "ro.vivo.os.version",
    ]),
    st.sampled_from(["0", "1", "V140", "\x1b"]),
)  # fmt: skip
_WHO = st.builds(
    lambda platform, properties, maker, api: Identity(platform, "S1", maker, "M", "13", api, properties=properties),
    st.sampled_from(["android", "ios"]),
    _PROPERTIES | st.just({"DeviceClass": "iPhone"}),
    st.sampled_from(["samsung", "oppo", "vivo", ""]),
    st.integers(0, 40),
)
_ALL_FACTS = st.builds(
    lambda who, gms, **read: Facts(who, makers=_makers(who, gms), **read),
    _WHO,
    st.booleans(),
    health=_HEALTHS,
    locks=_LOCKED,
    setup=_LEFT,
    cellular=st.builds(Cellular, imei=st.sampled_from(["", "356938035643809"])),
)
_KNOWN = st.builds(Known, st.none() | st.just("A-1"), st.text(max_size=3), st.booleans(), st.just("2025-01-01"))
_ORDER = list(IntakeVerdict)


_WORSE_LOCKS: Mapping[str, dict[str, Any]] = {
    "frp": {"at_frp": True},
    "find_my": {"find_my": True, "accounts": None},
    "owner": {"owner": "com.example.mdm/.Admin"},
    "users": {"users": 99},
    "boot": {"bootloader_locked": False, "verified_boot": "red"},
}


def _worse(facts: Facts, known: Known, how: str) -> tuple[Facts, Known]:
    health, locks, setup = facts.health, facts.locks, facts.setup
    match how:
        case "account":
            locks = replace(locks, accounts={**(locks.accounts or {}), "com.google": 1})
        case "frp" | "find_my" | "owner" | "users" | "boot":
            locks = replace(locks, **_WORSE_LOCKS[how])
        case "full":
            health = replace(health, storage_free=0)
        case "hot":
            health = replace(health, battery_temperature=90.0)
        case "lock":
            setup = replace(setup, screen_locked=True)
        case "adups":
            setup = replace(setup, packages=(setup.packages or frozenset()) | {"com.adups.fota"})
        case _:
            known = replace(known, ignored=True)
    return replace(facts, health=health, locks=locks, setup=setup), known


_WORSE = st.sampled_from(
    ["account", "frp", "find_my", "owner", "users", "boot", "full", "hot", "lock", "adups", "ignored"]
)  # fmt: skip


@settings(max_examples=150)
@given(facts=_ALL_FACTS, known=_KNOWN, today=st.dates(), how=_WORSE)
def test_no_facts_break_it_and_a_finding_more_never_makes_it_better(
    facts: Facts, known: Known, today: date, how: str
) -> None:
    before, after = judge(facts, RULES, known, today), judge(*_with(facts, known, how), today)
    assert _ORDER.index(after.verdict) >= _ORDER.index(before.verdict)
    for intake in (before, after):
        worst = max((f.lead for f in intake.findings), default=Lead.NOTE)
        assert intake.verdict is {Lead.HANDS: IntakeVerdict.HANDS, Lead.REFUSE: IntakeVerdict.REFUSE}.get(
            worst, IntakeVerdict.ACCEPT
        )


def _with(facts: Facts, known: Known, how: str) -> tuple[Facts, Rules, Known]:
    worse, told = _worse(facts, known, how)
    return worse, RULES, told


@settings(max_examples=60)
@given(facts=_ALL_FACTS, key=st.sampled_from(sorted(RULES.leads)), lead=st.sampled_from(sorted(LEADS.values())))
def test_a_stricter_rule_never_makes_it_better(facts: Facts, key: str, lead: Lead) -> None:
    stricter = replace(RULES, leads={**RULES.leads, key: max(lead, RULES.leads[key])})
    before, after = (judge(facts, by, Known(), TODAY) for by in (RULES, stricter))
    assert _ORDER.index(after.verdict) >= _ORDER.index(before.verdict)


_BEFORE = Trace("aa", 143, 1, 37)
_PROOFS = [
    (Trace("bb", 2, 0, 0), True, "a reset phone"),
    (Trace("bb", 2, 0, 3), True, "the maker's own apps came back"),
    (Trace("", 2, 0, None), True, "only its count of starts is known"),
    (Trace("bb", None, 0, 0), True, "only its number is known"),
    (Trace("aa", 2, 0, 0), False, "the count was set back, the number is the same"),
    (Trace("bb", 150, 0, 0), False, "the number was changed, the count went on"),
    (Trace("bb", 143, 0, 0), False, "the count is the same"),
    (Trace("bb", 2, 1, 0), False, "somebody signed in again"),
    (Trace("aa", 144, 0, 0), False, "the accounts were removed, nothing else"),
    (Trace("", None, 0, 0), False, "nothing can be compared"),
    (Trace("", None, None, None), False, "nothing is told"),
]


@pytest.mark.parametrize(("now", "proved", "_why"), _PROOFS, ids=[row[2] for row in _PROOFS])
def test_a_reset_is_proved_or_not(now: Trace, proved: bool, _why: str) -> None:
    found = compare(_BEFORE, now)
    assert found.proved is proved
    assert len(found.shown) + len(found.not_shown) == 4
    assert set(found.shown + found.not_shown) <= set(words()["signs"])


def test_of_an_iphone_nobody_can_say_that_nobody_is_signed_in() -> None:
    """Only that Find My is off, which is another matter."""
    assert trace_of(_facts({"device": {"platform": "ios"}}), Unit()).accounts is None


def test_the_installation_number_is_kept_as_a_keyed_hash() -> None:
    facts = _facts({"setup": {"installation": "9774d56d682e549c"}})
    one, other = (trace_of(facts, Unit(seal_key=key)) for key in (b"one", b"two"))
    assert len(one.installation) == 64
    assert one.installation != other.installation
    assert "9774d56d" not in str(one)
