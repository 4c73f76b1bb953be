"""``fleet watch``: the standing bench."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import options_of, to_write
from provision.commands import complete_profile

if TYPE_CHECKING:
    from fleet.intakes import Inspected
    from profiles.errors import SchoolbagError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--profile",
    default="",
    metavar="NAME|FILE",
    shell_complete=complete_profile,
    help="A library profile or a file; with --release one of its profiles.",
)
@click.option(
    "--release",
    type=click.Choice(["current"]),
    help="As the hub sent it, and whatever it sends while this goes on.",
)
@click.option("--tags", metavar="PREFIX", help="Give units without a tag the next free one: PREFIX-0001, …")
@click.option(
    "--left", metavar="N", type=click.IntRange(min=0), help="Units still to come: say when they will be done."
)
@click.option("--rules", "rules_file", type=_FILE, help="Intake rules laid over those of fleet (else intake.yaml).")
@click.option("--lang", type=click.Choice(["en", "zh", "vi"]), help="Language of what to do; by the locale.")
@click.option("--erase", is_flag=True, help="Erase iPhones and iPads that an intake accepts; never an Android device.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.option("--sysfs", type=click.Path(path_type=Path, file_okay=False), hidden=True, help="Another sysfs than /sys.")
@click.pass_context
def watch(
    ctx: click.Context,
    profile: str,
    release: str | None,
    tags: str | None,
    left: int | None,
    rules_file: Path | None,
    lang: str | None,
    erase: bool,
    as_json: bool,
    sysfs: Path | None,
) -> None:
    """Serve every device as it is plugged in: look at it, provision it, read it back, record it.

    Each has a row that says what is being done, what it waits for, or that it may be unplugged. End it with Ctrl-C;
    what is under way then is finished by plugging the device in again. Exit 1 when not all could be told or logged, 3
    when something of ours broke.

    Example: fleet watch --profile primary-vn --tags HN
    """
    from fleet.account.people.unit_pins import own_pins
    from fleet.buglog import Bug
    from fleet.doors import doors_of
    from fleet.guests import Bench
    from fleet.home import home_of
    from fleet.intake_screen import in_short
    from fleet.intakes import rules_of
    from fleet.provisioning import Order, run_log
    from fleet.remote.agents.on_bench import own_agents
    from fleet.remote.releases.in_force import InForce, Named
    from fleet.sinks import Sinks
    from fleet.watching import Watch
    from provision import screen
    from provision.board_screen import Board
    from provision.intake_words import language_of
    from provision.lines import Lines
    from provision.ports import Ports

    options = options_of(ctx)
    home = home_of(options)
    home.make()
    if not (profile or release):
        raise click.UsageError("Say what devices are to be: --profile NAME|FILE, or --release current.")
    wished = InForce(home, profile) if release else Named(home, profile)
    lead = rules_of(home, rules_file)
    language = lang or language_of(os.environ)

    def says(found: Inspected) -> SchoolbagError:
        return in_short(found, language)

    bugs: list[Bug] = []
    with to_write(options) as registry, own_agents(registry) as agents, run_log(home) as log:
        pins = own_pins(registry)

        def order() -> Order:
            return Order(wished(), tag_prefix=tags, erase=erase, own_pin=pins, own_agent=agents)

        board = contextlib.nullcontext() if as_json else Board(screen.console(), keep=True, left=left)
        with board as shown:
            out = shown.emit if shown else Lines(sys.stdout).emit
            ports = Ports(lambda verdict: seen.emit(verdict))
            seen = Sinks({"the output": out, "the run log": log.emit, "the ports": ports.emit})
            bench = Bench(order, lead, registry, seen.emit, says, bugs.append)
            with contextlib.suppress(KeyboardInterrupt):
                Watch(bench, doors_of(home, sysfs)).run()
    for words in (*seen.told(), *dict.fromkeys(map(str, bugs))):
        click.echo(words, err=True)
    if not bugs and not seen.told():
        raise KeyboardInterrupt
    ctx.exit(Bug.exit_code if bugs else 1)
