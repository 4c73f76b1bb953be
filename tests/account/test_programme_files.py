"""Programme files: each bad one gives exactly what stands beside it; whatever a file holds, mistakes are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.account.programme.in_force import current, of
from fleet.account.programme.load import json_schema, load
from fleet.account.programme.store import apply
from fleet.db import snapshot
from fleet.ledger import verify
from fleet.models import events
from fleet.units import Registry
from fleet.values import Json, canonical
from profiles.errors import ProfileError
from tests.account.programme_making import cases, key, read

DATA = Path(__file__).parent.parent / "data" / "programmes"
BAD = sorted((DATA / "bad").glob("*.yaml"))
WHOLE = DATA / "whole.yaml"


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(file, tmp_path / "programme.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProfileError) as error:
        load(tmp_path / "programme.yaml")
    assert str(error.value).splitlines() == file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()


def test_whole() -> None:
    """Every key that there is, and what readers make of it."""
    body = load(WHOLE)
    assert canonical(body)
    found = of(body)
    assert found.shares
    assert found.another
    assert found.clashes >= {("1", "2"), ("2", "1"), ("6", "6")}
    assert ("1", "6") not in found.clashes
    kind = found.kind_for("3")
    assert kind is not None
    assert (kind.words, kind.storage) == ("Android, tablet, at least 16 GB", 16_000_000_000)
    assert found.kind_for("12") is None
    offers = [found.offer_for(category) for category in ("poor", "lost-parent")]
    assert [offer and (offer.quota, offer.days, offer.carrier) for offer in offers] == [
        ("30 GB/month", 365, "viettel"),
        ("4 GB/day", 90, "viettel"),
    ]
    assert found.stage_of("7") == "lower secondary"
    assert dict(found.hand_over.kit) == {"charger": 1, "cable": 1}


def test_schema_knows_every_key() -> None:
    """The JSON Schema takes the keys of the whole file, and no others."""
    schema = json_schema()
    _within(yaml.safe_load(WHOLE.read_text(encoding="utf-8")), schema, schema["$defs"])
    assert json.loads(json.dumps(schema)) == schema


def _within(value: Any, schema: dict[str, Any], defs: dict[str, Any]) -> None:
    if ref := schema.get("$ref"):
        schema = defs[ref.rpartition("/")[2]]
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) == set(schema["properties"]), "a key of the schema is missing in whole.yaml, or too many"
        assert set(schema.get("required", ())) <= set(value)
        for name, child in value.items():
            _within(child, schema["properties"][name], defs)
    elif isinstance(value, list) and "items" in schema:
        for child in value:
            _within(child, schema["items"], defs)


def test_cases_are_well(tmp_path: Path) -> None:
    for file in cases():
        if text := read(file).get("programme"):
            (tmp_path / "programme.yaml").write_text(text, encoding="utf-8")
            assert load(tmp_path / "programme.yaml")


_LINES = st.sampled_from(WHOLE.read_text(encoding="utf-8").splitlines())
_NOISE = st.one_of(
    st.text(max_size=12), st.sampled_from(["1-0", "5-1", "[", "{}", "~", "!secret x", "all", "2021-02-30"])
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_LINES, max_size=25), at=st.integers(0, 400), noise=_NOISE)
def test_any_file_is_taken_or_told(tmp_path: Path, lines: list[str], at: int, noise: str) -> None:
    """Nothing but a ProfileError comes of a file, whatever is in it."""
    text = "\n".join(lines)
    file = tmp_path / "programme.yaml"
    file.write_text(text[:at] + noise + text[at:], encoding="utf-8", errors="surrogatepass")
    try:
        body = load(file)
    except ProfileError:
        return
    assert of(body).key == body["programme"]


def test_apply_once(registry: Registry) -> None:
    """The same file again writes nothing; another one takes its place, and the first one may come back."""
    whole = load(WHOLE)
    other: dict[str, Json] = {"programme": "other", "one_per": "student"}
    assert [apply(registry, body).changed for body in (whole, whole, {**other}, {**other}, whole)] == [
        *(True, False, True, False, True)
    ]
    with snapshot(registry.engine) as conn:
        assert current(conn) == of(whole)
        kinds = [row.kind for row in conn.execute(events.select().order_by(events.c.seq))]
        assert kinds == ["bench.opened", "programme.set", "programme.set", "programme.set"]
        assert not hasattr(verify(conn), "why")


def test_strangers(registry: Registry) -> None:
    """Areas and categories that the roster has and the programme does not are told, with what may be meant."""
    from fleet.db import transaction

    for name, fields in {
        "Ann": {"area": "U Min", "category": "poor"},
        "Bao": {"area": "U Minh", "category": "x"},
    }.items():
        with transaction(registry.engine) as conn:
            registry.ledger.append(conn, "student.set", key(name), {"v": 1, "fields": {**fields}, "ids": {}})
    found = apply(registry, load(WHOLE)).strangers
    assert [(one.what, one.value, one.students, one.hint) for one in found] == [
        ("area", "U Min", 1, ' (did you mean "U Minh"?)'),
        ("category", "x", 1, ""),
    ]
