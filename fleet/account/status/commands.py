"""``fleet status``: how many units where, what is wrong with them, what changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of
from fleet.home import Options

if TYPE_CHECKING:
    from rich.console import RenderableType
    from sqlalchemy import Connection

    from fleet.account.filters.sql import Asked
    from fleet.account.status.counts import Status
    from fleet.account.status.health_rules import Rules

DIMENSIONS = ("place", "school", "area", "state", "model", "profile", "holder", "maker", "batch")
_FILE = click.Path(path_type=Path, dir_okay=False)
_SEVERITIES = {"fine": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True)
class Asking:
    """What the command line says."""

    options: Options
    by: str | None
    where: str | None
    since: str
    lang: str


@click.command()
@click.option("--by", type=click.Choice(DIMENSIONS), help="A table of counts instead.")
@click.option("--where", metavar="FILTER", help="Only units that fit, such as 'state=lost and model~SM-A'.")
@click.option(
    "--since", metavar="WHEN", default="24h", show_default=True, help="What changed since: today, 7d, a date."
)
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON (docs/json.md).")
@click.option("--csv", "as_csv", is_flag=True, help="With --by: print the whole table as CSV.")
@click.option("--check", is_flag=True, help="One line for monitoring; exit 0 fine, 1 warning, 2 critical.")
@click.option("--metrics", type=_FILE, metavar="FILE", help="Write the numbers for Prometheus' text-file collector.")
@click.option("--watch", is_flag=True, help="Stay, and show it anew; end it with Ctrl-C.")
@click.option("--every", type=click.IntRange(1, 86400), default=10, show_default=True, help="Seconds, with --watch.")
@click.option("--lang", type=click.Choice(["en", "zh", "vi"]), default="en", help="Language of the alarms.")
@click.option("--fields", is_flag=True, help="List what --where can ask, and stop.")
@click.pass_context
def status(
    ctx: click.Context,
    by: str | None,
    where: str | None,
    since: str,
    as_json: bool,
    as_csv: bool,
    check: bool,
    metrics: Path | None,
    watch: bool,
    every: int,
    lang: str,
    fields: bool,
) -> None:
    """Say how many units there are, in which state and place, what is wrong with them, and what changed.

    docs/status.md has the language of --where, the rules of the alarms and how to have it monitored.

    Example: fleet status --by school --where "state=with_student and battery_worn>20"
    """
    _refuse_both(by=by is not None, csv=as_csv, check=check, metrics=metrics is not None, watch=watch, json=as_json)
    asking = Asking(options_of(ctx), by, where, since, lang)
    if fields:
        _list_fields()
    elif check:
        ctx.exit(_check(asking))
    elif metrics:
        _metrics(asking, metrics)
    elif watch:
        _watch(asking, every, as_json)
    elif as_csv:
        _csv(asking)
    elif as_json:
        _lines(asking)
    else:
        _show(asking)


def _refuse_both(*, by: bool, csv: bool, check: bool, metrics: bool, watch: bool, json: bool) -> None:
    """Each of these is an answer of its own."""
    if csv and not by:
        raise click.UsageError("--csv needs --by; fleet unit list --csv lists the units.")
    alone = {"--check": check, "--metrics": metrics}
    for name, said in alone.items():
        if said and (by or csv or watch or json or sum(alone.values()) > 1):
            raise click.UsageError(f"{name} is an answer of its own: leave out --by, --csv, --json and --watch.")
    if csv and (json or watch):
        raise click.UsageError("--csv is an answer of its own: leave out --json and --watch.")


@contextmanager
def _asked(asking: Asking, at: str) -> Iterator[tuple[Connection, Rules, Asked]]:
    from fleet.account.status import known as filter_known
    from fleet.account.status.health_rules import rules_of
    from fleet.db import database_of, is_there, reading
    from fleet.home import home_of

    home = home_of(asking.options)
    url = database_of(asking.options.database, home)
    # Without a registry there is nothing to be wrong, but a mistake in a filter is told all the same.
    rules = rules_of(home) if is_there(url) or asking.where else {}
    with reading(url) as conn:
        yield conn, rules, filter_known.asked(conn, rules, asking.where, at)


def _read(asking: Asking, at: str) -> tuple[Status, Rules]:
    from fleet.account.filters import values as filter_values
    from fleet.account.status.counts import status as read

    found = filter_values.moment(asking.since, at)
    if found is None:
        raise click.BadParameter(
            f"{asking.since!r} is no moment: write 24h, 7d, today or 2026-11-22.", param_hint="--since"
        )
    with _asked(asking, at) as (conn, rules, within):
        return read(conn, rules, within, filter_values.recorded(found[0]), asking.lang), rules


def _now() -> str:
    from provision.progress import now

    return now()


def _write(event: str, fields: dict[str, Any], at: str) -> None:
    json_line(event, fields, at)


def _lines(asking: Asking) -> None:
    at = _now()
    if asking.by is None:
        _write("status", asdict(_read(asking, at)[0]), at)
        return
    from fleet.account.status.by import by

    with _asked(asking, at) as (conn, _, within):
        for group in by(conn, within, asking.by):
            _write("count", {"by": asking.by, **asdict(group)}, at)


def _csv(asking: Asking) -> None:
    from fleet.account.custody.machine import State
    from fleet.account.sheets import csv_out
    from fleet.account.status.by import by

    assert asking.by is not None
    states = tuple(map(str, State))
    with _asked(asking, _now()) as (conn, _, within):
        found = by(conn, within, asking.by)
    rows = ((g.value, g.name, g.units, *(g.by_state.get(state, 0) for state in states)) for g in found)
    csv_out.write(sys.stdout, (asking.by, "name", "units", *states), rows)


def _screen(asking: Asking) -> list[RenderableType]:
    from fleet.account.status import screen as status_screen

    at = _now()
    if asking.by is not None:
        from fleet.account.status.by import by, holders

        with _asked(asking, at) as (conn, _, within):
            if asking.by == "holder":
                return list(status_screen.holders(tuple(holders(conn, within, status_screen.GROUPS + 1))))
            return list(status_screen.groups(by(conn, within, asking.by), asking.by))
    from fleet.db import database_of, shown
    from fleet.home import home_of

    where = shown(database_of(asking.options.database, home_of(asking.options)))
    return list(status_screen.status(_read(asking, at)[0], where, asking.where is not None))


def _show(asking: Asking) -> None:
    from fleet import screen

    screen.show(*_screen(asking))


def _watch(asking: Asking, every: int, as_json: bool) -> None:
    """On a terminal in place; else one picture, or line of JSON, after the other."""
    from rich.console import Group
    from rich.live import Live

    from provision import screen

    console = screen.console()
    if as_json or not console.is_terminal or not sys.stdout.isatty():
        while True:
            _lines(asking) if as_json else _show(asking)
            sys.stdout.flush()
            time.sleep(every)
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(Group(*_screen(asking)), refresh=True)
            time.sleep(every)


def _check(asking: Asking) -> int:
    """A line as Nagios and its kin read it: a word, what is wrong, and after a bar the numbers."""
    from fleet.account.status.alarms import severity_of
    from profiles.errors import SchoolbagError
    from provision.text import printable

    try:
        found, _ = _read(asking, _now())
    except SchoolbagError as error:
        click.echo(f"FLEET CRITICAL - {printable(error.what.splitlines()[0])}".replace("|", "/"))
        return _SEVERITIES["critical"]
    severity = severity_of(found.alarms)
    told = [f"{one.units} {one.meaning}" for one in found.alarms if one.counts and one.severity != "note"]
    said = "; ".join(told) or "no alarm"
    numbers = " ".join(f"{name}={number}" for name, number in _numbers(found))
    word = {"fine": "OK", "warning": "WARNING", "critical": "CRITICAL"}[severity]
    click.echo(f"FLEET {word} - {found.units} units: {said}".replace("|", "/") + f" | {numbers}")
    return _SEVERITIES[severity]


def _numbers(found: Status) -> Iterator[tuple[str, int]]:
    yield "units", found.units
    yield from sorted((one.name, one.units) for one in found.alarms)


def _metrics(asking: Asking, file: Path) -> None:
    from fleet.account.status import metrics

    at = _now()
    found, rules = _read(asking, at)
    metrics.write(file, found, rules, at)


def _list_fields() -> None:
    from fleet import screen
    from fleet.account.filters.fields import FIELDS
    from provision.screen import table, text

    grid = table("FIELD", "VALUE", "MEANING")
    for field in FIELDS.values():
        grid.add_row(text(field.name), text(", ".join(field.words) or field.kind.value), text(field.meaning))
    screen.show(grid)
