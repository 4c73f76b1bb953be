"""What import-linter cannot say: nothing imports ``cli``, and the terminal stays on the top floors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [path for package in ("profiles", "provision", "fleet") for path in sorted((ROOT / package).rglob("*.py"))]
TERMINAL = {"click", "rich"}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of every import, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def is_top_floor(path: Path) -> bool:
    """``commands`` and ``screen``, as files (``bench_commands.py`` too) or as folders."""
    names = path.relative_to(ROOT).with_suffix("").parts
    return any(name.rpartition("_")[2] in {"commands", "screen"} for name in names)


def offences(paths: list[Path], names: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for line, name in imported(path)
        if name in names
    ]


def test_no_package_imports_the_command_line() -> None:
    assert not offences(MODULES, {"cli"})


def test_click_and_rich_stay_on_the_top_floors() -> None:
    assert not offences([path for path in MODULES if not is_top_floor(path)], TERMINAL)


def test_settings_are_not_taken_for_a_top_floor() -> None:
    assert not is_top_floor(ROOT / "provision/android/screen_lock.py")
    assert is_top_floor(ROOT / "provision/commands.py")
    assert is_top_floor(ROOT / "fleet/commands/units.py")


@pytest.mark.parametrize(
    "statement", ["import click", "from rich.table import Table", "def f():\n    import rich.live"]
)
def test_an_offence_is_seen(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(statement)

    assert {name for _, name in imported(path)} & TERMINAL
