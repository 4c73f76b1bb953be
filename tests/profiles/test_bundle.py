"""A bundle, unpacked anywhere, is the same profile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from profiles import library
from profiles.bundle import Bundle, bundle
from profiles.errors import ProfileError
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets

SAMPLE = Path(__file__).parents[2] / "examples" / "profiles" / "sample.yaml"
SECRETS = Secrets({f"FLEET_SECRET_{name}": "00000000" for name in ("WIFI", "APN", "PIN")})


def unpacked(found: Bundle, folder: Path) -> Profile:
    for place, file in found.files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / place)
    (folder / "profile.yaml").write_text(found.text, encoding="utf-8")
    return load(str(folder / "profile.yaml"), SECRETS)


@pytest.mark.parametrize("name", [*library.names(), str(SAMPLE)])
def test_what_is_unpacked_is_the_same(name: str, tmp_path: Path) -> None:
    found = bundle(name)
    profile = unpacked(found, tmp_path)
    assert (profile.profile, profile.digest) == (found.name, found.digest)
    assert "extends" not in found.text


def test_secrets_stay_names_and_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("1")
    file = tmp_path / "p.yaml"
    file.write_text(
        """
profile: odd
content: [{id: a, from: a b.txt, to: "012"}]
network: {wifi: [{ssid: "yes", password: !secret wifi}, {ssid: "12", password: !secret wifi}, {ssid: "!x: #",
  security: open}]}
sim: {mccmnc: "45204", roaming: off}
identity: {name: "{tag}", automatic_time: on}
""",
        encoding="utf-8",
    )
    found = bundle(str(file))
    there = unpacked(found, tmp_path / "there")
    here = load(str(file), SECRETS)
    assert found.files == {"files/1/a b.txt": tmp_path / "a b.txt"}
    assert there.model_dump(exclude={"content"}) == here.model_dump(exclude={"content"})
    assert there.digest == here.digest == found.digest
    assert found.text.count("!secret 'wifi'") == 2
    assert "00000000" not in found.text


def test_every_problem_is_told(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("profile: odd\napps: [{id: x, android: {package: org.x.y, file: no.apk}}]\nroamin: off\n")
    with pytest.raises(ProfileError) as told:
        bundle(str(file))
    assert len(told.value.problems) == 2
