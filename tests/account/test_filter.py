"""The language of --where: what fits, what is not understood and where, and that text alone can break nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from fleet.account.filters.fields import FIELDS, Kind
from fleet.account.filters.parse import AllOf, AnyOf, Compare, FilterError, Flag, Not, Tree, Value, parse, shown
from fleet.account.status import known as filter_known
from fleet.account.status.health_rules import rules_of
from fleet.account.status.unit_list import listed
from fleet.db import snapshot
from fleet.home import Home
from fleet.models import units
from fleet.units import Registry, open_registry
from tests.account.status_making import NOW, Clock, furnish

DATA = Path(__file__).parents[1] / "data" / "filters"


def cases(name: str) -> list[dict[str, Any]]:
    found = yaml.safe_load((DATA / name).read_text("utf-8"))
    assert isinstance(found, list)
    return found


@pytest.fixture
def furnished(home: Home, database_url: str) -> Iterator[Registry]:
    clock = Clock()
    with open_registry(home, None, "lan", clock=clock) as registry:
        furnish(registry, clock)
        yield registry


def fits(conn: Connection, registry: Registry, where: str) -> list[str]:
    within = filter_known.asked(conn, rules_of(registry.home), where, NOW)
    return [str(line.tag) for line in listed(conn, within)]


def test_what_fits(furnished: Registry) -> None:
    with snapshot(furnished.engine) as conn:
        for case in cases("fits.yaml"):
            assert sorted(fits(conn, furnished, case["where"])) == case["fits"], case["where"]


def test_what_is_not_understood(furnished: Registry) -> None:
    with snapshot(furnished.engine) as conn:
        for case in cases("mistakes.yaml"):
            with pytest.raises(FilterError) as caught:
                pytest.fail(f"{case['where']} fits {fits(conn, furnished, case['where'])}")
            assert caught.value.at == case["at"], (case["where"], caught.value.what)
            assert case["says"] in caught.value.what, (case["where"], caught.value.what)
            assert caught.value.exit_code == 2


def test_a_filter_too_long_or_too_deep() -> None:
    for text in ("a" * 3000, "(" * 500 + "state=lost" + ")" * 500, "not " * 300 + "outdated"):
        with pytest.raises(FilterError):
            parse(text)


def test_texts_are_never_sql(furnished: Registry) -> None:
    with snapshot(furnished.engine) as conn:
        for text in ("'; DROP TABLE units; --", '"', "%", "_", "\\", "x' OR 1=1"):
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            assert fits(conn, furnished, f'model = "{escaped}" or serial ~ "{escaped}"') == []
        assert len(conn.execute(select(units.c.key)).all()) == 6


_NAMES = st.sampled_from(sorted(name for name, field in FIELDS.items() if field.kind is Kind.TEXT))
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_VALUES = st.builds(lambda text: Value(text, 0, quoted=True), _TEXT)
_LEAVES = st.one_of(
    st.builds(
        lambda name, op, value: Compare(name, op, (value,), 0), _NAMES, st.sampled_from(["=", "!=", "<", "~"]), _VALUES
    ),
    st.builds(
        lambda name, some: Compare(name, "in", tuple(some), 0), _NAMES, st.lists(_VALUES, min_size=1, max_size=3)
    ),
    st.just(Flag("outdated", 0)),
)
_TREES: st.SearchStrategy[Tree] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: AllOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


def _placeless(tree: Tree) -> Tree:
    match tree:
        case Not(inner):
            return Not(_placeless(inner))
        case AllOf(parts):
            return AllOf(tuple(map(_placeless, parts)))
        case AnyOf(parts):
            return AnyOf(tuple(map(_placeless, parts)))
        case Compare(field, op, values):
            return Compare(field, op, tuple(Value(value.text, 0, value.quoted) for value in values), 0)
    return Flag(tree.field, 0)


@settings(max_examples=80)
@given(_TREES)
def test_what_is_shown_is_read_as_the_same(tree: Tree) -> None:
    assert _placeless(parse(shown(tree))) == tree


@settings(max_examples=150)
@given(st.text(st.sampled_from("state=lost<>~!()\"'\\,andornotin 3%é"), max_size=40))
def test_any_text_is_read_or_refused_at_its_place(text: str) -> None:
    at = 1
    try:
        parse(text)
    except FilterError as error:
        at = error.at
    assert 1 <= at <= len(text) + 1


def _holds(tree: Tree, row: dict[str, str]) -> bool:
    """What a filter means, told without a database: texts of one table, "" where nothing is known."""
    match tree:
        case Not(inner):
            return not _holds(inner, row)
        case AllOf(parts):
            return all(_holds(part, row) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, row) for part in parts)
        case Compare(field, op, values):
            texts = [value.text for value in values]
            said = row[field]
            meant = {"=": said == texts[0], "!=": said != texts[0], "<": said < texts[0], "in": said in texts}
            return meant[op]
    raise TypeError(tree)


_OF_UNITS = st.sampled_from(["maker", "model", "serial", "version"])
_OF_ROWS = st.sampled_from(["samsung", "SM-A105F", "SN3", "13", "", "T"])
_PLAIN = st.builds(
    lambda name, op, text: Compare(name, op, (Value(text, 0, quoted=True),), 0),
    _OF_UNITS,
    st.sampled_from(["=", "!=", "<", "in"]),
    _OF_ROWS,
)
_PLAIN_TREES: st.SearchStrategy[Tree] = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: AllOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=5,
)


def test_the_database_finds_what_the_filter_means(furnished: Registry) -> None:
    with snapshot(furnished.engine) as conn:
        rows = [dict(row) for row in conn.execute(select(units)).mappings()]

        @settings(max_examples=60)
        @given(_PLAIN_TREES)
        def same(tree: Tree) -> None:
            wanted = sorted(row["tag"] for row in rows if _holds(tree, row))
            assert sorted(fits(conn, furnished, shown(tree))) == wanted

        same()
