"""Parts that tests of agents need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fleet.db import snapshot
from fleet.models import agent_contacts, events
from fleet.remote.agents import records
from fleet.units import Registry
from profiles.schema import Profile
from tests.fleet.conftest import (
    _own_environment,
    database_url,
    home,
    registry,
    registry_of_postgres,
    registry_of_sqlite,
)
from tests.remote.agents.at_home import of_today, unit
from tests.remote.agents.phones import Phone, enrol, profile, serving

__all__ = ["_own_environment", "database_url", "home", "registry", "registry_of_postgres", "registry_of_sqlite"]


@pytest.fixture(autouse=True)
def _servers_look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in the test's own process, at what stands and at whom news concern."""
    monkeypatch.setattr("fleet.remote.agents.reading._STANDS", 0.1)
    monkeypatch.setattr("fleet.remote.agents.polling._LOOK", 0.1)


@dataclass
class AtHome:
    """A unit whose phone is at home, and the server that it asks."""

    registry: Registry
    unit: str
    profile: Profile
    phone: Phone
    port: int

    def contact(self, phone: Phone | None = None) -> Any:
        mine = agent_contacts.c.number == records.hashed((phone or self.phone).number)
        with snapshot(self.registry.engine) as conn:
            return conn.execute(select(agent_contacts).where(mine)).first()

    def events(self) -> int:
        with snapshot(self.registry.engine) as conn:
            return len(conn.execute(select(events.c.seq)).all())


@pytest.fixture
def at_home(registry: Registry, tmp_path: Path) -> Iterator[AtHome]:
    registry = of_today(registry)
    wanted, key = profile(tmp_path / "profile"), unit(registry, 1)
    number = enrol(registry, key, wanted)
    with serving(registry, wanted) as port:
        yield AtHome(registry, key, wanted, Phone(port, number), port)
