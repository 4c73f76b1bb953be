"""One device in two spellings: a list was typed at one bench, and another one read the device."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from fleet import lookalikes, tags
from fleet.account.custody import names as custody_names
from fleet.account.custody.balance import balance
from fleet.account.custody.joining import join
from fleet.account.custody.steps import do
from fleet.db import snapshot, transaction
from fleet.errors import CustodyError, UnitError
from fleet.home import Home, Options
from fleet.ledger_export import export
from fleet.ledger_merge import Merged, merge
from fleet.models import custody, units
from fleet.unit_commands import unit
from fleet.units import Registry, open_registry
from fleet.values import Json
from tests.account.custody_making import STUDENTS, assert_replays, furnish, take_in
from tests.account.sim_making import listed
from tests.fleet.making import identity, report, tables, ticking

TYPED, READ = "SNHO42L", "SNH0421"
WRONG, RIGHT = f"android:{TYPED}", f"android:{READ}"
NOW = "2025-03-09T08:00:00.000Z"
WHY = "the label says 0"


@pytest.fixture
def hub(registry: Registry) -> Registry:
    """Where the donor's list was typed: tag HO-42L, with an O and an L."""
    furnish(registry)
    take_in(registry, ["HO-42L"])
    return registry


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Registry]:
    home = Home(tmp_path / "bench")
    with open_registry(
        home, f"sqlite:///{home.database_file}", "minh", clock=ticking("2025-03-02T08:00:00.000Z")
    ) as it:
        yield it


_FILES = itertools.count()


def handed_on(source: Registry, target: Registry) -> Merged:
    file = source.home.path / f"{next(_FILES)}.ledger"
    with snapshot(source.engine) as conn:
        export(conn, file, NOW)
    with transaction(target.engine) as conn:
        return merge(conn, [file], NOW)


def groups(registry: Registry) -> list[list[str]]:
    with snapshot(registry.engine) as conn:
        return [[one.key for one in some] for some in lookalikes.groups(conn)]


def kept(registry: Registry) -> list[tuple[str, str | None, str, str, str]]:
    """Key, tag, origin, batch and state of every unit."""
    columns = (units.c.key, units.c.tag, units.c.origin, custody.c.batch, custody.c.state)
    with snapshot(registry.engine) as conn:
        return [tuple(row) for row in conn.execute(select(*columns).join_from(units, custody).order_by(units.c.key))]


def test_what_was_typed_and_what_was_read_become_one(hub: Registry, bench: Registry) -> None:
    bench.record(report(identity(READ)))
    found = handed_on(bench, hub)
    assert found.alike == (f"{RIGHT} and {WRONG} (HO-42L) may be one device.",)
    assert groups(hub) == [[RIGHT, WRONG]]
    done = join(hub, READ, "ho-42l", WHY)
    assert (done.was, done.unit, done.shown, done.batch, done.tag) == (WRONG, RIGHT, "HO-42L", "VNPT-1", "HO-42L")
    assert kept(hub) == [(RIGHT, "HO-42L", "VNPT-1", "VNPT-1", "at_bench")]
    assert groups(hub) == []
    with snapshot(hub.engine) as conn:
        assert [one.key for one in tags.find(conn, TYPED)] == [RIGHT]
        assert [one.key for one in custody_names.find(conn, [TYPED, WRONG]).units] == [RIGHT]
        told = balance(conn, NOW)
        assert (told.received, sum(line.units for line in told.lines)) == (1, 1)
        assert not {"books", "announced", "unlisted", "never_seen"} & {one.kind for one in told.unexplained}
    assert_replays(hub)
    handed_on(hub, bench)
    assert kept(bench) == kept(hub)
    assert_replays(bench)


def test_a_device_that_has_a_tag_keeps_it_and_the_old_label_still_means_it(hub: Registry) -> None:
    hub.unit_for(identity(READ), tag_prefix="B")
    hub.record(report(identity(READ)))
    assert join(hub, WRONG, RIGHT, WHY).tag == "B-0001"
    with snapshot(hub.engine) as conn:
        assert [one.tag for one in tags.find(conn, "ho-42l")] == ["B-0001"]
        assert [one.tag for one in custody_names.find(conn, ["HO-42L"]).units] == ["B-0001"]


def accepted(registry: Registry) -> None:
    said: dict[str, Json] = {
        "student": STUDENTS[0],
        "taken_by": "guardian",
        "kit": {"charger": 1},
        "condition": "good",
    }
    do(registry, "hand_over", ["HO-42L"], said)


def given_back(registry: Registry) -> None:
    accepted(registry)
    do(registry, "return", ["HO-42L"], {"place": "LE-LOI", "kit": {"charger": 1}, "condition": "good"})


def meant_for(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "unit.assigned", WRONG, {"v": 1, "student": STUDENTS[0]})


def with_a_sim(registry: Registry) -> None:
    (iccid,) = listed(registry, 1)
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "sim.set", iccid, {"v": 1, "step": "insert", "fields": {"unit": WRONG}})


@pytest.mark.parametrize("before", [accepted, given_back, meant_for, with_a_sim])
def test_one_that_somebody_counts_on_is_not_taken_away(hub: Registry, before: Callable[[Registry], None]) -> None:
    hub.record(report(identity(READ)))
    before(hub)
    with pytest.raises(CustodyError, match="HO-42L"):
        join(hub, WRONG, RIGHT, WHY)
    assert len(kept(hub)) == 2


def test_two_devices_stay_two(hub: Registry) -> None:
    with pytest.raises(UnitError, match="one unit already"):
        join(hub, "HO-42L", WRONG, WHY)
    take_in(hub, ["B-1"])
    with pytest.raises(UnitError, match="not alike"):
        join(hub, "HO-42L", "B-1", WHY)
    hub.unit_for(identity(READ), tag_prefix="B")  # about to be read, and not read yet
    with pytest.raises(UnitError, match="No bench has seen"):
        join(hub, WRONG, RIGHT, WHY)
    hub.record(report(identity(READ)))
    hub.record(report(identity(TYPED)))
    with pytest.raises(UnitError, match="they are two"):
        join(hub, WRONG, RIGHT, WHY)
    assert groups(hub) == []


def carried(other: Registry) -> None:
    do(other, "send", ["HO-42L"], {"place": "LE-LOI"})


def handed(other: Registry) -> None:
    accepted(other)


def read(other: Registry) -> None:
    other.record(report(identity(TYPED)))


@pytest.mark.parametrize("since", [carried, handed, read])
def test_what_a_bench_did_that_did_not_know_is_not_lost(
    hub: Registry, bench: Registry, since: Callable[[Registry], None]
) -> None:
    """The misread one is there again, and is listed for somebody to look at."""
    hub.record(report(identity(READ)))
    handed_on(hub, bench)
    join(hub, WRONG, RIGHT, WHY)
    since(bench)
    handed_on(bench, hub)
    assert [key for key, *_ in kept(hub)] == [RIGHT, WRONG]
    assert groups(hub) == ([] if since is read else [[RIGHT, WRONG]])
    assert_replays(hub)
    handed_on(hub, bench)
    with snapshot(hub.engine) as here, snapshot(bench.engine) as there:
        assert tables(here) == tables(there)


def test_what_happened_before_it_was_joined_counts(hub: Registry, bench: Registry) -> None:
    """Handed over by a bench that was offline, before somebody joined it elsewhere: it stays."""
    handed_on(hub, bench)
    accepted(bench)
    with open_registry(hub.home, None, "lan", clock=ticking("2025-03-03T08:00:00.000Z")) as later:
        later.record(report(identity(READ)))
        join(later, WRONG, RIGHT, WHY)
        handed_on(bench, later)
        assert [(key, state) for key, *_, state in kept(later)] == [(RIGHT, "at_bench"), (WRONG, "with_student")]
        assert_replays(later)


def test_the_commands(hub: Registry, home: Home) -> None:
    def fleet(*words: str) -> str:
        done = CliRunner().invoke(unit, words, obj=Options(home=home.path))
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    assert fleet("alike") == "No two units may be one device.\n"
    hub.record(report(identity(READ)))
    (line,) = fleet("alike", "--json").splitlines()
    assert [(one["serial"], one["benched"]) for one in json.loads(line)["units"]] == [(READ, True), (TYPED, False)]
    assert "may be one device" in fleet("alike")
    assert fleet("join", TYPED, READ) == f"{WRONG} was HO-42L. It has the papers of batch VNPT-1 now.\n"
    history = fleet("show", TYPED)
    assert "was this one, misread" in " ".join(history.split())
