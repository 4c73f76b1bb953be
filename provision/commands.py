"""Commands that need no registry: profiles, and virtual devices."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from profiles.schema import Profile
    from provision.model import Item


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
IPHONES = ("12", "13", "14", "15", "16", "17", "18", "26")
"""The versions that ``--device-os`` offers: those that the modules ``described`` know, which are slow to import."""


def complete_profile(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Names of the library; the shell completes files where none begins so."""
    from profiles.library import names

    found = [CompletionItem(name) for name in names() if name.startswith(typed)]
    return found or [CompletionItem(typed, type="file")]


def complete_device_os(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    systems = [f"android-{version}" for version in ANDROIDS] + [f"ios-{version}" for version in IPHONES]
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
    help="android-7 to android-16 (or the version alone), ios-12 to ios-26.",
)
@click.option("--maker", default="google", show_default=True, help="Who made the phone: samsung, xiaomi, oppo, …")
@click.option("--supervised", is_flag=True, help="An iPhone or iPad that is supervised by us.")
@click.option("--mobileconfig", is_flag=True, help="Print the configuration that an iPhone is given, secrets masked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.pass_obj
def show(
    options: HasSecrets, file: str, device_os: str, maker: str, supervised: bool, mobileconfig: bool, as_json: bool
) -> None:
    """Show what a profile comes to on a kind of device: by which means, and how strongly it holds.

    It is the plan for a device of this kind as it comes from a reset, with a SIM of the profile's carrier (of any,
    when it names none).

    \b
    Examples: fleet profile show primary-vn --device-os android-13 --maker xiaomi
              fleet profile show primary-vn --device-os ios-16 --supervised --mobileconfig
    """
    system = device_os if "-" in device_os else f"android-{device_os}"
    is_ios = system.startswith("ios-")
    if (supervised or mobileconfig) and not is_ios:
        raise click.UsageError("--supervised and --mobileconfig are of iPhones and iPads: --device-os ios-16")
    loaded = _load(file, options)
    if mobileconfig:
        _print_mobileconfig(loaded, system, supervised)
    else:
        _print_plan(_planned_for(loaded, system, maker, supervised), as_json)


def _planned_for(profile: Profile, system: str, maker: str, supervised: bool) -> Sequence[Item]:
    if system.startswith("ios-"):
        from provision.ios.described import described

        return described(system, supervised).plan(profile)
    from provision.android.described import plan_for

    return plan_for(profile, system, maker)


def _print_mobileconfig(profile: Profile, system: str, supervised: bool) -> None:
    from provision.ios.described import described

    data = described(system, supervised).mobileconfig(profile)
    if not data:
        raise click.ClickException(
            f"{system} takes nothing of this profile by a configuration. See it without --mobileconfig."
        )
    click.echo(data.decode(), nl=False)


def _print_plan(items: Sequence[Item], as_json: bool) -> None:
    from provision import results_screen, screen
    from provision.lines import Lines
    from provision.run import plan_fields

    if as_json:
        lines = Lines(sys.stdout)
        for item in items:
            lines.write("item", plan_fields(item))
    else:
        console = screen.console()
        console.print(results_screen.plan(items))
        console.print(results_screen.strengths())


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
    from provision.preflight import check as check_files

    found = load(name, Secrets(os.environ, options.secrets_file))
    check_files(found)
    return found
