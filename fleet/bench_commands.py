"""Commands that work on attached devices and keep account of it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from fleet.commands import options_of, to_write
from provision.commands import complete_profile

if TYPE_CHECKING:
    from fleet.home import Home
    from fleet.provisioning import Objection
    from fleet.units import Registry
    from profiles.errors import SchoolbagError
    from provision.bench import Attached
    from provision.run import Mode

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True)
class _Asked:
    """The options that all commands of this file share."""

    names: tuple[str, ...]
    everything: bool
    profile: str
    release: str
    as_json: bool
    strict: bool
    deep: bool
    sysfs: Path | None


def _device_options(command: F) -> F:
    for option in (
        click.argument("names", nargs=-1, metavar="[DEVICE]..."),
        click.option("--all", "everything", is_flag=True, help="Every attached device."),
        click.option(
            "--profile",
            default="",
            metavar="NAME|FILE",
            shell_complete=complete_profile,
            help="A library profile or a file; with --release one of its profiles.",
        ),
        click.option("--release", default="", metavar="NUMBER|current", help="As the hub sent it: fleet release list."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON lines; the last one is the summary."),
        click.option("--strict", is_flag=True, help="Exit 1 for partial too."),
        click.option("--deep", is_flag=True, help="Hash what is on the device instead of trusting sizes and times."),
        click.option(
            "--sysfs", type=click.Path(path_type=Path, file_okay=False), hidden=True, help="Another sysfs than /sys."
        ),
    ):
        command = option(command)
    return command


@click.command()
@_device_options
@click.option("--plan", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--allow", metavar="REASON", default="", help="Pass the gate, for a reason that is recorded.")
@click.option("--tags", metavar="PREFIX", help="Give units without a tag the next free one: PREFIX-0001, …")
@click.option("--erase", is_flag=True, help="Erase iPhones and iPads that an intake accepts; never an Android device.")
@click.option("--again", is_flag=True, help="With --erase: also those that we supervise already, with all on them.")
@click.option(
    "--only",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="With --all: those whose serials FILE has, one per line (*: any). That none is there is no error.",
)
@click.pass_context
def provision(
    ctx: click.Context,
    /,
    plan: bool,
    allow: str,
    tags: str | None,
    erase: bool,
    again: bool,
    only: TextIO | None,
    **asked: Any,
) -> None:
    """Make attached devices what a profile says, read everything back, and record it.

    DEVICE is a serial, a tag or an address; without any, the only attached device is taken. An interrupted run is
    simply run again.

    With --erase each iPhone and iPad is inspected first, as fleet intake does it; one that is accepted is erased where
    that is needed to supervise it. Android devices are not erased. One that we supervise keeps what its user has put on
    it, unless --again says that this may be lost: so is a device that came back made ready for the next student.

    Example: fleet provision --all --profile examples/profiles/sample.yaml --tags A
    """
    from provision.run import Mode

    if ctx.get_parameter_source("allow") is not click.core.ParameterSource.DEFAULT and not allow.strip():
        raise click.UsageError("--allow needs a reason, which is recorded.")
    mode = Mode.PLAN if plan else Mode.PROVISION
    if again and not erase:
        raise click.UsageError("--again says that what is ours already may be erased, too: pass --erase with it.")
    if only and not asked["everything"]:
        raise click.UsageError("--only chooses from all that is attached: pass --all with it.")
    serials = None if only is None else frozenset(filter(None, map(str.strip, only)))
    _work(ctx, _Asked(**asked), mode, allow, tags, erase, again, serials)


@click.command()
@_device_options
@click.pass_context
def verify(ctx: click.Context, /, **asked: Any) -> None:
    """Say what on attached devices differs from a profile; change nothing on them.

    Example: fleet verify A-0001 --profile primary-vn --deep
    """
    from provision.run import Mode

    _work(ctx, _Asked(**asked), Mode.VERIFY)


def _work(
    ctx: click.Context,
    asked: _Asked,
    mode: Mode,
    allow: str = "",
    tags: str | None = None,
    erase: bool = False,
    again: bool = False,
    only: frozenset[str] | None = None,
) -> None:
    from fleet.account.people.unit_pins import own_pins
    from fleet.doors import doors_of
    from fleet.home import home_of
    from fleet.provisioning import Order, provision, run_log
    from fleet.remote.agents.on_bench import own_agents
    from fleet.remote.releases.in_force import wanted
    from fleet.sinks import Sinks
    from provision import bench, results_screen, screen
    from provision.board_screen import Board
    from provision.lines import Lines
    from provision.ports import Ports
    from provision.progress import Progress
    from provision.run import Mode

    options = options_of(ctx)
    home = home_of(options)
    home.make()
    if not (asked.profile or asked.release):
        raise click.UsageError("Say what devices are to be: --profile NAME|FILE, or --release current.")
    profile = wanted(home, asked.profile, asked.release)
    with to_write(options) as registry, own_agents(registry) as agents, run_log(home) as log:
        order = Order(profile, mode, allow, asked.deep, tags, erase, again, own_pins(registry), agents)
        found = bench.attach_all(doors_of(home, asked.sysfs))
        meant = [one for one in found.attached if only is None or "*" in only or one.serial in only]
        places: tuple[Attached, ...] = ()
        if meant or only is None:
            places = bench.select(meant, asked.names, asked.everything, registry.serial_of, registry.last_seen)
        lines = Lines(sys.stdout)
        for silent in found.silent:
            click.echo(silent.error, err=True)
            log.emit(Progress("server", "", fields=silent.fields()))
        ports = Ports(lambda verdict: sinks.emit(verdict))
        with contextlib.nullcontext() if asked.as_json else Board(screen.console(stderr=True)) as board:
            shown = {"The screen": board.emit} if board else {"The output": lines.emit}
            sinks = Sinks({**shown, "The run log": log.emit, "The ports": ports.emit})
            summary = provision(places, order, registry, sinks, _objection(home, registry, keep=mode is not Mode.PLAN))
        with contextlib.suppress(OSError):
            log.write("summary", summary.fields())
        for sentence in summary.silent:
            click.echo(sentence, err=True)
        if asked.as_json:
            lines.write("summary", summary.fields())
        else:
            for part in (results_screen.results(summary.reports), *results_screen.ports(ports.verdicts())):
                screen.console().print(part)
    ctx.exit(summary.exit_code(strict=asked.strict))


def _objection(home: Home, registry: Registry, *, keep: bool) -> Objection:
    """What an intake of a device, by the rules of this home, says against erasing it; ``keep``: it is recorded."""
    from datetime import UTC, datetime

    from fleet.intake_screen import in_short
    from fleet.intakes import Look, inspect, rules_of
    from provision.intake_words import language_of

    look = Look(rules_of(home), datetime.now(UTC).date(), erases=True, keep=keep)

    def objection(place: Attached) -> SchoolbagError | None:
        found = inspect(place, look, registry)
        return None if found.accepted else found.error or in_short(found, language_of(os.environ))

    return objection
