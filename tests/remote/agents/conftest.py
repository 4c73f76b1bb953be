from __future__ import annotations

from tests.fleet.conftest import (
    _own_environment,
    database_url,
    home,
    registry,
    registry_of_postgres,
    registry_of_sqlite,
)

__all__ = ["_own_environment", "database_url", "home", "registry", "registry_of_postgres", "registry_of_sqlite"]
