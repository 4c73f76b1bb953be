"""Reports of the account: one per level, the distribution table, a teacher's visits. They change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_read, to_write
from fleet.report_commands import report

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.account.programme.gaps import Gap

__all__ = ["report"]

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
_Command = Callable[..., None]


def _trace(command: _Command) -> _Command:
    words = "Instead: the keys of the records that this figure counts, one per line."
    return click.option("--trace", metavar="FIGURE", help=words)(command)


@report.command()
@_trace
@_json
@click.pass_context
def programme(ctx: click.Context, trace: str | None, as_json: bool) -> None:
    """Report of the whole programme, area by area. No names.

    Example: fleet report programme --trace never_seen
    """
    _level(ctx, "programme", "", trace, as_json)


@report.command()
@click.argument("area", metavar="A")
@_trace
@_json
@click.pass_context
def area(ctx: click.Context, area: str, trace: str | None, as_json: bool) -> None:
    """Report of area A, school by school: its open problems, and how old they are. No names.

    Example: fleet report area "U Minh"
    """
    _level(ctx, "area", area, trace, as_json)


@report.command()
@click.argument("school", metavar="S")
@_trace
@_json
@click.pass_context
def school(ctx: click.Context, school: str, trace: str | None, as_json: bool) -> None:
    """Report of school S, class by class. For the list with names: fleet gaps --school S --names WHY.

    Example: fleet report school LE-LOI
    """
    _level(ctx, "school", school, trace, as_json)


def _level(ctx: click.Context, level: str, key: str, figure: str | None, as_json: bool) -> None:
    from fleet.account.reports import levels as report_levels
    from provision.progress import now

    at = now()
    with to_read(options_of(ctx)) as conn:
        if figure is not None:
            for record in report_levels.trace(conn, level, key, figure, at):
                _record(record, figure, as_json)
            return
        found = report_levels.report(conn, level, key, at)
    if as_json:
        json_line("report", asdict(found), at)
    else:
        from fleet import screen
        from fleet.account.reports import screen as report_account_screen

        screen.show(*report_account_screen.level(found))


def _record(record: str, figure: str, as_json: bool) -> None:
    from provision.text import printable

    if as_json:
        json_line("trace", {"figure": figure, "record": record})
    else:
        click.echo(printable(record))


@report.command()
@click.option(
    "--by",
    default="school",
    show_default=True,
    metavar="WORD[,WORD]",
    help="school, stage, status or category, or two of these crossed: school,stage.",
)
@click.option("--since", metavar="DATE", help="What changed since the beginning of this day, local time: 2021-10-01.")
@_json
@click.pass_context
def table(ctx: click.Context, by: str, since: str | None, as_json: bool) -> None:
    """Students by school, stage, status or category: enrolled, left, with a device, served; and what changed since.

    Examples: fleet report table --by stage --since 2021-10-01 · fleet report table --by school,stage
    """
    from fleet.account.reports import table as report_table
    from provision.progress import now

    at = now()
    begin = _day(since) if since else ""
    with to_read(options_of(ctx)) as conn:
        found = report_table.table(conn, _crossed(by, tuple(report_table.COLUMNS)), at, begin)
    if as_json:
        for row in found.rows:
            json_line("table", {"by": ",".join(found.by), "since": begin, **asdict(row)}, at)
    else:
        from fleet import screen
        from fleet.account.reports import screen as report_account_screen

        screen.show(*report_account_screen.distribution(found))


def _crossed(by: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """What a table is by. UsageError."""
    from profiles.errors import meant

    words = tuple(word.strip().lower() for word in by.split(","))
    for word in words:
        if word not in known:
            raise click.UsageError(f"--by {word!r} is none of {', '.join(known)}{meant(word, known)}.")
    if len(words) > 2 or len({*words}) < len(words):
        raise click.UsageError("--by takes one word, or two different ones with a comma between them: school,stage.")
    return words


@report.command()
@click.option("--teacher", required=True, metavar="T", help="Whose students, as the roster has it.")
@click.option("--names", metavar="WHY", help="Names instead of keys. Who saw them, and why, is recorded.")
@_json
@click.pass_context
def visits(ctx: click.Context, teacher: str, names: str | None, as_json: bool) -> None:
    """A teacher's own list: every student of theirs who is not served, and all that is wrong at each home.

    Example: fleet report visits --teacher T-12 --names "visits this week"
    """
    if names is not None and not names.strip():
        raise click.UsageError("--names wants the reason for which names are shown.")
    number, found, known = _to_visit(ctx, teacher, names)
    if not as_json:
        from fleet import screen
        from fleet.account.reports import screen as report_account_screen

        screen.show(*report_account_screen.visits(teacher, number, found, known))
        return
    for one in found:
        name = {"name": known[one.student]} if one.student in known else {}
        json_line("gap", {**asdict(one), "first": one.first, **name})
    json_line("summary", {"teacher": teacher, "students": number, "visits": len(found)})


def _to_visit(ctx: click.Context, teacher: str, why: str | None) -> tuple[int, list[Gap], dict[str, str]]:
    from fleet.account.programme.gaps_names import names
    from fleet.db import transaction

    if why is None:
        with to_read(options_of(ctx)) as conn:
            return *_of_teacher(conn, teacher), {}
    opened = to_write(options_of(ctx))
    with opened as registry, transaction(registry.engine) as conn:
        number, found = _of_teacher(conn, teacher)
        return number, found, names(conn, registry, [one.student for one in found], why)


def _of_teacher(conn: Connection, teacher: str) -> tuple[int, list[Gap]]:
    from fleet.account.programme.gaps import listed
    from fleet.account.programme.in_force import current
    from fleet.account.programme.scope import Scope, enrolled
    from provision.progress import now

    scope = Scope(teacher=teacher)
    return enrolled(conn, scope), list(listed(conn, current(conn), now(), scope))


def _day(text: str) -> str:
    """The local midnight at which that day begins, as records write it."""
    try:
        day = datetime.fromisoformat(text)
        begin = datetime(day.year, day.month, day.day).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{text!r} is no day: write 2021-10-01.", param_hint="--since") from None
    return begin.isoformat(timespec="milliseconds").replace("+00:00", "Z")
