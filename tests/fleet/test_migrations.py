from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from fleet.db import REVISIONS
from fleet.migrate import MIGRATIONS, upgrade
from fleet.models import metadata

ROOT = Path(__file__).parents[2]


def _schema(conn: Connection) -> dict[str, str]:
    """SQLite quotes the name of a table that was made anew by a migration."""
    rows = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"))
    return {name: " ".join(sql.replace(f'TABLE "{name}"', f"TABLE {name}").split()) for name, sql in rows}


def test_migrations_make_what_the_models_say() -> None:
    migrated, created = create_engine("sqlite://"), create_engine("sqlite://")
    with migrated.begin() as by_steps, created.begin() as at_once:
        upgrade(by_steps)
        metadata.create_all(at_once)
        assert compare_metadata(MigrationContext.configure(by_steps, opts={"compare_type": True}), metadata) == []
        assert _schema(by_steps) == _schema(at_once)
    migrated.dispose()
    created.dispose()


def test_the_cheap_check_knows_every_revision() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_current_head() == REVISIONS[-1]


def test_a_new_migration_can_be_written(tmp_path: Path) -> None:
    """The command of fleet/migrations/__init__.py, on a copy."""
    copy = tmp_path / "migrations"
    copy.mkdir()
    for source in MIGRATIONS.rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts:
            target = copy / source.relative_to(MIGRATIONS)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
    command = [
        sys.executable,
        "-m",
        "alembic",
        "-c",
        str(copy / "alembic.ini"),
        "revision",
        "--rev-id",
        "9999",
        "-m",
        "Add sims",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    written = copy / "versions" / "r9999_add_sims.py"
    compile(written.read_text(), str(written), "exec")


def test_an_installed_package_brings_its_migrations(tmp_path: Path) -> None:
    """Gather what pyproject.toml says belongs to the package, and make a registry with nothing else in reach."""
    site = tmp_path / "site"
    gather = [sys.executable, "-W", "ignore", "-c", _GATHER, str(site)]
    done = subprocess.run(gather, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    use = [sys.executable, "-P", "-c", _USE, str(site), str(tmp_path / "home")]
    done = subprocess.run(use, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    conn = sqlite3.connect(tmp_path / "home" / "registry.db")
    assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISIONS[-1],)
    conn.close()


_GATHER = """
import sys, tomllib
from pathlib import Path
from setuptools import Distribution, find_namespace_packages
told = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["setuptools"]
packages = find_namespace_packages(include=told["packages"]["find"]["include"])
distribution = Distribution({"script_name": "setup.py", "packages": packages, "package_data": told["package-data"]})
build = distribution.get_command_obj("build_py")
build.build_lib = sys.argv[1]
build.ensure_finalized()
build.run()
"""

_USE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import fleet
assert fleet.__file__.startswith(sys.argv[1]), fleet.__file__
from fleet.home import Home
from fleet.units import open_registry
with open_registry(Home(Path(sys.argv[2])), None, "lan"):
    pass
"""
