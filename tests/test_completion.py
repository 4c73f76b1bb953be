"""Tab completion, as docs/completion.md tells people to set it up: asked the way a shell asks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from provision.android import described
from provision.ios.described import VERSIONS

FLEET = Path(sys.executable).with_name("fleet")
PAGE = (Path(__file__).parents[1] / "docs/completion.md").read_text(encoding="utf-8")


def fleet(**env: str) -> str:
    return subprocess.run(
        [FLEET], env={**os.environ, **env}, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def completed(*words: str, shell: str = "bash") -> list[str]:
    """What a shell would offer in place of the last word."""
    lines = fleet(
        _FLEET_COMPLETE=f"{shell}_complete", COMP_WORDS=" ".join(["fleet", *words]), COMP_CWORD=str(len(words))
    ).splitlines()
    return [line.partition(",")[2] for line in lines]


@pytest.mark.parametrize("shell", re.findall(r"_FLEET_COMPLETE=(\w+)_source", PAGE))
def test_there_is_a_script_for_each_shell_of_the_page(shell: str) -> None:
    assert f"_FLEET_COMPLETE={shell}_complete" in fleet(_FLEET_COMPLETE=f"{shell}_source")


def test_commands_are_completed() -> None:
    assert set(completed("prov")) == {"provision"}
    assert "show" in completed("unit", "")


def test_names_of_the_library_are_completed_then_files() -> None:
    for words in (("provision", "--profile"), ("verify", "--profile"), ("profile", "check"), ("profile", "show")):
        assert completed(*words, "prim") == ["primary-cn", "primary-vn"]
    raw = fleet(_FLEET_COMPLETE="bash_complete", COMP_WORDS="fleet profile check examples/", COMP_CWORD="3")
    assert raw.startswith("file,")


def test_every_system_that_can_be_shown_is_completed() -> None:
    found = completed("profile", "show", "base", "--device-os", "android-")
    assert found == [f"android-{version}" for version in described._API]
    assert completed("profile", "show", "base", "--device-os", "ios-") == [f"ios-{version}" for version in VERSIONS]


def test_completing_imports_nothing_heavy() -> None:
    code = "import sys, atexit, cli; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); cli.root()"
    env = {"_FLEET_COMPLETE": "bash_complete", "COMP_WORDS": "fleet provision --profile ", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code.replace("cli.root()", "cli.root(prog_name='fleet')")],
        env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "base" in done.stdout
    assert not {"pydantic", "yaml", "sqlalchemy", "rich", "ppadb"} & set(done.stderr.split())


def test_bash_completes_with_the_script_of_the_page() -> None:
    script = fleet(_FLEET_COMPLETE="bash_source")
    typing = "COMP_WORDS=(fleet led); COMP_CWORD=1"
    said = subprocess.run(
        ["bash", "-c", f"{script}\n{typing}; _fleet_completion {FLEET}; echo ${{COMPREPLY[@]}}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout

    assert said.split() == ["ledger"]
