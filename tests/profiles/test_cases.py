"""Profiles as files: each good one resolves to the JSON beside it, each bad one gives exactly its expected.txt.

To add a case: a file in tests/data/profiles/good, or a folder with a profile.yaml in tests/data/profiles/bad. Run
this test; it fails and prints what was found: check it, and save it beside the case.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets

DATA = Path(__file__).parents[1] / "data" / "profiles"
GOOD = sorted(path for path in (DATA / "good").glob("*.yaml") if path.stem != "secrets")
BAD = sorted(path for path in (DATA / "bad").iterdir() if path.is_dir())


def loaded(folder: Path, name: str) -> Profile:
    stored = folder / "secrets.yaml"
    if stored.exists():
        stored.chmod(0o600)
    return load(name, Secrets({}, stored))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.stem)
def test_good(case: Path, workplace: Path) -> None:
    folder = workplace / "good"
    shutil.copytree(case.parent, folder)
    profile = loaded(folder, f"good/{case.name}")
    values = profile.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    found = json.dumps(values, indent=2, ensure_ascii=False).replace(f"{folder}/", "") + "\n"
    assert "swordfish" not in found
    expected = case.with_suffix(".json")
    assert expected.exists(), f"save as {expected.name}:\n{found}"
    assert json.loads(found) == json.loads(expected.read_text())


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.name)
def test_bad(case: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workplace / "case"
    shutil.copytree(case, folder)
    monkeypatch.chdir(folder)
    with pytest.raises(ProfileError) as caught:
        loaded(folder, "./profile.yaml")
    found = f"{caught.value}\n".replace(str(folder), "…")
    expected = case / "expected.txt"
    assert expected.exists(), f"save as {expected.name}:\n{found}"
    assert found == expected.read_text()
    assert "swordfish" not in found
