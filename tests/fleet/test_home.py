from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.db import database_of, writing
from fleet.errors import HomeError
from fleet.home import Home, Options, actor_of, home_of
from fleet.units import open_registry
from provision.android import apk
from tests.fleet.making import report

BUNDLE = Path(__file__).parents[2] / "examples" / "apps" / "schoolbag-maths.apks"


def _hold(home: Home) -> None:
    with home.hold("S1"):
        pass


def _register(home: Home) -> None:
    with writing(database_of(None, home)):
        pass


def _unpack(home: Home) -> None:
    apk.read([BUNDLE], cache=home.path / "cache")


def test_which_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_of(Options(home=tmp_path), {"FLEET_HOME": "/elsewhere"}).path == tmp_path
    assert home_of(Options(), {"FLEET_HOME": str(tmp_path)}).path == tmp_path
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home_of(Options(), {}).path == tmp_path / "schoolbag"
    monkeypatch.chdir(tmp_path)
    assert home_of(Options(home=Path("here")), {}).path == tmp_path / "here"


def test_who_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert actor_of("lan", {"FLEET_ACTOR": "minh"}) == "lan"
    assert actor_of(None, {"FLEET_ACTOR": "minh"}) == "minh"
    monkeypatch.setenv("LOGNAME", "thu")
    assert actor_of(None, {}) == "thu"


def test_what_is_made_is_for_the_owner_only(home: Home) -> None:
    home.bench()
    home.seal_key()
    home.runs()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.path, *home.path.iterdir())}
    assert modes == {"home": 0o700, "bench.json": 0o600, "seal.key": 0o600, "runs": 0o700}


@pytest.mark.parametrize("first", [Home.runs, Home.make, Home.bench, _hold, _register, _unpack])
def test_the_home_is_for_the_owner_only_whoever_makes_it(home: Home, first: Callable[[Home], object]) -> None:
    first(home)
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_the_registry_is_for_the_owner_only(home: Home) -> None:
    """IMEIs and ICCIDs are in it, and in what SQLite keeps beside it."""
    with open_registry(home, None, "lan") as registry, registry.engine.connect() as conn:
        conn.exec_driver_sql("SELECT * FROM units")
        registry.record(report())
        held = sorted(home.path.glob("registry.db*"))
        assert len(held) > 1
        assert {stat.S_IMODE(path.stat().st_mode) for path in held} == {0o600}


def test_bench_and_key_stay(home: Home) -> None:
    bench, key = home.bench(), home.seal_key()
    assert (Home(home.path).bench(), Home(home.path).seal_key()) == (bench, key)
    assert len(key) == 32
    assert bench.id != Home(home.path.parent / "other").bench().id


def test_the_name_of_a_bench_may_be_edited(home: Home) -> None:
    bench = home.bench()
    (home.path / "bench.json").write_text(json.dumps({"id": bench.id, "name": "Bàn số 2"}))
    assert home.bench().name == "Bàn số 2"


def test_many_at_once_agree(home: Home) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: (home.bench(), home.seal_key()), range(64)))
    assert len(found) == 1
    assert sorted(path.name for path in home.path.iterdir()) == ["bench.json", "seal.key"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": 7, "name": "x"}', b'{"id": "", "name": "x"}', b"\xff"])
def test_a_bench_file_that_says_nothing(home: Home, content: bytes) -> None:
    home.make()
    (home.path / "bench.json").write_bytes(content)
    with pytest.raises(HomeError, match="does not say who this bench is"):
        home.bench()


def test_a_damaged_key(home: Home) -> None:
    home.seal_key()
    (home.path / "seal.key").write_bytes(b"short")
    with pytest.raises(HomeError, match="is damaged"):
        home.seal_key()


def test_a_file_in_the_place_of_the_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(HomeError, match="cannot be made or read"):
        Home(tmp_path / "home").bench()


def test_the_ignore_list(home: Home) -> None:
    assert home.ignored() == frozenset()
    home.make()
    lines = "\ufeff# my own\nR58M1 # phone\n\n  R58M2\r\n#R58M3\n".encode() + b"\xff\xfe\n"
    (home.path / "ignore.txt").write_bytes(lines)
    assert {"R58M1", "R58M2"} <= home.ignored()
    assert "R58M3" not in home.ignored()


def test_an_ignore_list_that_cannot_be_read_stops(home: Home) -> None:
    """It must not be taken for an empty one."""
    home.make()
    (home.path / "ignore.txt").mkdir()
    with pytest.raises(HomeError, match="cannot be read"):
        home.ignored()
