"""Makers' systems: recognised, their switches, the taps in every language; and makers.yaml itself, good and bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles.errors import ProfileError
from profiles.schema import Profile
from profiles.strict_yaml import parse as parse_yaml
from provision.android import install_errors, makers, refusals
from provision.android.maker_rows import FILE, TASKS, Switch, System, parse, rows
from provision.model import Identity, Makers
from provision.setting import Answer
from provision.sheet import LANGUAGES

CASES = Path(__file__).parents[2] / "data" / "android" / "makers"
BAD = Path(__file__).parents[2] / "data" / "intake" / "bad-makers"
_DEVICE = {"platform": "android", "serial": "S1", "maker": "google", "model": "Pixel", "version": "13", "api": 33}


def _read(file: Path) -> Mapping[str, Any]:
    case: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


def _makers(case: Mapping[str, Any]) -> Makers:
    who = Identity(**{**_DEVICE, **case.get("device", {})}, properties=case.get("properties", {}))
    answers = {
        name: Answer(*said) if isinstance(said, list) else Answer(said) for name, said in case["answers"].items()
    }
    profile = Profile(profile="case")
    assert set(answers) == set(makers.probes(profile, who, False)), "a case answers exactly what is asked"
    return makers.parse(answers, profile, who)


@pytest.mark.parametrize("file", sorted(CASES.glob("*.yaml")), ids=lambda file: file.stem)
def test_switches_stand_as_the_case_says(file: Path) -> None:
    case = _read(file)
    found = _makers(case)
    assert {quirk.key: str(quirk.state) for quirk in found.quirks} == case["switches"]
    for quirk in found.quirks:
        assert not quirk.wanted or set(quirk.taps) == set(LANGUAGES), "whoever has to tap is told how"
        for language, tap in case.get("tap", {}).get(quirk.key, {}).items():
            assert tap in quirk.taps[language]
    assert set(found.ways) == set(TASKS)
    assert all(set(taps) == set(LANGUAGES) for taps in found.ways.values())


def test_every_system_is_recognised_by_a_case() -> None:
    known = {name for file in CASES.glob("*.yaml") for name in _read(file)["expect"]["systems"]}
    assert known == {system.name for system in rows().systems}


def _switches() -> Iterator[tuple[System, Switch]]:
    for system in rows().systems:
        for switch in system.switches:
            yield system, switch


_MAKERS = {"miui": ("xiaomi", "MIUI"), "coloros": ("oppo", "ColorOS"), "oneui": ("samsung", "One UI")}


@pytest.mark.parametrize(("system", "switch"), list(_switches()), ids=lambda part: part.key)
def test_failures_are_those_that_the_other_files_explain(system: System, switch: Switch) -> None:
    """The texts stand once: here only their words, which refusals.yaml or install_errors.yaml know on that phone."""
    maker, skin = _MAKERS.get(system.key, ("vivo", ""))
    who = Identity("android", "S1", maker, "", "13", 33, skin=skin)
    for failure in switch.failures:
        said = f"Failure [{failure}: no]" if failure.isupper() else failure
        by_install = install_errors.explain(said, maker=maker, skin=skin)
        assert refusals.explain(f"requires:{failure}", who) or by_install.next_action, failure


def test_taps_fit_every_android_of_the_system() -> None:
    for _, switch in _switches():
        covered = {api for way in switch.ways for api in range(way.apis[0], way.apis[1] + 1)}
        assert not switch.wanted or set(range(24, 37)) <= covered, switch.key


def test_nothing_is_written() -> None:
    """Only these words, none of which changes a phone; the granting is to a package that no phone has."""
    who = Identity(**_DEVICE, properties={"ro.build.version.oneui": "1", "ro.miui.ui.version.name": "1"})  # type: ignore[arg-type]
    for probe in makers.probes(Profile(profile="case"), who, False).values():
        assert probe.masked.startswith((
            "pm grant org.schoolbag.no.such.package ", "pm path ", "settings get ",
        ))  # fmt: skip


@pytest.mark.parametrize("file", sorted(BAD.glob("*.yaml")), ids=lambda file: file.stem)
def test_mistakes_are_told_at_their_place(file: Path) -> None:
    """``old`` of our own file becomes ``new``; every problem then is one of ``problems``, by its line's words."""
    case = _read(file)
    text = FILE.read_text("utf-8")
    assert text.count(case["old"]) >= 1
    text = text.replace(case["old"], case["new"], 1)
    with pytest.raises(ProfileError) as caught:
        parse(parse_yaml(text.encode(), Path("makers.yaml")))
    told = [(problem.message, text.splitlines()[problem.line - 1].strip()) for problem in caught.value.problems]
    assert told == [(row["says"], row["at"]) for row in case["problems"]]
    assert str(caught.value).startswith("makers.yaml:")
