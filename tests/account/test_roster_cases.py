"""Every list in tests/data/roster, with the report that it has to give in the file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.account.custody.places import Place, put
from fleet.db import snapshot, transaction
from fleet.errors import FileError
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.units import Registry
from tests.account.roster_making import DATA, bring, listed, told
from tests.fleet.making import tables

CASES = sorted(DATA.glob("*.yaml"))


@pytest.fixture
def database_url(home: Home) -> str:
    """SQLite alone: what is asked of the database here, test_roster_import.py asks of both."""
    return f"sqlite:///{home.database_file}"


def test_every_list_has_a_case() -> None:
    lists = {file.stem for file in DATA.iterdir() if file.suffix != ".yaml"}
    assert lists == {case.stem for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_list(registry: Registry, case: Path) -> None:
    wanted: dict[str, Any] = yaml.safe_load(case.read_text("utf-8"))
    file = next(path for path in case.parent.glob(f"{case.stem}.*") if path != case)
    options = wanted.get("options", {})
    with transaction(registry.engine) as conn:
        for place in wanted.get("places", []):
            put(conn, registry.ledger, Place(**place))
    if "error" in wanted:
        with pytest.raises(FileError, match=wanted["error"]):
            bring(registry, file, **options)
        return
    dry = bring(registry, file, apply=False, **options)
    assert told(dry) == wanted["report"]
    assert listed(registry) == []
    assert told(bring(registry, file, **options)) == wanted["report"]
    assert listed(registry) == sorted(wanted.get("students", []))
    _once_more(registry, file, wanted["report"], options)


def _once_more(registry: Registry, file: Path, report: dict[str, Any], options: dict[str, Any]) -> None:
    """Importing the same list again changes nothing, and the ledger is whole."""
    with snapshot(registry.engine) as conn:
        before, ledger = tables(conn), verify(conn)
    again = bring(registry, file, **options)
    assert (again.new, again.changed, again.unchanged) == (0, 0, report.get("new", 0))
    assert told(again).get("refused") == report.get("refused")
    with snapshot(registry.engine) as conn:
        assert tables(conn) == before
        assert verify(conn) == ledger
        assert isinstance(ledger, Verified)
