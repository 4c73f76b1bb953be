"""Tables are projections: the same events give the same tables."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from fleet.db import snapshot
from fleet.errors import UnitError
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.ledger_replay import replay
from fleet.models import metadata
from fleet.units import Registry, open_registry
from provision.model import Verdict
from tests.fleet.making import identity, outcomes, report, tables, ticking

_NAMES = st.sampled_from(["A", "B", "tiếng", "学生\x1b[31m", "\0\ud800"])
_TAGS = st.sampled_from(["A-0001", "A-0003", "B-7", "a-0012", "LAB", "bad tag"])
_VERDICTS = st.sampled_from([Verdict.VERIFIED, Verdict.PARTIAL, Verdict.FAILED])
_ACTIONS = st.one_of(
    st.tuples(st.just("seen"), _NAMES, st.sampled_from([None, "a", "B"])),
    st.tuples(st.just("ran"), _NAMES, st.tuples(_VERDICTS, st.booleans(), st.booleans(), st.text(max_size=5))),
    st.tuples(st.just("tagged"), _NAMES, _TAGS),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty registry, to be copied."""
    folder = tmp_path_factory.mktemp("made") / "home"
    with open_registry(Home(folder), None, "lan"):
        return folder


def _act(registry: Registry, action: str, name: str, how: Any) -> None:
    who = identity(name)
    if action == "seen":
        registry.unit_for(who, tag_prefix=how)
    elif action == "tagged":
        registry.tag(name, how)
    else:
        verdict, has_facts, has_outcomes, words = how
        changes: dict[str, Any] = {} if has_facts else {"facts": None}
        came = outcomes(sealed=words) if has_outcomes else ()
        registry.record(report(who, verdict=verdict, outcomes=came, error=words, **changes), who)


@settings(max_examples=25)
@given(actions=st.lists(_ACTIONS, max_size=12), leaps=st.lists(st.integers(-5000, 5000), max_size=40))
def test_replay_gives_the_same_tables(made: Path, actions: list[tuple[str, str, Any]], leaps: list[int]) -> None:
    """Whatever was done, refused or told by a clock that goes back."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(shutil.copytree(made, Path(folder) / "home")))
        with open_registry(home, None, "lan", clock=ticking(seconds=leaps)) as registry:
            for action in actions:
                try:
                    _act(registry, *action)
                except UnitError:
                    continue
            with snapshot(registry.engine) as conn:
                assert isinstance(verify(conn), Verified)
                assert _replayed(conn) == tables(conn)


def _replayed(source: Connection) -> Any:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as target:
        replay(source, target)
        rebuilt = tables(target)
    engine.dispose()
    return rebuilt


def test_chains_of_two_benches_replay_by_time(tmp_path: Path) -> None:
    """Two homes on one database: each event is in its own chain, and the later tag counts."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    clock = ticking()
    with (
        open_registry(Home(tmp_path / "one"), url, "lan", clock=clock) as one,
        open_registry(Home(tmp_path / "two"), url, "minh", clock=clock) as two,
    ):
        one.record(report())
        two.record(report(identity("S2")))
        one.tag("S2", "first")
        two.tag("S2", "second")
        with snapshot(one.engine) as conn:
            found = verify(conn)
            assert isinstance(found, Verified)
            assert [end.seq for end in found.ends] == [4, 4]
            assert _replayed(conn) == tables(conn)
