"""Commands that need no registry: what is attached, profiles, and virtual devices."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from profiles.schema import Profile
    from provision.bench import Found


@click.command()
@click.option("--tree", is_flag=True, help="Show buses, hubs and ports, and phones that adb does not list.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.option(
    "--sysfs",
    type=click.Path(path_type=Path, file_okay=False),
    hidden=True,
    help="Another sysfs than /sys, for --tree.",
)
def devices(tree: bool, as_json: bool, sysfs: Path | None) -> None:
    """List what is attached, who each device says it is, and what stands in the way.

    Example: fleet devices --tree
    """
    from provision import screen
    from provision.bench import attach_all
    from provision.doors import open_doors
    from provision.lines import Lines

    found = attach_all(open_doors())
    if tree:
        _show_tree(found, sysfs, as_json)
    elif not as_json:
        screen.console().print(screen.devices(found.attached) if found.attached else "No device is attached.")
    lines = Lines(sys.stdout)
    for place in found.attached if as_json and not tree else ():
        lines.write("device", place.fields())
    for silent in found.silent:
        if as_json:
            lines.write("server", silent.fields())
        else:
            click.echo(silent.error, err=True)


def _show_tree(found: Found, root: Path | None, as_json: bool) -> None:
    """An adb server on another computer has its phones on that computer's USB, which is not seen from here."""
    from provision import screen, usb_screen
    from provision.android.server import is_here, server_from_environment
    from provision.lines import Lines
    from provision.usb.fields import lines
    from provision.usb.sysfs import SYSFS, Sysfs, read
    from provision.usb.tree import build

    seen = read(root or SYSFS) if root or is_here(server_from_environment()) else Sysfs()
    usb = build(seen, [place.listed() for place in found.attached])
    if as_json:
        out = Lines(sys.stdout)
        for event, fields in lines(usb):
            out.write(event, fields)
    else:
        screen.console().print(usb_screen.tree(usb))


@click.group()
def virtual() -> None:
    """Virtual devices: they speak adb, or usbmuxd's protocols, as real ones do, refusals included."""


@virtual.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="What to start (YAML).")
@click.option("--phones", type=click.IntRange(1, 200), help="Start this many Android devices of mixed kinds.")
@click.option("--iphones", type=click.IntRange(1, 200), help="Start this many iPhones and iPads of mixed kinds.")
def up(spec: Path | None, phones: int | None, iphones: int | None) -> None:
    """Run a bench of virtual devices until Ctrl-C, behind an adb server and a usbmuxd of its own.

    The first line says where: {"event":"ready","adb_port":N,"usbmuxd":"127.0.0.1:P","devices":[…]}. Use it with
    ANDROID_ADB_SERVER_PORT=N and USBMUXD_SOCKET_ADDRESS=127.0.0.1:P.

    A spec lists devices by preset, with faults and slow links where wanted. docs/virtual.md tells its keys, presets
    and faults; examples/bench.yaml is one.

    Example: fleet virtual up --phones 4 --iphones 2
    """
    from provision.virtual import bench
    from provision.virtual import spec as specs

    if (spec is None) == (phones is None and iphones is None):
        raise click.UsageError("Pass either --spec FILE, or --phones N and --iphones N.")
    try:
        wanted = specs.parse(specs.read(spec) if spec else specs.spec_for(phones or 0, iphones or 0))
    except ValueError as error:
        raise click.UsageError(f"{spec}: {error}") from error
    with contextlib.ExitStack() as stack:
        port = None
        if wanted.androids:
            from provision.android.server import start_private

            port = stack.enter_context(start_private()).port
        bench.serve(wanted, port, sys.stdout, sys.stdin)


ANDROIDS = ("7", "7.1", "8", "8.1", "9", "10", "11", "12", "12.1", "13", "14", "15", "16")
"""The versions that ``--device-os`` offers: those that provision.android.described knows, which is slow to import."""


def complete_profile(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Names of the library; the shell completes files where none begins so."""
    from profiles.library import names

    found = [CompletionItem(name) for name in names() if name.startswith(typed)]
    return found or [CompletionItem(typed, type="file")]


def complete_device_os(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    systems = [f"android-{version}" for version in ANDROIDS]
    return [CompletionItem(system) for system in systems if system.startswith(typed)]


class HasSecrets(Protocol):
    """What the root command hands down, as far as profiles need it."""

    @property
    def secrets_file(self) -> Path: ...


@click.group()
def profile() -> None:
    """Profiles say what a device should be."""


@profile.command()
@click.argument("files", nargs=-1, required=True, metavar="NAME|FILE...", shell_complete=complete_profile)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.pass_obj
def check(options: HasSecrets, files: tuple[str, ...], as_json: bool) -> None:
    """Check profiles and the files that they name; every problem with its file, line and column.

    Example: fleet profile check examples/profiles/sample.yaml
    """
    from profiles.errors import ProfileError
    from provision.lines import Lines
    from provision.text import printable_lines

    lines = Lines(sys.stdout)
    good = True
    for file in files:
        problem: ProfileError | None = None
        try:
            _load(file, options)
        except ProfileError as error:
            good, problem = False, error
        if as_json:
            problems = [asdict(one) for one in problem.problems] if problem else []
            lines.write("profile", {"profile": file, "ok": problem is None, "problems": problems})
        else:
            click.echo(printable_lines(problem.what if problem else f"{file}: good"))
    sys.exit(0 if good else 1)


@profile.command()
@click.argument("file", metavar="NAME|FILE", shell_complete=complete_profile)
@click.option(
    "--device-os",
    required=True,
    metavar="OS-VERSION",
    shell_complete=complete_device_os,
    help="android-7 to android-16, or the version alone.",
)
@click.option("--maker", default="google", show_default=True, help="Who made the device: samsung, xiaomi, oppo, …")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.pass_obj
def show(options: HasSecrets, file: str, device_os: str, maker: str, as_json: bool) -> None:
    """Show what a profile comes to on a kind of device: by which means, and how strongly it holds.

    It is the plan for a device of this kind as it comes from a reset, with a SIM of the profile's carrier (of any,
    when it names none).

    Example: fleet profile show primary-vn --device-os android-13 --maker xiaomi
    """
    from provision import screen
    from provision.android.described import plan_for
    from provision.lines import Lines
    from provision.run import plan_fields

    system = device_os if "-" in device_os else f"android-{device_os}"
    items = plan_for(_load(file, options), system, maker)
    if as_json:
        lines = Lines(sys.stdout)
        for item in items:
            lines.write("item", plan_fields(item))
    else:
        console = screen.console()
        console.print(screen.plan(items))
        console.print(screen.strengths())


@profile.command()
def schema() -> None:
    """Print the JSON Schema of profiles, for editors.

    Example: fleet profile schema > profile.schema.json
    """
    from profiles.jsonschema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@profile.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def list_(as_json: bool) -> None:
    """List the ready profiles of the library.

    Example: fleet profile list
    """
    from profiles.library import library
    from provision.lines import Lines

    for name, about in library():
        if as_json:
            Lines(sys.stdout).write("profile", {"profile": name, "about": about})
        else:
            click.echo(f"{name:14} {about}")


def _load(name: str, options: HasSecrets) -> Profile:
    """The profile, its app files checked too."""
    from profiles.load import load
    from profiles.secrets import Secrets
    from provision.android.preflight import check as check_files

    found = load(name, Secrets(os.environ, options.secrets_file))
    check_files(found)
    return found
