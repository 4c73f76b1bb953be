"""What the pages list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cli
from provision.virtual.android import faults as android_faults
from provision.virtual.android import presets as android_presets
from provision.virtual.ios import faults as ios_faults
from provision.virtual.ios import presets as ios_presets
from tests.fleets import ROOT

VIRTUAL = (ROOT / "docs" / "virtual.md").read_text("utf-8")


def first_cells(heading: str) -> list[str]:
    """All names in the first column of the table below ``heading``."""
    table = VIRTUAL.partition(f"# {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\|([^|]+)\|", table, re.MULTILINE)
    return re.findall(r"`([^`]+)`", " ".join(rows))


def test_presets_and_faults_of_the_page() -> None:
    assert sorted(first_cells("Presets")) == sorted(android_presets.names() + ios_presets.names())
    assert sorted(first_cells("Of Android devices")) == sorted(android_faults.KINDS)
    assert sorted(first_cells("Of iPhones and iPads")) == sorted(ios_faults.KINDS)


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere_and_commands_are_there(page: Path) -> None:
    said = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", said):
        assert (page.parent / link).exists(), link
    commands = {name for section in cli.SECTIONS.values() for name in section}
    for line in re.findall(r"^(?:    |`)fleet ([a-z-]+)", said, re.MULTILINE):
        assert line in commands
