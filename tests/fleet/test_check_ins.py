"""What many runs say is kept at once as it would be one by one, whatever they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, func, select

from fleet import check_ins
from fleet.check_ins import CheckIn
from fleet.db import snapshot, transaction
from fleet.home import Bench
from fleet.iccid import check_digit
from fleet.ledger import Ledger, Verified, verify
from fleet.ledger_replay import replay
from fleet.models import custody, events, health, health_now, items, metadata, sims
from fleet.sim_reading import changed
from fleet.units import Registry
from profiles.schema import DataPlan
from provision.model import Cellular, Facts, Health, Report, SimCard
from tests.fleet.making import identity, outcomes, report, tables, ticking

_SERIALS = ("A", "B", "C")
_ICCIDS = tuple(payload + check_digit(payload) for payload in ("898404800001234567", "898404800001234568"))
_NO_CARD, _SILENT = SimCard(0, "ABSENT"), SimCard(0, "READY", "45204", "Viettel")
_LEDGER = Ledger(Bench("b" * 16, "hanoi"), "lan", lambda: "2025-03-01T08:00:00.000Z")


def _said(serial: str, card: str, level: int, minute: int, *, told: bool, plan: bool) -> CheckIn:
    who = identity(serial)
    if not told:
        return CheckIn(report(facts=None, outcomes=(), error="Unplugged."), who)
    slot = {"none": _NO_CARD, "silent": _SILENT}.get(card) or SimCard(0, "READY", "45204", "Viettel", card)
    found = Facts(who, health=Health(battery_level=level) if level else Health(), cellular=Cellular((slot,)))
    ended = f"2025-03-01T08:0{minute}:00.000Z"
    said = report(facts=found, outcomes=outcomes()[: level % 3], ended=ended)
    return CheckIn(said, None, DataPlan(quota="4 GB/day", days=90) if plan else None)


_SAID = st.builds(
    _said,
    st.sampled_from(_SERIALS),
    st.sampled_from((*_ICCIDS, "none", "silent")),
    st.integers(0, 5),
    st.integers(0, 2),
    told=st.sampled_from((True, True, True, False)),
    plan=st.booleans(),
)
_OWNED = st.sampled_from((None, *(f"android:{serial}" for serial in _SERIALS)))


def _kept(said: list[CheckIn], owners: list[str | None], *, at_once: bool) -> dict[str, Any]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as conn:
        _LEDGER.append_many(conn, (_listed(iccid, unit) for iccid, unit in zip(_ICCIDS, owners, strict=True)))
        for some in [said] if at_once else [[one] for one in said]:
            check_ins.record(conn, _LEDGER, some)
        assert isinstance(verify(conn), Verified)
        found = {
            **tables(conn),
            **{table.name: sorted(map(tuple, conn.execute(select(table)))) for table in (health, health_now)},
        }
        happened = conn.execute(select(events.c.kind, events.c.subject, events.c.body).order_by(events.c.seq))
        found["events by subject"] = sorted((row.subject, row.kind, row.body) for row in happened)
        assert tables(conn) == _replayed(conn)
    engine.dispose()
    return found


def _listed(iccid: str, unit: str | None) -> tuple[str, str, dict[str, Any]]:
    return changed("list", iccid, {"state": "inserted" if unit else "received", "unit": unit})


def _replayed(source: Connection) -> Any:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as target:
        replay(source, target)
        rebuilt = tables(target)
    engine.dispose()
    return rebuilt


@settings(max_examples=12, deadline=None)
@given(said=st.lists(_SAID, min_size=1, max_size=8), owners=st.lists(_OWNED, min_size=2, max_size=2))
def test_at_once_is_as_one_by_one(said: list[CheckIn], owners: list[str | None]) -> None:
    assert _kept(said, owners, at_once=True) == _kept(said, owners, at_once=False)


def _reports(many: int) -> list[CheckIn]:
    return [CheckIn(report(identity(f"N{number % 2100}"))) for number in range(many)]


def test_more_than_fit_into_one_batch(registry: Registry) -> None:
    assert registry.record_many(iter(_reports(2300))) == 2300
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)
        assert conn.scalar(select(func.count()).select_from(custody)) == 2100
        assert conn.scalar(select(func.count()).select_from(items)) == 6300
        assert conn.scalar(select(func.count()).where(events.c.kind == "unit.run")) == 2300
        assert tables(conn) == _replayed(conn)


def test_what_concerns_no_unit_is_left_out(registry: Registry) -> None:
    nobody: Report = report(identity=None, facts=None)
    assert registry.record_many([CheckIn(nobody), CheckIn(report()), CheckIn(nobody)]) == 1
    assert registry.record_many(()) == 0


def test_an_error_in_the_middle_keeps_nothing(registry: Registry) -> None:
    def said() -> Any:
        yield from _reports(2050)
        raise RuntimeError("the stream broke")

    with pytest.raises(RuntimeError):
        registry.record_many(said())
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)
        assert conn.scalar(select(func.count()).select_from(events)) == 0
        assert conn.scalar(select(func.count()).select_from(health)) == 0


def test_the_last_reading_is_the_one_of_now_though_the_clock_went_back(registry: Registry) -> None:
    clock = ticking(seconds=(0, -7200))
    said = [CheckIn(report(ended=clock())), CheckIn(report(ended=clock()))]
    registry.record_many(said)
    with snapshot(registry.engine) as conn:
        assert conn.scalars(select(health_now.c.at)).all() == [said[1].report.ended]
        assert conn.scalar(select(func.count()).select_from(health)) == 2


def test_a_sim_of_ours_is_read_and_one_that_is_gone_is_missed(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append_many(conn, [_listed(iccid, None) for iccid in _ICCIDS])
    for minute, cards in enumerate((_ICCIDS, (_ICCIDS[0], "none"))):
        told = zip("AB", cards, strict=True)
        registry.record_many(_said(serial, card, 1, minute, told=True, plan=False) for serial, card in told)
    with snapshot(registry.engine) as conn:
        found = {row.iccid: (row.read_unit, bool(row.missed_at)) for row in conn.execute(select(sims))}
    assert found == {_ICCIDS[0]: ("android:A", False), _ICCIDS[1]: ("android:B", True)}
