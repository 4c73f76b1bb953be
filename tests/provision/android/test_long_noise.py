"""No phone's babble holds up the others: reading four times as much takes no more than some eight times as long.

``re`` lets no other thread work while it searches, so a pattern that goes back over a long answer would stop every
run of the bench. Each parser and each pattern is fed much of the same, and of the words at which patterns begin.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import provision.android
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.android import identity, install_errors, refusals, states
from provision.android.settings import READERS, SETTINGS
from provision.model import Identity
from provision.setting import Answer

NOISE = (
    "\n", " ", "\t", "a", "(", "[", "1", "1 ", "a:", "a: \n", "x=", "User 0:", "User 0: admin=", "Device Owner:\n",
    "KeyguardServiceDelegate\n", "(current): ", "id=1 ", "signatures=PackageSignatures{", "[a]: [",
    "Row: 0 _id=1, apn=", "package:", "package:a\n", "Accounts: ", "Data-Free: ", "Failure [", "Exception", "1 a ",
    " a:b", "file ",
)  # fmt: skip
SIZE = 75_000
"""Characters of the shorter answer; of the longer one four times as many."""

PROFILE = """
profile: case
identity: {name: "{tag}", time_zone: Asia/Ho_Chi_Minh, automatic_time: true}
network: {wifi: [{ssid: A, password: !secret wifi}], filter_dns: family.example}
apps: [{id: a, android: {package: org.example.a}}]
sim: {carrier: viettel, apn: automatic, roaming: off, background_data: {default: deny, allow: [a]}}
restrictions: {remove: [{android: com.x.y}], block: [{android: com.x.z}], factory_reset: deny, data_roaming: deny}
screen_lock: {pin: !secret pin}
"""
PHONE = Identity("android", "S1", "xiaomi", "Pixel", "13", 33)


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every pattern for text that a module of provision.android keeps, and those of its tables of refusals."""
    for found in pkgutil.iter_modules(provision.android.__path__):
        module = importlib.import_module(f"provision.android.{found.name}")
        for name, kept in vars(module).items():
            if isinstance(kept, re.Pattern) and isinstance(kept.pattern, str):
                yield f"{found.name}.{name}", kept
    yield from ((f"refusals {row.text.pattern}", row.text) for row in refusals._rows())
    yield from ((f"install_errors {row.text.pattern}", row.text) for row in install_errors._rows() if row.text)


_ONE_LINE = {"health._PAIR", "network._ROW", "states._LINE", "cellular._WORD"}
"""Patterns that are given one line of bounded length; the parsers below say whether that is so."""


def _linear(read: Callable[[str], object], start: str = "", end: str = "") -> None:
    for noise in NOISE:
        short, middle, long = ((start + noise * (n // len(noise)) + end)[:n] for n in (SIZE // 4, SIZE, 4 * SIZE))
        assert _in_proportion(read, short, middle), (noise, len(middle))
        assert _in_proportion(read, middle, long), (noise, len(long))


def _in_proportion(read: Callable[[str], object], less: str, more: str) -> bool:
    """In one of three tries, since others use this computer too; what goes back over it all is slow in every one."""
    return any(_seconds(read, more) < 8 * max(_seconds(read, less), 0.02) for _ in range(3))


def _seconds(read: Callable[[str], object], said: str) -> float:
    begun = time.thread_time()
    read(said)
    return time.thread_time() - begun


@pytest.mark.parametrize(("name", "pattern"), list(_patterns()), ids=lambda part: getattr(part, "pattern", part)[:40])
def test_a_pattern_takes_long_in_proportion(name: str, pattern: re.Pattern[str]) -> None:
    if name not in _ONE_LINE:
        _linear(lambda said: pattern.findall(said))


def _profile(folder: Path) -> Profile:
    file = folder / "case.yaml"
    file.write_text(PROFILE, encoding="utf-8")
    return load(str(file), Secrets({"FLEET_SECRET_WIFI": "hoc-tap-tot", "FLEET_SECRET_PIN": "2468"}))


@pytest.mark.parametrize("name", [*READERS, *SETTINGS])
def test_a_parser_takes_long_in_proportion(name: str, tmp_path: Path) -> None:
    profile, reader = _profile(tmp_path), {**READERS, **SETTINGS}[name]
    asked = reader.probes(profile, PHONE, False)

    def read(said: str) -> None:
        reader.parse(dict.fromkeys(asked, Answer(said)), profile, PHONE)

    _linear(read, start="Network Id\nRow: 0 _id=1, apn=\nKeyguardServiceDelegate\n1 a", end="x")


def test_what_is_read_elsewhere_takes_long_in_proportion() -> None:
    _linear(lambda said: identity.identify({"properties": Answer(said)}))
    _linear(lambda said: refusals.explain(said, PHONE))
    _linear(lambda said: install_errors.explain(said, maker="xiaomi", skin="MIUI"))
    _linear(states.parse_listing, start="1 x ")
