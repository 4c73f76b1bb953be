"""Content entries that would write over each other, or over themselves on a phone, are refused with both named."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.load import load
from profiles.secrets import Secrets


def _problems(folder: Path, files: list[str], *entries: str) -> str:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    profile = folder / "p.yaml"
    profile.write_text("profile: p\ncontent:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries), encoding="utf-8")
    try:
        load(str(profile), Secrets({}))
    except ProfileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("files", "to_a", "to_b", "named"),
    [
        (["a/x/f.txt", "b/f.txt"], "L", "L/x", "L/x/f.txt"),
        (["a/X/F.txt", "b/f.TXT"], "L", "l/x", "l/x/f.TXT"),
        (["a/x", "b/f.txt"], "L", "L/x", "L/x"),
        (["a/f.txt", "b/x"], "L/x", "L", "L/x"),
    ],
    ids=["one file", "one file to a phone", "a file where a folder is to be", "a folder where a file is to be"],
)
def test_a_target_of_two_entries_is_refused(tmp_path: Path, files: list[str], to_a: str, to_b: str, named: str) -> None:
    said = _problems(tmp_path, files, f"id: first, from: a, to: {to_a}", f"id: second, from: b, to: {to_b}")
    assert f'"{named}" is a target of "first", too' in said
    assert ":4:" in said


def test_targets_inside_each_other_without_a_file_in_common_are_fine(tmp_path: Path) -> None:
    files = ["a/x/f.txt", "b/g.txt"]
    assert not _problems(tmp_path, files, "id: first, from: a, to: L", "id: second, from: b, to: L/x")


def test_a_single_file_counts_by_its_name(tmp_path: Path) -> None:
    said = _problems(tmp_path, ["a/f.txt", "f.txt"], "id: first, from: a, to: L/x", "id: second, from: f.txt, to: L/X/")
    assert '"first" goes to the same folder' in said


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        ("c/Readme.txt", "c/README.txt", ("Readme.txt", "README.txt")),
        ("c/A/x", "c/a/y", ("A", "a")),
        ("c/To\u00e1n.txt", "c/Toa\u0301n.txt", ("To\u00e1n.txt", "Toa\u0301n.txt")),
    ],
)
def test_names_that_are_one_to_a_phone_are_refused(
    tmp_path: Path, one: str, other: str, named: tuple[str, str]
) -> None:
    said = _problems(tmp_path, [one, other], "id: c, from: c, to: L")
    if not {one, other} <= {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}:
        pytest.skip("this computer takes them for one, too")
    assert "are one name to a phone" in said
    assert all(f'"{name}"' in said for name in named)
