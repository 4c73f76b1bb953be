"""Donors' lists: cases are files, so that one that made trouble can be added."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from fleet.account.custody import serials
from fleet.account.custody.receive import Lot, plan, receive
from fleet.account.custody.receive_file import read
from fleet.account.custody.receive_rows import Listed
from fleet.db import snapshot
from fleet.errors import AccountError, CustodyError, FileError, UnitError
from fleet.home import Home
from fleet.lookalikes import fold
from fleet.models import batches, custody, events, units
from fleet.units import Registry
from tests.account.custody_making import assert_replays, furnish, take_in, where
from tests.fleet.making import SQLITE, identity, report
from tests.fleets import Fleet

CASES = Path(__file__).parents[1] / "data/custody/lists"
LOT = Lot("VNPT-1", "STORE", "VNPT")


def _furnished(registry: Registry) -> None:
    furnish(registry, ())
    for serial in ("SEEN-1", "seen2x"):
        registry.record(report(identity(serial)))
    registry.tag("SEEN-1", "S-0001")
    receive(registry, Lot("OLD", "STORE", "old"), [Listed(0, "DONE-1", maker="x", tag="D-0001")], all_of_them=True)


def _keys(registry: Registry) -> set[str]:
    with snapshot(registry.engine) as conn:
        return set(conn.scalars(select(units.c.key)))


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_list(registry: Registry, case: Path, tmp_path: Path) -> None:
    told = yaml.safe_load(case.read_text(encoding="utf-8"))
    file = tmp_path / "list.csv"
    file.write_text(told["list"], encoding="utf-8-sig")
    _furnished(registry)
    before = _keys(registry)
    rows = read(file)
    found = plan(registry, LOT, rows)
    assert _keys(registry) == before, "a plan changed something"
    assert {one.row.number: one.verdict for one in found.rows} == {n: row["verdict"] for n, row in told["rows"].items()}
    for one in found.rows:
        assert told["rows"][one.row.number].get("why", "") in one.why, one.why
    assert receive(registry, LOT, rows, all_of_them=False).numbers == found.numbers
    assert _keys(registry) - before == set(told["taken"])
    with snapshot(registry.engine) as conn:
        count = len(conn.execute(select(events.c.seq)).all())
    again = receive(registry, LOT, rows, all_of_them=False)
    assert again.numbers["new"] == again.numbers["matched"] == 0
    with snapshot(registry.engine) as conn:
        assert len(conn.execute(select(events.c.seq)).all()) == count, "doing it again did something"
    assert_replays(registry)


def test_a_workbook_is_a_list_too(registry: Registry, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    cover = book.active
    assert cover is not None
    cover.append(["With kind regards"])
    sheet = book.create_sheet("Devices")
    sheet.append(["S/N", "Make", "Model", "IMEI"])
    sheet.append(["R58M12ABCDE", "Samsung", "A10", 356938035643809])
    sheet.append([1234567890123, "Nokia", "1", None])
    book.save(tmp_path / "list.xlsx")
    furnish(registry, ())
    found = receive(registry, LOT, read(tmp_path / "list.xlsx"), all_of_them=True)
    assert found.numbers["new"] == 2
    with snapshot(registry.engine) as conn:
        rows = {row.key: row.imei for row in conn.execute(select(units.c.key, units.c.imei))}
    assert rows == {"android:R58M12ABCDE": "356938035643809", "android:1234567890123": ""}


def test_a_list_without_serial_numbers_is_none(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Name,Phone\na,b\n")
    with pytest.raises(FileError, match="no column of serial numbers"):
        read(file)


def test_what_a_bench_saw_before_is_matched_where_it_is(registry: Registry) -> None:
    """Once without a place, which the papers then give, and once at a place, where it stays."""
    furnish(registry)
    for serial in ("ONE-11", "TWO-22"):
        registry.record(report(identity(serial)))
    registry.tag("TWO-22", "T-0002")
    from fleet.account.custody import steps as custody_steps

    custody_steps.do(registry, "move", ["T-0002"], {"place": "BENCH-1"})
    rows = [Listed(0, "one-11", maker="Apple", tag="T-0001"), Listed(0, "TWO-22", maker="Apple")]
    assert receive(registry, LOT, rows, all_of_them=True).numbers["matched"] == 2
    assert _keys(registry) == {"android:ONE-11", "android:TWO-22"}
    assert where(registry, "T-0001")[:2] == ("stock", "STORE")
    assert where(registry, "T-0002")[:2] == ("at_bench", "BENCH-1")
    with snapshot(registry.engine) as conn:
        assert set(conn.scalars(select(custody.c.batch))) == {"VNPT-1"}
    assert_replays(registry)


def test_one_by_one_is_all_or_nothing(registry: Registry) -> None:
    furnish(registry, ())
    typed = [Listed(0, "GOOD-1", maker="x"), Listed(0, "F9FXO1ABCDEF", maker="Apple")]
    with pytest.raises(CustodyError, match="have no O") as refused:
        receive(registry, LOT, typed, all_of_them=True)
    assert "--sure" in refused.value.next_action
    assert not _keys(registry)
    assert receive(registry, LOT, typed, sure=True, all_of_them=True).numbers["new"] == 2
    with pytest.raises(CustodyError, match="There is no serial number"):
        receive(registry, LOT, [Listed(0, " ", maker="x")], sure=True, all_of_them=True)


def test_a_batch_says_how_many_were_announced(registry: Registry) -> None:
    furnish(registry, ())
    with pytest.raises(AccountError, match="needs --donor") as unknown:
        receive(registry, Lot("NEW", "STORE"), [], all_of_them=True)
    assert "There is no batch NEW" in str(unknown.value)
    receive(registry, Lot("NEW", "STORE", "City", listed=7), [], all_of_them=True)
    receive(registry, Lot("NEW", "STORE", listed=3), [], all_of_them=True)
    assert _batch(registry) == ("City", 7)
    receive(registry, Lot("NEW", "STORE", announced=9), [], all_of_them=True)
    assert _batch(registry) == ("City", 9)
    with pytest.raises(AccountError, match="cannot be the name of a batch"):
        receive(registry, Lot("unrecorded", "STORE", "x"), [], all_of_them=True)


def _batch(registry: Registry) -> tuple[str, int | None]:
    with snapshot(registry.engine) as conn:
        row = conn.execute(select(batches.c.donor, batches.c.announced)).one()
    return row.donor, row.announced


@SQLITE
def test_commands(home: Home, registry: Registry, tmp_path: Path) -> None:
    """A plan by default, exit 1 while something is refused, and lines that a program can read."""
    furnish(registry, ())
    fleet = Fleet(home.path, 1)
    file = tmp_path / "list.csv"
    file.write_text("Serial,Maker\nAAAA1111,x\nAAAA1111,x\n")
    words = ("receive", file, "--batch", "B-1", "--donor", "D", "--place", "STORE")
    done = fleet(*words)
    assert (done.code, "Nothing was changed yet" in done.out) == (1, True)
    done = fleet(*words, "--apply", "--json")
    assert [line["verdict"] for line in done.lines[:-1]] == ["new", "refused"]
    assert done.lines[-1]["applied"]
    assert done.lines[-1]["announced"] == 2
    done = fleet("receive", "BBBB2222", "--maker", "Apple", "--batch", "B-1", "--place", "STOR")
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        "Error: No place has the code 'STOR' (did you mean \"STORE\"?).",
    )
    assert _keys(registry) == {"android:AAAA1111"}


@given(st.text("0O1ILAB", min_size=4, max_size=12), st.data())
def test_a_slip_of_one_letter_is_seen(serial: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(serial) - 1))
    alike = next((group for group in ("0O", "1IL") if serial[place] in group), serial[place])
    slipped = serial[:place] + data.draw(st.sampled_from(alike)) + serial[place + 1 :]
    assert fold(slipped) == fold(serial)
    assert slipped == serial or slipped in serials.lookalikes(serial)
    assert serial not in serials.lookalikes(serial)


@given(st.integers(0, 10**14 - 1), st.integers(0, 13), st.integers(1, 9))
def test_the_check_digit_sees_every_wrong_digit(number: int, place: int, off: int) -> None:
    body = f"{number:014d}"
    [good] = [body + digit for digit in "0123456789" if serials.luhn(body + digit)]
    assert serials.imei(f" {good[:8]}-{good[8:]} ") == good
    wrong = good[:place] + str((int(good[place]) + off) % 10) + good[place + 1 :]
    with pytest.raises(UnitError, match="check digit"):
        serials.imei(wrong)


def test_taking_in_is_not_twice(registry: Registry) -> None:
    furnish(registry, ())
    take_in(registry, ["A-0001"])
    take_in(registry, ["A-0001"])
    with pytest.raises(CustodyError, match="batch VNPT-1 already"):
        take_in(registry, ["A-0001"], batch="OTHER")


@SQLITE
def test_what_was_only_received_was_never_seen(home: Home, registry: Registry) -> None:
    furnish(registry, ())
    take_in(registry, ["A-0001"])
    fleet = Fleet(home.path, 1)
    shown = fleet("unit", "show", "A-0001").out
    assert "never at a bench" in shown
    assert "First seen" not in shown
    assert "never" in fleet("unit", "list").out
    assert fleet("unit", "list", "--json").lines[0]["benched_at"] is None
    registry.record(report(identity("SNA0001")))
    assert "First seen" in fleet("unit", "show", "A-0001").out
    assert "never" not in fleet("unit", "list").out
