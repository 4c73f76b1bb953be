"""``fleet gaps``: who is not served, and why."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click

from fleet.home import Options

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.account.gaps import Gap, Scope

_BY = click.Choice(["school", "area", "category", "reason"])


@click.command()
@click.option("--by", type=_BY, help="Counts instead of the list.")
@click.option("--school", default="", metavar="S", help="Only this school, by class.")
@click.option("--area", default="", metavar="A", help="Only this area.")
@click.option("--category", default="", metavar="C", help="Only this category.")
@click.option("--reason", default="", metavar="R", help="Only students to whom this applies: no_device, never_seen, …")
@click.option("--two", is_flag=True, help="Instead: who has more devices than are due.")
@click.option("--page", type=click.IntRange(min=1), metavar="N", help="This page of the list; 1 where none is named.")
@click.option("--all", "is_all", is_flag=True, help="The whole list, not a page of it.")
@click.option(
    "--names", metavar="WHY", help="With --school: names instead of keys. Who saw them, and why, is recorded."
)
@click.option(
    "--csv", "as_csv", is_flag=True, help="A table for spreadsheets, of the whole list where no page is named."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def gaps(
    ctx: click.Context,
    by: str | None,
    school: str,
    area: str,
    category: str,
    reason: str,
    two: bool,
    page: int | None,
    is_all: bool,
    names: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List every enrolled student who is not served, and why: the first reason that applies, then the others.

    The most urgent come first, by the programme's order; within a school by class.

    Examples: fleet gaps · fleet gaps --by area · fleet gaps --school LE-LOI --names "visit on Monday"
    """
    from fleet.account.gaps import Scope, anybody

    scope = Scope(_school(school), area, category, reason=_reason(reason))
    _consistent(scope, by=by, two=two, names=names, paged=page is not None, is_all=is_all)
    if two:
        _two(ctx, scope, as_json)
    elif by:
        _counts(ctx, by, scope, as_csv, as_json)
    elif names is not None:
        _named(ctx, scope, names, page, is_all or as_csv, as_csv, as_json)
    else:
        with _reading(ctx) as conn:
            if not anybody(conn, scope) and not (as_csv or as_json):
                click.echo("No student of that kind is enrolled.")
                return
            _list(_found(conn, scope), page, is_all or as_csv, as_csv, as_json, {})


def _consistent(scope: Scope, *, by: str | None, two: bool, names: str | None, paged: bool, is_all: bool) -> None:
    if names is not None and (not scope.school or by or two):
        raise click.UsageError("--names belongs to the list of one school: say --school, too.")
    if names is not None and not names.strip():
        raise click.UsageError("--names wants the reason for which names are shown.")
    if sum((by is not None, two, paged or is_all)) > 1 or (paged and is_all):
        raise click.UsageError("--by, --two, --page and --all do not go together.")
    if (by or two) and scope.reason:
        raise click.UsageError("--reason belongs to the list.")


def _school(name: str) -> str:
    return name.strip().upper()


def _reason(name: str) -> str:
    from fleet.account.gaps_sql import REASONS
    from profiles.errors import meant

    if name and name not in REASONS:
        raise click.UsageError(f'"{name}" is no reason{meant(name, REASONS)}. Known are: {", ".join(REASONS)}.')
    return name


def _found(conn: Connection, scope: Scope) -> Iterator[Gap]:
    from fleet.account.gaps import listed
    from fleet.account.programme import current
    from provision.progress import now

    return listed(conn, current(conn), now(), scope)


def _list(
    found: Iterator[Gap], page: int | None, is_all: bool, as_csv: bool, as_json: bool, names: dict[str, str]
) -> None:
    """``names`` by student; empty where none are shown."""
    from fleet.account.gaps import PAGE

    if is_all and page is None:
        _write_all(found, as_csv, as_json, names)
        return
    number = page or 1
    rows = list(islice(found, (number - 1) * PAGE, number * PAGE + 1))
    shown, more = rows[:PAGE], len(rows) > PAGE
    if as_csv or as_json:
        _write_all(iter(shown), as_csv, as_json, names)
        if as_json:
            _write("page", {"page": number, "more": more})
        return
    _show(shown, number, names, more=more)


def _write_all(found: Iterator[Gap], as_csv: bool, as_json: bool, names: dict[str, str]) -> None:
    if as_json:
        for one in found:
            name = {"name": names[one.student]} if one.student in names else {}
            _write("gap", {**asdict(one), "first": one.first, **name})
    elif as_csv:
        _write_csv(_HEAD, (_cells(one, names) for one in found))
    else:
        _show(list(found), 1, names, more=False)


def _show(rows: list[Gap], page: int, names: dict[str, str], *, more: bool) -> None:
    from fleet import screen
    from fleet.account import gaps_screen

    screen.show(*gaps_screen.listed(rows, page, more=more, names=names))


def _named(
    ctx: click.Context, scope: Scope, why: str, page: int | None, is_all: bool, as_csv: bool, as_json: bool
) -> None:
    """Names are read from the vault, each with its event, before any of them is shown."""
    from fleet.account.gaps import PAGE
    from fleet.account.gaps_names import names
    from fleet.db import transaction
    from fleet.home import home_of
    from fleet.units import open_registry

    options = _options(ctx)
    opened = open_registry(home_of(options), options.database, options.actor)
    with opened as registry, transaction(registry.engine) as conn:
        end = None if is_all and page is None else (page or 1) * PAGE
        rows = list(islice(_found(conn, scope), None if end is None else end + 1))
        shown = rows if end is None else rows[end - PAGE : end]
        known = names(conn, registry, [one.student for one in shown], why)
    _list(iter(rows), page, is_all, as_csv, as_json, known)


def _counts(ctx: click.Context, by: str, scope: Scope, as_csv: bool, as_json: bool) -> None:
    from fleet import screen
    from fleet.account import gaps_screen
    from fleet.account.gaps import counted
    from fleet.account.gaps_sql import REASONS
    from fleet.account.programme import current
    from provision.progress import now

    with _reading(ctx) as conn:
        found = counted(conn, current(conn), now(), by, scope)
    if as_json:
        for row in found:
            _write("gaps", {"by": by, **asdict(row)})
    elif as_csv:
        head = (by, "enrolled", "not served", *REASONS)
        _write_csv(head, ([r.key, r.enrolled, r.unserved, *(r.first.get(name, 0) for name in REASONS)] for r in found))
    else:
        screen.show(*gaps_screen.counts(found, by))


def _two(ctx: click.Context, scope: Scope, as_json: bool) -> None:
    from fleet import screen
    from fleet.account import gaps_screen
    from fleet.account.gaps import doubles
    from fleet.account.programme import current

    with _reading(ctx) as conn:
        found = doubles(conn, current(conn), scope)
    if as_json:
        for one in found:
            _write("double", asdict(one))
    else:
        screen.show(*gaps_screen.doubles(found))


_HEAD = ("student", "school", "class", "grade", "area", "category", "teacher", "unit", "place", "why", "also", "since")


def _cells(one: Gap, names: dict[str, str]) -> list[object]:
    from fleet.account.gaps_sql import REASONS
    from fleet.account.vault import shown as pseudonym

    who = names.get(one.student) or pseudonym(one.student)
    also = "; ".join(REASONS[name] for name in list(one.reasons)[1:])
    about = (one.school, one.class_name, one.grade, one.area, one.category, one.teacher, one.unit, one.place)
    return [who, *about, REASONS[one.first], also, one.reasons[one.first][:10]]


def _write_csv(head: tuple[str, ...], rows: Iterable[list[object]]) -> None:
    """Cells that a spreadsheet would run are written as text."""
    first: list[object] = list(head)
    for row in chain([first], rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow([_text(cell) for cell in row])
        click.echo(line.getvalue(), nl=False)


def _text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


@contextmanager
def _reading(ctx: click.Context) -> Iterator[Connection]:
    from fleet.db import database_of, reading
    from fleet.home import home_of

    options = _options(ctx)
    with reading(database_of(options.database, home_of(options))) as conn:
        yield conn


def _options(ctx: click.Context) -> Options:
    return ctx.find_object(Options) or Options()


def _write(event: str, fields: dict[str, Any]) -> None:
    from provision.progress import now

    click.echo(json.dumps({"v": 1, "event": event, "at": now(), **fields}))
