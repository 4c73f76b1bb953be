"""What commands share: the options before them, the registry that these name, and lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import click

from fleet.home import Options, home_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from sqlalchemy import Connection

    from fleet.units import Registry


def options_of(ctx: click.Context) -> Options:
    """What the command line says before the command."""
    return ctx.find_object(Options) or Options()


def to_read(options: Options) -> AbstractContextManager[Connection]:
    """One moment of the registry; nothing is made or written. Raises HomeError and RegistryError."""
    from fleet.db import database_of, reading

    return reading(database_of(options.database, home_of(options)))


def to_write(options: Options) -> AbstractContextManager[Registry]:
    """The registry, made or upgraded if need be. Raises HomeError and RegistryError."""
    from fleet.units import open_registry

    return open_registry(home_of(options), options.database, options.actor)


def json_line(event: str, fields: Mapping[str, Any], at: str | None = None) -> None:
    """A line of ``--json`` (docs/json.md), of this moment where ``at`` names none."""
    from provision.progress import now

    click.echo(json.dumps({"v": 1, "event": event, "at": at or now(), **fields}))


def print_parts(parts: Iterable[RenderableType]) -> None:
    """What people see, one below the other."""
    from fleet.screen import show

    show(*parts)
