"""The agent's file is looked at before any phone is, as every app's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.load import load
from profiles.secrets import Secrets
from provision import preflight

OTHERS = "ab" * 32


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        ("{agent: testdpc, file: testdpc.apk}", ""),
        ("{agent: testdpc, file: headwind.apk}", "p.yaml:2:1: owner: the file is of com.hmdm.launcher, not of com.af"),
        (f"{{agent: testdpc, file: testdpc.apk, signer: {OTHERS}}}", "p.yaml:2:1: owner: the file is signed by "),
        ("{agent: testdpc, file: broken.apk}", "p.yaml:2:1: owner: broken.apk: "),
    ],
)
def test_a_file_that_is_not_the_agents_is_told_by_its_line(owner: str, says: str, apks: Path, tmp_path: Path) -> None:
    for apk in apks.glob("*.apk"):
        shutil.copy(apk, tmp_path)
    (tmp_path / "broken.apk").write_bytes(b"no app at all")
    (tmp_path / "p.yaml").write_text(f"profile: p\nowner: {owner}\n")
    profile = load(str(tmp_path / "p.yaml"), Secrets({}))
    if not says:
        preflight.check(profile)
        return
    with pytest.raises(ProfileError) as caught:
        preflight.check(profile)
    assert says in str(caught.value)
