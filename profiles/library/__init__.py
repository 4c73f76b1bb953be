"""The ready profiles, and where they are. Reads no more of them than their first comment lines."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The names of the ready profiles, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def path(name: str) -> Path:
    """Where the ready profile ``name`` is; the file need not exist."""
    return FOLDER / f"{name}.yaml"


def library() -> list[tuple[str, str]]:
    """Name and one-line description of every ready profile, sorted by name."""
    return [(name, _description(path(name))) for name in names()]


def _description(file: Path) -> str:
    with file.open(encoding="utf-8") as stream:
        first = stream.readline()
    return first.removeprefix("#").strip() if first.startswith("#") else ""
