from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.home import Home
from fleet.units import Registry, open_registry
from tests.fleet.making import ticking
from tests.postgres import Postgres


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLEET_HOME", "FLEET_DATABASE_URL", "FLEET_ACTOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def registry_of_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with an empty registry, to be copied."""
    name = postgres.create()
    with open_registry(Home(tmp_path_factory.mktemp("made")), postgres.url(name), "lan"):
        return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the registry of ``home`` is, for whoever is not told otherwise: the tests run on both.

    A test about one of them alone is marked ``@SQLITE`` or ``@POSTGRES`` (tests/fleet/making.py).
    """
    if request.param == "sqlite":
        yield f"sqlite:///{home.database_file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create(request.getfixturevalue("registry_of_postgres"))
    monkeypatch.setenv("FLEET_DATABASE_URL", server.url(name))
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="session")
def registry_of_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with an empty registry, to be copied: making one takes longer than most of the tests."""
    home = Home(tmp_path_factory.mktemp("made") / "home")
    with open_registry(home, f"sqlite:///{home.database_file}", "lan"):
        return home.database_file


@pytest.fixture
def registry(home: Home, database_url: str, registry_of_sqlite: Path) -> Iterator[Registry]:
    if database_url.startswith("sqlite:") and not home.database_file.exists():
        home.make()
        shutil.copy(registry_of_sqlite, home.database_file)
    with open_registry(home, None, "lan", clock=ticking()) as opened:
        yield opened
