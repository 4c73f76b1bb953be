"""The strict YAML loader: what it takes equals what others read, and it raises nothing but ProfileError."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from profiles.errors import Problem, ProfileError
from profiles.strict_yaml import MAX_BYTES, MAX_DEPTH, Node, SecretName, parse, plain, read

FILE = Path("/nowhere/x.yaml")


def parsed(text: str) -> Any:
    return plain(parse(text.encode(), FILE))


def problems(data: bytes | str) -> list[tuple[int, int, str]]:
    with pytest.raises(ProfileError) as caught:
        parse(data.encode() if isinstance(data, str) else data, FILE)
    return [(p.line, p.column, p.message) for p in caught.value.problems]


def value_or_problems(data: bytes) -> Node | tuple[Problem, ...]:
    try:
        return parse(data, FILE)
    except ProfileError as error:
        return error.problems


printable = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]))
scalars = st.none() | st.booleans() | st.integers(-(10**17) + 1, 10**17 - 1) | printable
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(printable, inner), max_leaves=20)


@given(trees.filter(lambda tree: tree is not None))
def test_json_reads_as_everybody_reads_it(tree: Any) -> None:
    text = json.dumps(tree, ensure_ascii=False)
    assert parsed(text) == tree == yaml.safe_load(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_keep_their_value(number: float) -> None:
    assert parsed(f"n: {json.dumps(number)}") == {"n": number}


@given(trees.filter(lambda tree: tree is not None))
def test_block_style_reads_as_flow_style(tree: Any) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True, default_style='"', width=1000)
    # PyYAML writes tags for what its own quotes would turn into texts
    if "!!" not in text:
        assert parsed(text) == yaml.safe_load(text)


@given(st.binary(max_size=200))
@example(b'a: "\\UFFFFFFFF"')
@example(b"%YAML 1.99999999999999999999\n---\na")
@example(b"\xff\xfea\x00")
@example(b"!<%ff> a")
@example(b"? ? ? a")
@example(b"&a [*a]")
def test_bytes_give_a_value_or_a_profile_error(data: bytes) -> None:
    found = value_or_problems(data)
    assert found


yamlish = st.text(alphabet=st.sampled_from(list("ab01:-?!&*#%@'\"[]{},|>~ \n\t\\<=.\u2028\x85\ufeff")), max_size=60)


@given(yamlish)
def test_what_looks_like_yaml_gives_a_value_or_a_profile_error_with_a_place(text: str) -> None:
    found = value_or_problems(text.encode())
    if isinstance(found, tuple):
        lines = text.count("\n") + text.count("\x85") + text.count("\u2028") + 1
        assert all(1 <= p.line <= lines and p.column >= 1 for p in found)


@given(yamlish)
def test_what_is_taken_is_what_others_read_but_for_yaml_1_1(text: str) -> None:
    try:
        ours = parsed(text)
    except ProfileError:
        return
    theirs = yaml.load(text, Loader=yaml.BaseLoader)
    assert _shape(ours) == _shape(theirs)


def _shape(tree: Any) -> Any:
    """Keys and structure, with every scalar the same."""
    if isinstance(tree, dict):
        return {key: _shape(value) for key, value in tree.items()}
    return [_shape(value) for value in tree] if isinstance(tree, list) else "scalar"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("off", "off"),
        ("yes", "yes"),
        ("y", "y"),
        ("012", "012"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("22:30", "22:30"),
        ("1_000", "1_000"),
        ("+5", "+5"),
        ("2021-09-05", "2021-09-05"),
        ("'true'", "true"),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-17", -17),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("!secret wifi-hq", SecretName("wifi-hq")),
        ("Lớp 3 – 三年级", "Lớp 3 – 三年级"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = parsed(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", [(3, 1, 'the key "a" stands here a second time; the first is on line 1')]),
        ("a: &x 1\n", [(1, 4, "anchors (&name) are not used here: write the value out, or use extends")]),
        ("b: *x\n", [(1, 4, "aliases (*name) are not used here: write the value out, or use extends")]),
        ("<<: {a: 1}\n", [(1, 1, "merge keys (<<) are not used here: use extends")]),
        ("a: !!str 1\n", [(1, 4, "the tag tag:yaml.org,2002:str is not used here: only '!secret name' is")]),
        ("a: !secret two words\n", [(1, 4, "after !secret comes a name of letters, digits, '-' and '_'")]),
        ("a:\n\tb: 1\n", [(2, 1, "a tab stands here: indent with spaces")]),
        ("a: 1\n---\nb: 1\n", [(2, 1, "a second document starts here: a file holds one")]),
        ("%YAML 1.1\n---\na: 1\n", [(1, 1, "lines that start with '%' are not used here")]),
        ("1: a\n", [(1, 1, "a key is a text: put it in quotes")]),
        ("[a]: b\n", [(1, 1, "a key stands here that is no text")]),
        ("a: .NaN\n", [(1, 4, ".NaN is not a number: if a text is meant, put it in quotes")]),
        ("a: -.inf\n", [(1, 4, "-.inf is not a number: if a text is meant, put it in quotes")]),
        ("a: 1e999\n", [(1, 4, "this number is too large: if a text is meant, put it in quotes")]),
        ("a: 89840200000000000001\n", [(1, 4, "this number is too large: if a text is meant, put it in quotes")]),
        ('a: "\\0"\n', [(1, 4, "this text holds a control character: take it out")]),
        ("a: 'b\n", [(2, 1, "the file ends inside a text in quotes")]),
        ("", [(1, 1, "the file is empty")]),
        ("# only a comment\n", [(1, 1, "the file is empty")]),
        ("---\n", [(1, 1, "the file is empty")]),
    ],
)
def test_refused(text: str, expected: list[tuple[int, int, str]]) -> None:
    assert problems(text) == expected


def test_all_problems_are_told_at_once() -> None:
    assert [line for line, _, _ in problems("a: &x 1\nb: *x\na: .nan\n3: c\n")] == [1, 2, 3, 3, 4]


def test_a_byte_order_mark_does_no_harm() -> None:
    assert plain(parse(b"\xef\xbb\xbfa: 1\n", FILE)) == {"a": 1}


def test_other_encodings_and_control_characters_are_refused_at_their_place() -> None:
    assert problems(b"a: 1\nb: \xe1\n") == [(2, 4, "is not UTF-8 from here on: save the file as UTF-8")]
    assert problems(b"a: 1\r\nb: \x07\r\n") == [(2, 4, "a control character (U+0007) stands here: take it out")]


def test_every_control_character_is_refused_even_when_escaped() -> None:
    for code in range(0x20):
        if unicodedata.category(chr(code)) == "Cc" and chr(code) not in "\n\t":
            assert problems(f'a: "\\x{code:02x}"')


def test_depth_size_and_number_of_problems_have_a_limit() -> None:
    assert parsed("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    assert problems("[" * 5000)[-1][2] == f"nested deeper than {MAX_DEPTH} levels"
    assert problems(b"#" * (MAX_BYTES + 1)) == [(0, 0, "is larger than 1 MiB")]
    assert len(problems("a: 1\n" * 5000)) == 100


def test_places_are_those_of_keys_and_values() -> None:
    root = parse(b"top:\n  - id: a\n    key:   value\n", FILE)
    item = root.entries["top"].items[0]
    value = item.entries["key"]
    assert (value.key_at, value.at) == (value.place, value.at)
    assert (value.place.line, value.place.column) == (3, 5)
    assert (value.at.line, value.at.column) == (3, 12)
    assert (item.place.line, item.place.column) == (2, 5)


def test_a_file_that_cannot_be_read_is_a_problem_of_its_own(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "no.yaml", "there is no such file"), (tmp_path, "cannot be read: Is a directory")):
        with pytest.raises(ProfileError) as caught:
            read(path)
        assert str(caught.value) == f"{path}: {words}"
