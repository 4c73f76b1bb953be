"""Merging: what one would expect of it whatever the profiles, and where values say that they come from."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.errors import ProfileError
from profiles.extends import MAX_LEVELS, merge
from profiles.load import load
from profiles.secrets import Secrets
from profiles.strict_yaml import Node, parse, plain

NO_SECRETS = Secrets({})

ids = st.sampled_from(["a", "b", "c"])
words = st.sampled_from(["one", "two", "three"])


def keyed(key: str, entry: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    entries = st.fixed_dictionaries({key: ids}, optional=entry)
    return st.lists(entries, max_size=3, unique_by=lambda found: str(found[key]))


profiles = st.fixed_dictionaries(
    {},
    optional={
        "profile": words,
        "apps": keyed("id", {"required": st.booleans(), "android": st.fixed_dictionaries({"package": words})}),
        "sim": st.fixed_dictionaries(
            {}, optional={"roaming": st.booleans(), "background_data": st.fixed_dictionaries({"allow": st.lists(ids)})}
        ),
        "network": st.fixed_dictionaries({"wifi": keyed("ssid", {"hidden": st.booleans()})}),
        "restrictions": st.fixed_dictionaries(
            {}, optional={"vpn": st.sampled_from(["deny", "allow"]), "block": keyed("android", {"ios": words})}
        ),
    },
)


def node(tree: dict[str, Any], name: str = "x") -> Node:
    return parse(json.dumps(tree).encode(), Path(f"/nowhere/{name}.yaml"))


def merged(*nodes: Node) -> Node:
    result = nodes[0]
    for later in nodes[1:]:
        result, problems = merge(result, later)
        assert problems == []
    return result


@given(profiles)
def test_merging_with_itself_or_with_nothing_changes_nothing(tree: dict[str, Any]) -> None:
    nothing = node({})
    assert plain(merged(node(tree), node(tree))) == tree
    assert plain(merged(nothing, node(tree))) == tree == plain(merged(node(tree), nothing))


@given(profiles, profiles, profiles)
def test_merging_does_not_depend_on_the_grouping(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    left = merged(merged(node(a), node(b)), node(c))
    right = merged(node(a), merged(node(b), node(c)))
    assert plain(left) == plain(right)


@given(profiles, profiles)
def test_every_value_of_the_later_file_is_there_and_says_so(old: dict[str, Any], new: dict[str, Any]) -> None:
    result = merged(node(old, "old"), node(new, "new"))
    for key, child in node(new, "new").entries.items():
        found = result.entries[key]
        assert found.at.file.name == "new.yaml"
        if isinstance(child.value, str):
            assert found == child
    for key in set(old) - set(new):
        assert result.entries[key].at.file.name == "old.yaml"


@given(profiles, profiles)
def test_what_is_dropped_is_gone(old: dict[str, Any], new: dict[str, Any]) -> None:
    both = merged(node(old), node(new))
    drop_all = node({key: {"drop": True} for key in both.entries})
    assert plain(merged(both, drop_all)) == {}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 99999)
    | st.sampled_from(
        ["", "on", "deny", "NO", "012", "base", "x.yaml", "gone/x.apk", "viettel", "Asia/Tokyo", "{tag}", "a.b"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "drop",
                    "android",
                    "ios",
                    "package",
                    "file",
                    "signer",
                    "grant",
                    "web",
                    "from",
                    "to",
                    "name",
                    "user",
                    "password",
                    "default",
                    "allow",
                    "quota",
                    "days",
                    "carrier",
                    "mccmnc",
                    "apn",
                    "roaming",
                    "background_data",
                    "data_plan",
                    "required",
                    "ssid",
                    "security",
                    "hidden",
                    "wifi",
                    "filter_dns",
                    "deny",
                    "rules",
                    "remove",
                    "block",
                    "install_apps",
                    "data_roaming",
                    "pin",
                    "time_zone",
                    "automatic_time",
                    "debugging",
                    "other",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
sections = st.sampled_from(
    ["extends", "apps", "content", "sim", "network", "restrictions", "screen_lock", "identity", "bench", "other"]
)


@given(st.dictionaries(sections, anything, max_size=5), anything)
def test_whatever_a_file_says_is_a_profile_or_a_profile_error(document: dict[str, Any], name: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "p.yaml"
        file.write_text(json.dumps({"profile": name, **document}))
        with contextlib.suppress(ProfileError):
            assert load(str(file), NO_SECRETS).where("profile").endswith("p.yaml:1")


def test_values_keep_their_source_through_extends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "parent.yaml").write_text(
        "profile: parent\n"
        "extends: [base]\n"
        "apps:\n"
        "  - id: kolibri\n"
        "    android: {package: org.learningequality.Kolibri}\n"
        "sim:\n"
        "  roaming: off\n"
        "  apn: automatic\n"
        "restrictions:\n"
        "  camera: deny\n"
        "  block:\n"
        "    - {android: com.example.game}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "profile: mine\nextends: [sub/parent.yaml]\nsim:\n  roaming: on\nrestrictions: {data_roaming: allow}\n"
    )
    monkeypatch.chdir(tmp_path)
    profile = load("mine.yaml", NO_SECRETS)
    assert profile.where("apps", "kolibri") == "sub/parent.yaml:4"
    assert profile.where("apps", "kolibri", "android", "package") == "sub/parent.yaml:5"
    assert profile.where("sim", "apn") == "sub/parent.yaml:8"
    assert profile.where("sim", "roaming") == "mine.yaml:4"
    assert profile.where("restrictions", "camera") == "sub/parent.yaml:10"
    assert profile.where("restrictions", "rules", "camera") == "sub/parent.yaml:10"
    assert profile.where("restrictions", "block", "com.example.game") == "sub/parent.yaml:12"
    assert profile.where("network", "filter_dns").startswith("base.yaml:")
    assert profile.where("sim", "never", "heard") == "mine.yaml:3"
    assert profile.where("screen_lock") == "mine.yaml:1"
    monkeypatch.chdir("/")
    assert load(str(tmp_path / "mine.yaml"), NO_SECRETS).where("sim", "roaming").endswith("mine.yaml:4")


def test_a_source_elsewhere_is_named_by_its_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "mine.yaml").write_text("profile: mine\n")
    monkeypatch.chdir(tmp_path / "here")
    assert load("../mine.yaml", NO_SECRETS).where("profile") == "mine.yaml:1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("primary-vm", 'primary-vm: there is no profile "primary-vm" in the library (did you mean "primary-vn"?)'),
        ("../base", "base: there is no such file"),
        ("gone.yaml", "gone.yaml: there is no such file"),
        ("./", "cannot be read: Is a directory"),
        ("a" * 300 + ".yaml", "cannot be read: File name too long"),
    ],
)
def test_a_profile_that_is_not_there(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProfileError) as caught:
        load(name, NO_SECRETS)
    assert message in str(caught.value)


def test_extends_has_a_limit(tmp_path: Path) -> None:
    for index in range(MAX_LEVELS + 2):
        (tmp_path / f"{index}.yaml").write_text(f"profile: p\nextends: [{index + 1}.yaml]\n")
    (tmp_path / f"{MAX_LEVELS + 2}.yaml").write_text("profile: p\n")
    with pytest.raises(ProfileError, match=f"deeper than {MAX_LEVELS} files"):
        load(str(tmp_path / "0.yaml"), NO_SECRETS)
    assert load(str(tmp_path / "3.yaml"), NO_SECRETS).profile == "p"


def test_a_link_that_leads_to_itself_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "mine.yaml").write_text("profile: mine\nextends: [loop.yaml]\n")
    for name in ("loop.yaml", "mine.yaml"):
        with pytest.raises(ProfileError, match=r"loop\.yaml"):
            load(str(tmp_path / name), NO_SECRETS)
