"""The files of all five programmes: they are well, they are what they say, and generated ones are always the same."""

from __future__ import annotations

import shlex
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
from examples.programmes.files import write
from examples.programmes.people import windows_1258
from examples.programmes.play import HERE, read
from examples.programmes.world import draw
from fleet import iccid
from fleet.account.programme.load import load

SMALL = ("zhengzhou-2020", "weifang-kuiwen-2020")
LARGE = {"lanling-2020": (3621, 102), "ca-mau-2021": (7500, 90), "hai-phong-2021": (10000, 120)}


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_the_files_of_a_programme_are_well(name: str) -> None:
    assert load(HERE / name / "programme.yaml")["programme"] == name
    for profile in (HERE / name).glob("profiles/*.yaml"):
        said = CliRunner().invoke(cli.root, ["profile", "check", str(profile)])
        assert said.exit_code == 0, said.output
    programme = read(name)
    assert programme.steps
    assert programme.questions
    for one in (*programme.steps, *programme.questions):
        assert one.say
        assert not one.stdin or (programme.folder / one.stdin).is_file()


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_every_command_of_the_steps_is_one(name: str) -> None:
    programme = read(name)
    for one in (*programme.steps, *programme.questions):
        first, *words = shlex.split(one.run)
        if first == "fleet":
            said = CliRunner().invoke(cli.root, [*_command(words), "--help"])
            assert said.exit_code == 0, (one.run, said.output)


def _command(words: list[str]) -> list[str]:
    """The command and its subcommand."""
    if words[0] == "--actor":
        words = words[2:]
    return words[:2] if words[0] in ("vault", "programme", "place", "roster", "sim", "unit", "report") else words[:1]


@pytest.mark.parametrize("name", LARGE)
def test_a_generated_world_is_always_the_same_at_its_real_size(name: str) -> None:
    world = draw(name, 1.0)
    students, schools = LARGE[name]
    assert (len(world.students), len(world.schools)) == (students, schools)
    assert world == draw(name, 1.0)
    people = [*world.students, *world.later]
    assert len({(one.name, one.born) for one in people}) == len({one.number for one in people}) == len(people)
    assert max(Counter(one.phone for one in people).values()) == 2
    assert all(iccid.normal(one.iccid) == one.iccid for one in world.sims)
    assert {one.area for one in people} == set(world.told["areas"])


@pytest.mark.parametrize("name", LARGE)
def test_generated_files_are_always_the_same(name: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(draw(name, 0.02), tmp_path / folder)
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert len(files) == 7
    for file in files:
        if not file.endswith(".xlsx"):  # these hold the moment at which they were written
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_windows_1258_reads_back() -> None:
    text = "Nguyễn Thị Ngọc Hường, Trần Đức Quỳnh, Lê Hoàng Mỹ Ưng Ở"
    assert unicodedata.normalize("NFC", windows_1258(text).decode("cp1258")) == text
    assert len(windows_1258(text)) > len(text)
