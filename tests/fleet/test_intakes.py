"""Intakes in the registry: whose a label is, since when a device is refused, what certificates say, and replay."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from fleet.db import snapshot
from fleet.errors import UnitError
from fleet.intake_papers import certificate, letter
from fleet.intake_view import last_intake
from fleet.intakes import Inspected, Look, inspect, inspect_all, summary
from fleet.ledger import verify
from fleet.ledger_replay import replay
from fleet.models import events, metadata
from fleet.units import Registry
from provision.android.settings import READERS
from provision.bench import Attached
from provision.device import Place
from provision.errors import Unplugged
from provision.intake_rules import rules
from provision.model import Identity
from provision.setting import Answer
from tests.fleet.making import identity, report, tables

RULES, TODAY = rules(), date(2025, 3, 1)
OWNED = "User  0: admin=com.example.mdm/.Admin,DeviceOwner\n"


@dataclass
class Told:
    """A device that says what it is told to, and nothing to all else."""

    identity: Identity
    says: Mapping[str, str] = field(default_factory=dict)
    pulled: bool = False
    address: str = "here"
    port: str = "1-1"
    number: int = 1
    away: bool = False
    readers: Mapping[str, Any] = field(default_factory=lambda: READERS)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, questions: Mapping[str, Any], /) -> Mapping[str, Answer]:
        if self.pulled:
            raise Unplugged("The cable was pulled.", "Plug it in again.")
        return {name: Answer(self.says.get(name, "")) for name in questions}

    def perform(self, action: object, progress: Callable[[int], None], /) -> None:
        raise AssertionError("an intake writes nothing")

    def stop(self) -> None: ...


DONATED = {
    "locks/accounts": "accounts=1\ntype=com.google\n",
    "locks/owners": "no owners",
    "setup/packages": "package:android\npackage:com.example.game\n",
    "setup/own_apps": "package:com.example.game\n",
    "setup/starts": "143",
    "setup/installation": "9774d56d682e549c",
}
RESET = {
    **DONATED,
    "locks/accounts": "accounts=0\n",
    "setup/own_apps": "",
    "setup/starts": "1",
    "setup/installation": "0123456789abcdef",
}


def look(registry: Registry, serial: str, says: Mapping[str, str] = RESET, label: str = "", **more: Any) -> Inspected:
    device = Told(identity(serial), says, **more)
    place = Attached(Place("android", device.address, device.port, "device"), device)
    (found,) = inspect_all([place], RULES, {place.address: label} if label else {}, registry, TODAY, lambda _: None)
    return found


def replayed(registry: Registry) -> None:
    """Events alone give the same tables."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with snapshot(registry.engine) as source, engine.connect() as target:
        assert "Verified" in type(verify(source)).__name__
        replay(source, target)
        assert tables(target) == tables(source)
    engine.dispose()


def test_the_same_events_give_the_same_tables(registry: Registry) -> None:
    look(registry, "S1", DONATED, "LB-1")
    look(registry, "S1", {**RESET, "locks/owners": OWNED})
    look(registry, "S1", {**RESET, "locks/owners": OWNED})
    registry.record(report(identity("S1")))
    look(registry, "S2", DONATED)
    replayed(registry)


def test_a_look_that_says_nothing_new_is_not_recorded(registry: Registry) -> None:
    """A device that waits for a hand is looked at every few seconds; one that is plugged in anew begins anew."""
    waits = {**RESET, "locks/accounts": "accounts=1\ntype=com.google\n"}
    device = Told(identity("S1"), waits)
    place = Attached(Place("android", "here", "1-1", "device"), device)

    def count_of_events() -> int:
        with snapshot(registry.engine) as conn:
            return conn.scalar(select(func.count()).select_from(events)) or 0

    first = inspect(place, Look(RULES, TODAY), registry)
    count = count_of_events()
    again = first
    for _ in range(3):
        again = inspect(place, Look(RULES, TODAY, before=again), registry)
    assert (count_of_events(), again.intake and again.intake.verdict) == (count, "needs hands")
    device.says = RESET
    good = inspect(place, Look(RULES, TODAY, before=again), registry)
    assert (good.accepted, count_of_events()) == (True, count + 1)
    inspect(place, Look(RULES, TODAY), registry)
    assert count_of_events() == count + 2
    inspect(place, Look(RULES, TODAY, keep=False), registry)
    assert count_of_events() == count + 2
    replayed(registry)


def paper(registry: Registry, serial: str, language: str = "en") -> str:
    with snapshot(registry.engine) as conn:
        return certificate(last_intake(conn, serial), language)


def test_a_reset_stays_proved_until_it_is_seen_anew(registry: Registry) -> None:
    look(registry, "S1", DONATED)
    assert "Only one intake is on record" in paper(registry, "S1")
    assert look(registry, "S1", {**DONATED, "locks/accounts": "accounts=0"}).reset is not None
    assert "No reset was seen" in paper(registry, "S1")
    found = look(registry, "S1", RESET)
    assert found.reset is not None
    assert found.reset.proved
    proved = paper(registry, "S1")
    assert "Seen: it was reset between 2025-03-01 08:00 UTC and 2025-03-01 08:00 UTC." in proved
    again = look(registry, "S1", {**RESET, "setup/starts": "2"})
    assert again.reset is not None
    assert not again.reset.proved
    kept = [line for line in paper(registry, "S1").splitlines() if not line.startswith("Last intake")]
    assert kept == [line for line in proved.splitlines() if not line.startswith("Last intake")]
    replayed(registry)


@pytest.mark.parametrize(("language", "word"), [("en", "not tested"), ("zh", "未测试"), ("vi", "chưa thử xem")])
def test_a_certificate_says_what_was_not_proved(registry: Registry, language: str, word: str) -> None:
    look(registry, "S1", DONATED)
    look(registry, "S1", RESET)
    assert word in paper(registry, "S1", language)
    registry.record(report(identity("S3")))
    assert word in paper(registry, "S3", language), "a unit without any intake"


def test_a_certificate_is_read_without_what_only_writers_need() -> None:
    modules = "pydantic alembic sqlalchemy.orm"
    code = f"import sys, fleet.intake_papers, fleet.intake_view; print(*set('{modules}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""


def test_since_when_it_is_refused_begins_anew_after_an_accept(registry: Registry) -> None:
    owned = {**RESET, "locks/owners": OWNED}

    def since(found: Inspected) -> str:
        assert found.intake is not None
        assert found.intake.letter is not None
        return found.intake.letter.since

    assert since(look(registry, "S1", owned)) == ""
    first = since(look(registry, "S1", owned))
    assert since(look(registry, "S1", owned)) == first != ""
    look(registry, "S1", RESET)
    assert since(look(registry, "S1", owned)) == ""


def test_a_letter_has_what_a_donor_needs(registry: Registry) -> None:
    found = look(registry, "S1\x1b[31m", {**RESET, "locks/owners": OWNED}, "LB-1")
    assert found.intake is not None
    assert found.intake.letter is not None
    text = letter(found.intake.letter, "vi", "2025-03-01T09:00:00.000Z")
    assert "Số sê-ri: S1\\x1b[31m" in text
    assert "IMEI: không đọc được" in text
    assert "Nhãn: LB-1" in text
    assert "2025-03-01" in text


def test_a_label_is_one_units_own(registry: Registry) -> None:
    look(registry, "S1", label="lb-1")
    assert look(registry, "S1", label="LB-1").error is None, "the same label again is the same label"
    registry.record(report(identity("S3")))
    registry.tag("S3", "A-0003")
    for label, owner in (("lb-1", "S1"), ("s1", "S1"), ("a-0003", "S3 (A-0003)"), ("356938035643809", "S3 (A-0003)")):
        with pytest.raises(UnitError) as caught:
            look(registry, "S2", label=label)
        assert caught.value.what == (
            f"The label {label.upper()} was scanned for S2, but it belongs to {owner}."
        )  # fmt: skip
    with pytest.raises(UnitError, match="S1 has the label LB-1, and LB-2 was scanned"):
        look(registry, "S1", label="LB-2")
    assert look(registry, "S3", label="A-0003").error is None, "its own tag may be its label"
    assert not registry.resolve("S2")


@pytest.mark.parametrize("label", ["%", "_1", "S_", "\\"])
def test_a_label_is_taken_as_it_stands(registry: Registry, label: str) -> None:
    look(registry, "S1")
    assert look(registry, "S2", label=label).error is None


@pytest.mark.parametrize("label", [" ", "A\nB", "x" * 65, "\x1b[31m"])
def test_what_cannot_be_a_label(registry: Registry, label: str) -> None:
    with pytest.raises(UnitError, match="cannot be a label"):
        look(registry, "S1", label=label)


def test_a_label_with_another_imei_is_said_in_the_devices_row(registry: Registry) -> None:
    digits = "356938035643809"
    units = [ord(digit) for digit in digits] + [0]
    words = [0, len(digits), *(low | high << 16 for low, high in zip(units[::2], units[1::2], strict=True))]
    parcel = "Result: Parcel(" + " ".join(f"{word:08x}" for word in words) + " '...')"
    found = look(registry, "S1", {**RESET, "cellular/imei": parcel}, "490154203237518")
    assert found.error is not None
    assert "The label says IMEI 490154203237518" in found.error.what
    assert not registry.resolve("S1")


def test_a_pulled_device_is_said_in_its_row(registry: Registry) -> None:
    found = look(registry, "S1", pulled=True)
    assert found.intake is None
    assert "pulled" in str(found.error)
    assert summary([found]) == {"devices": 1, "accept": 0, "hands": 0, "refuse": 0, "failed": 1}
    assert not registry.resolve("S1")


def test_no_account_and_no_number_of_the_phone_is_kept(registry: Registry) -> None:
    look(registry, "S1", {**DONATED, "locks/accounts": "accounts=1\n    Account {name=a@example.org, type=com.google}"})
    with snapshot(registry.engine) as conn:
        text = str(tables(conn))
    assert "a@example.org" not in text
    assert DONATED["setup/installation"] not in text
