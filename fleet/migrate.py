"""Brings a database to the newest schema. Imported only when one is behind: alembic is slow to start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(conn: Connection) -> None:
    """Run every migration that is missing, in the transaction of ``conn``."""
    command.upgrade(config(conn), "head")


def config(conn: Connection) -> Config:
    """What alembic needs to know."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = conn
    return settings
