"""``fleet doctor``: the checks of the bench and of the registry, and how to mend what they find."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

import click

from fleet.commands import options_of
from fleet.home import Options
from provision.device import Door
from provision.doctor.check import Check, Look, Mark


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines; the last one is the summary.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check adb, usbmuxd, USB, disk, clock and the registry of this computer; say how to mend each. Exit 1 when one is
    bad.

    The adb server is started if none runs; else nothing is changed, neither here nor on a phone.

    Example: fleet doctor
    """
    from provision import doctor_screen, screen
    from provision.doctor.check import examine
    from provision.lines import Lines

    lines, console = Lines(sys.stdout), screen.console()
    marks: Counter[Mark] = Counter()
    for check in examine(_looks(options_of(ctx))):
        marks[check.mark] += 1
        if as_json:
            lines.write("check", vars(check))
        else:
            console.print(doctor_screen.row(check))
    if as_json:
        lines.write("summary", {mark: marks[mark] for mark in Mark})
    else:
        console.print(f"{marks[Mark.GOOD]} good, {marks[Mark.WARN]} to look at, {marks[Mark.BAD]} bad.")
    ctx.exit(1 if marks[Mark.BAD] else 0)


def _looks(options: Options) -> Mapping[str, Look]:
    from fleet.home import home_of
    from provision.android.apk import default_cache
    from provision.doctor import checkup
    from provision.doctor.host import this_host

    host = this_host()
    home = home_of(options)

    def registry(_name: str) -> Iterator[Check]:
        """The database is opened only now, so that a bad address of it is one bad check and not the end."""
        from fleet import doctor as account
        from fleet.db import database_of
        from provision.doctor.check import examine

        yield from examine(account.looks(home, database_of(options.database, home), host.now()))

    @cache
    def doors() -> tuple[Door, ...]:
        from fleet.doors import doors_of

        return doors_of(home)

    return {**checkup.looks(host, home.path, default_cache(), doors), "registry": registry}
