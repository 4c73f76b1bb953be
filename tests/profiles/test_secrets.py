"""Secrets: where they come from, who may read the file, and that they are never shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import NoSecret, Secret, Secrets

VALUE = "correct horse battery"


def stored(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "secrets.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


def refusal(secrets: Secrets, name: str) -> str:
    with pytest.raises(NoSecret) as caught:
        secrets.get(name)
    return str(caught.value)


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = stored(tmp_path, "wifi-hq: from the file\nother: 0042\n")
    assert Secrets({"FLEET_SECRET_WIFI_HQ": VALUE}, file).get("wifi-hq").reveal() == VALUE
    assert Secrets({}, file).get("wifi-hq").reveal() == "from the file"
    assert Secrets({}, file).get("other").reveal() == "0042", "numbers are taken as they are written"


def test_a_file_that_others_may_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = stored(tmp_path, f"wifi: {VALUE}\n", 0o640)
    assert refusal(Secrets({}, file), "wifi") == (
        "the secrets file secrets.yaml can be read by others. Run: chmod 600 secrets.yaml"
    )
    assert Secrets({"FLEET_SECRET_WIFI": VALUE}, file).get("wifi").reveal() == VALUE, "the file is not needed"


def test_a_missing_secret_says_both_ways_to_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(Secrets({}), "wifi-hq") == 'the secret "wifi-hq" is not known. Set FLEET_SECRET_WIFI_HQ.'
    assert refusal(Secrets({}, tmp_path / "secrets.yaml"), "wifi") == (
        'the secret "wifi" is not known. Set FLEET_SECRET_WIFI, or write "wifi: …" into secrets.yaml.'
    )


@pytest.mark.parametrize("value", ["", "two\nlines", "bell\a"])
def test_what_cannot_be_typed_is_no_secret(value: str) -> None:
    text = refusal(Secrets({"FLEET_SECRET_WIFI": value}), "wifi")
    assert "is empty or holds a line break" in text


@pytest.mark.parametrize("text", ["- a\n", "wifi: [a]\n", "wifi: {a: b}\n", "wifi:\n"])
def test_a_file_of_another_shape_is_refused(text: str, tmp_path: Path) -> None:
    assert 'lines of "name: text"' in refusal(Secrets({}, stored(tmp_path, text)), "wifi")


def test_a_broken_file_does_not_show_what_is_in_it(tmp_path: Path) -> None:
    file = stored(tmp_path, f"wifi: {VALUE}\nother: '{VALUE}\n")
    with pytest.raises(ProfileError) as caught:
        Secrets({}, file).get("wifi")
    assert VALUE not in str(caught.value)


def test_a_secret_shows_itself_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("profile: p\nnetwork: {wifi: [{ssid: A, password: !secret wifi}]}\n")
    profile = load(str(tmp_path / "p.yaml"), Secrets({"FLEET_SECRET_WIFI": VALUE}))
    assert profile.network is not None
    password = profile.network.wifi[0].password
    assert isinstance(password, Secret)
    assert password.reveal() == VALUE
    shown = f"{password} {password!r} {profile} {profile!r} {profile.model_dump()} {profile.model_dump_json()}"
    assert VALUE not in shown


def test_the_digest_counts_names_of_secrets_and_contents_of_files(tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "a.txt").write_text("one")
    file = tmp_path / "p.yaml"
    file.write_text(
        "profile: p\nnetwork: {wifi: [{ssid: A, password: !secret wifi}]}\ncontent: [{id: a, from: tree, to: A}]\n"
    )

    def digest(secret: str) -> str:
        return load(str(file), Secrets({"FLEET_SECRET_WIFI": secret})).digest

    first = digest(VALUE)
    assert len(first) == 64
    assert digest("another password") == first
    (tmp_path / "tree" / "deep" / "a.txt").write_text("two")
    changed = digest(VALUE)
    assert changed != first
    (tmp_path / "tree" / "deep" / "a.txt").rename(tmp_path / "tree" / "deep" / "b.txt")
    assert digest(VALUE) not in (first, changed)
    file.write_text(file.read_text().replace("ssid: A", "ssid: B"))
    assert digest(VALUE) not in (first, changed)


def test_the_digest_does_not_depend_on_where_the_profile_lies(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.txt").write_text("same")
        (folder / "p.yaml").write_text("profile: p\n# a comment\ncontent: [{id: a, from: a.txt, to: A}]\n")
        digests.add(load(str(folder / "p.yaml"), Secrets({})).digest)
    assert len(digests) == 1


def test_a_file_that_went_away_is_told_by_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("same")
    (tmp_path / "p.yaml").write_text("profile: p\ncontent: [{id: a, from: a.txt, to: A}]\n")
    profile = load(str(tmp_path / "p.yaml"), Secrets({}))
    (tmp_path / "a.txt").unlink()
    with pytest.raises(ProfileError, match="No such file"):
        _ = profile.digest


def test_content_must_be_readable_to_its_last_file(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    os.mkfifo(tmp_path / "tree" / "pipe")
    (tmp_path / "tree" / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "p.yaml").write_text("profile: p\ncontent: [{id: a, from: tree, to: A}]\n")
    with pytest.raises(ProfileError) as caught:
        load(str(tmp_path / "p.yaml"), Secrets({}))
    assert [p.message.rpartition("/")[2] for p in caught.value.problems] == ["dangling", "pipe"]


def test_a_profile_made_by_hand_has_a_digest_and_no_sources() -> None:
    profile = Profile(profile="p")
    assert profile.where("sim") == ""
    assert profile.digest == Profile(profile="p").digest != Profile(profile="q").digest
    assert json.loads(profile.model_dump_json(exclude_defaults=True)) == {"profile": "p"}
