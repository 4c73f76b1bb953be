from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.home import Home
from fleet.units import Registry, open_registry
from tests.fleet.making import ticking


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLEET_HOME", "FLEET_DATABASE_URL", "FLEET_ACTOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def registry(home: Home) -> Iterator[Registry]:
    with open_registry(home, None, "lan", clock=ticking()) as opened:
        yield opened
