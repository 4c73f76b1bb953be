"""The ``fleet`` command: its options, where each command lives, and what becomes of errors.

Exit codes: 0 well, 1 something failed, 2 usage, 3 a bug (its log file is named), 130 interrupted.
A command's module is imported when the command is run, not before.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import keyword
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Bench": {
        "devices": ("fleet.device_commands", "List what is attached, and what stands in the way."),
        "doctor": ("fleet.doctor_commands", "Check adb, USB, disk, clock and registry; say how to mend each."),
        "intake": ("fleet.intake_commands", "Say whether devices can be taken; change nothing on them."),
        "provision": ("fleet.bench_commands", "Make attached devices what a profile says."),
        "watch": ("fleet.watch_commands", "Serve every device as it is plugged in, without a key being pressed."),
        "verify": ("fleet.bench_commands", "Say what differs from a profile; change nothing."),
        "supervision": ("fleet.supervision_commands", "The keybag by which iPhones and iPads are supervised."),
        "virtual": ("provision.commands", "Virtual devices to try things on."),
    },
    "Profiles": {
        "profile": ("provision.commands", "Check and show profiles."),
    },
    "Account": {
        "status": ("fleet.account.status.commands", "How many units where, what is wrong, what changed."),
        "unit": ("fleet.unit_commands", "List units, show one; give it a tag, or an order at home."),
        "roster": ("fleet.account.roster.commands", "Take over lists of students, as schools send them."),
        "student": ("fleet.account.people.student_commands", "Show, find, see off and forget students."),
        "vault": (
            "fleet.account.people.vault_commands",
            "The key of students' names: back it up, share it.",
        ),
        "balance": ("fleet.account.custody.balance_commands", "Received = the sum of all places; what is unexplained."),
        "count": ("fleet.account.custody.count_commands", "Compare what lies at a place with what is recorded there."),
        "label": ("fleet.account.paper.commands", "Print labels for devices, SIMs, chargers and boxes."),
        "scan": ("fleet.account.desk.scan_commands", "Receive, hand over, take back and count with a scanner."),
        "losses": ("fleet.account.custody.losses_commands", "Losses that repeat, faults of one model or batch."),
        "place": ("fleet.account.custody.place_commands", "The places where units lie."),
        "receive": ("fleet.account.custody.receive_commands", "Receive a donor's list, or units one by one."),
        "move": ("fleet.account.desk.commands", "Units lie at another place now."),
        "send": ("fleet.account.desk.commands", "Units are on their way to a place."),
        "arrive": ("fleet.account.desk.commands", "Units that were on their way have come."),
        "hand-over": ("fleet.account.desk.commands", "A student's unit was accepted."),
        "refused": ("fleet.account.desk.commands", "A family did not take the unit, and why."),
        "return": ("fleet.account.desk.commands", "Take units back from students."),
        "lost": ("fleet.account.desk.commands", "Units are lost, after they were searched for."),
        "found": ("fleet.account.desk.commands", "Lost units are there again."),
        "repair": ("fleet.account.desk.commands", "Units go to be repaired."),
        "repaired": ("fleet.account.desk.commands", "Units are back from repair."),
        "retire": ("fleet.account.desk.commands", "Units are of no use any more."),
        "give-back": ("fleet.account.desk.commands", "Units went back to their donor."),
        "sim": ("fleet.account.sims.commands", "SIMs: the operator's lists, requests and answers."),
        "data-plans": ("fleet.account.sims.data_plan_commands", "Data plans that cost money for nothing, or end."),
        "programme": ("fleet.account.programme.commands", "Who is given what, in which order, by when."),
        "assign": ("fleet.account.assign.commands", "Which unit is meant for which student."),
        "unassign": ("fleet.account.assign.commands", "Take an assignment back."),
        "gaps": ("fleet.account.programme.gaps_commands", "Who is not served, and why."),
        "ledger": ("fleet.ledger_commands", "Check the record of events, carry it to other benches, join it."),
        "database": ("fleet.database_commands", "Where the registry is; upgrade, backup, restore."),
        "report": ("fleet.account.reports.audit_commands", "What was done, how far it is, and what is left to do."),
    },
    "Elsewhere": {
        "site": ("fleet.remote.sites.commands", "The benches that this hub reaches over SSH."),
        "push": ("fleet.remote.pushes.commands", "Send a release to sites, in waves; see how it stands."),
        "worker": ("fleet.remote.pushes.worker_commands", "Do the work of pushes, on any number of computers."),
        "release": ("fleet.remote.releases.commands", "What sites are to be, in numbered, signed bundles."),
        "serve": ("fleet.remote.agents.serve_commands", "Answer the agents of phones that are at home."),
    },
}


def _attribute(name: str) -> str:
    """What the command is called in its module: ``hand_over``, and ``return_`` as Python has a return of its own."""
    word = name.replace("-", "_")
    return f"{word}_" if keyword.iskeyword(word) else word


class Commands(click.Group):
    """A group that knows its commands by name and imports them only to run them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for section in SECTIONS.values():
            if cmd_name in section:
                command = getattr(importlib.import_module(section[cmd_name][0]), _attribute(cmd_name))
                assert isinstance(command, click.Command)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else " fleet --help lists them."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: fleet provision --all --profile examples/profiles/sample.yaml",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FLEET_HOME",
    help="Where the registry and keys are kept (FLEET_HOME).",
)
@click.option(
    "--database",
    metavar="URL",
    envvar="FLEET_DATABASE_URL",
    help="The registry's database (FLEET_DATABASE_URL); SQLite in the home by default.",
)
@click.option("--actor", metavar="NAME", envvar="FLEET_ACTOR", help="Who does this, for the record (FLEET_ACTOR).")
@click.option("-v", "--verbose", count=True, help="Log what is done to devices; twice for what they say, too.")
@click.version_option(package_name="schoolbag", prog_name="fleet")
@click.pass_context
def root(ctx: click.Context, home: Path | None, database: str | None, actor: str | None, verbose: int) -> None:
    """Turn donated phones and tablets into students' learning devices, and keep account of every one."""
    from fleet.home import Options

    if verbose:
        _log_to_stderr(verbose)
    if home:
        os.environ["FLEET_HOME"] = str(home.expanduser().absolute())  # what is cached goes by it, too
    ctx.obj = Options(home=home, database=database, actor=actor, verbose=verbose)


def _log_to_stderr(verbose: int) -> None:
    """What devices say is in it, so nothing of it may act on the terminal."""
    import logging

    from provision.text import printable_lines

    class Printable(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return printable_lines(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Printable("%(asctime)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("fleet").setLevel(logging.INFO if verbose == 1 else logging.DEBUG)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    gc.set_threshold(_OBJECTS)
    try:
        code = root.main(prog_name="fleet", standalone_mode=False)
        _end(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001
        sys.exit(_unwritten(error) if _is_of_output(error) else _told(error))


_OBJECTS = 200_000
"""So many new ones before garbage is looked for: what modules are made of is none, and there is much of it."""


def _end(code: int) -> NoReturn:
    """Leave at once when nothing else runs. To take apart all that was loaded takes longer than most commands."""
    if threading.active_count() > 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


_OF_OUTPUT = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _is_of_output(error: Exception) -> bool:
    """Whether our output could not be written: all other files that we write to have a name, and an error of theirs."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _OF_OUTPUT


def _unwritten(error: Exception) -> int:
    """A reader of our output that has gone (``| head``) wants to hear nothing."""
    assert isinstance(error, OSError)
    if not isinstance(error, BrokenPipeError):
        click.echo(f"Error: The output could not be written: {error.strerror}.", err=True)
    # What is left in the buffer cannot be written either; python would complain of it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _told(error: Exception) -> int:
    """Print what went wrong and what to do; the exit code."""
    from fleet.buglog import as_error
    from provision.text import printable_lines

    told = as_error(error)
    click.echo(f"Error: {printable_lines(told.what)}", err=True)
    if told.next_action:
        click.echo(printable_lines(told.next_action), err=True)
    return told.exit_code


if __name__ == "__main__":
    main()
