"""Commands that need no registry: what is attached, profiles, and virtual devices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def devices(as_json: bool) -> None:
    """List what is attached, who each device says it is, and what stands in the way.

    Example: fleet devices
    """
    from provision import screen
    from provision.bench import attach_all, open_server
    from provision.lines import Lines

    attached = attach_all(open_server())
    if not as_json:
        screen.console().print(screen.devices(attached) if attached else "No device is attached.")
        return
    lines = Lines(sys.stdout)
    for place in attached:
        lines.write("device", place.fields())


@click.group()
def virtual() -> None:
    """Virtual devices: they speak adb as real phones do, refusals included."""


@virtual.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="What to start (YAML).")
@click.option("--phones", type=click.IntRange(1, 200), help="Start this many Android devices of mixed kinds.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one",
              help="Port of the adb server to start for them.")
def up(spec: Path | None, phones: int | None, port: int) -> None:
    """Run a bench of virtual devices until Ctrl-C, behind an adb server of its own.

    The first line says where: {"event":"ready","adb_port":N,"devices":[…]}. Use it with ANDROID_ADB_SERVER_PORT=N.

    Example: fleet virtual up --phones 4
    """
    import yaml

    from provision.android.server import start_private
    from provision.virtual.android import bench

    if (spec is None) == (phones is None):
        raise click.UsageError("Pass either --spec FILE or --phones N.")
    try:
        wanted = yaml.safe_load(spec.read_text("utf-8")) if spec else bench.spec_for(phones or 0)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{spec} is not YAML: {error}") from error
    with start_private(port) as server:
        try:
            bench.serve(wanted, server.port, sys.stdout, sys.stdin)
        except ValueError as error:
            raise click.UsageError(f"{spec}: {error}") from error
