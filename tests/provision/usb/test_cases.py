"""Whole captures: what the tree looks like in 80 columns, and what is told about limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from provision import usb_screen
from provision.usb.fields import lines
from provision.usb.limits import explain_log, findings
from tests.provision.usb.captures import CASES, load

every_case = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)


def printed(root: Path, path: Path, **options: object) -> str:
    console = Console(width=80, record=True, highlight=False, markup=False, emoji=False, **options)  # type: ignore[arg-type]
    with console.capture() as capture:
        console.print(usb_screen.tree(load(path).usb(root)))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


@every_case
def test_the_tree(path: Path, tmp_path: Path) -> None:
    assert printed(tmp_path, path) == load(path).tree


@every_case
def test_colour_only_adds_colour(path: Path, tmp_path: Path) -> None:
    coloured = printed(tmp_path, path, force_terminal=True, color_system="standard")

    assert "\x1b[" in coloured
    assert max(map(len, load(path).tree.splitlines())) <= 80


@every_case
def test_the_findings(path: Path, tmp_path: Path) -> None:
    case = load(path)
    found = [*findings(case.usb(tmp_path)), *explain_log(case.log.splitlines())]

    assert [f"{one.where}: {one.level}: {one.what} {one.next_action}" for one in found] == case.findings


@every_case
def test_json_lines_hold_the_whole_tree(path: Path, tmp_path: Path) -> None:
    case = load(path)
    usb = case.usb(tmp_path)
    nodes = [fields for event, fields in lines(usb) if event == "usb"]
    placed = {fields["address"] for fields in nodes if fields["in_adb"]}
    elsewhere = {fields["address"] for event, fields in lines(usb) if event == "device"}

    assert placed | elsewhere == {device.address for device in case.devices()}
    assert len({fields["port"] for fields in nodes}) == len(nodes) == len(list(usb.walk()))
    seen = set()
    for fields in nodes:
        assert fields["parent"] is None or fields["parent"] in seen
        seen.add(fields["port"])
