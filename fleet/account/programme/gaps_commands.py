"""``fleet gaps``: who is not served, and why."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_read, to_write

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.account.programme.gaps import Gap
    from fleet.account.programme.scope import Scope

_BY = click.Choice(["school", "area", "category", "reason", "online"])


@click.command()
@click.option("--by", type=_BY, help="Counts instead of the list.")
@click.option("--school", default="", metavar="S", help="Only this school, by class.")
@click.option("--area", default="", metavar="A", help="Only this area.")
@click.option("--category", default="", metavar="C", help="Only this category.")
@click.option("--reason", default="", metavar="R", help="Only students to whom this applies: no_device, never_seen, …")
@click.option("--two", is_flag=True, help="Instead: who has more devices than are due.")
@click.option("--same-hour", is_flag=True, help="Instead: households that share one device in lessons at one hour.")
@click.option("--page", type=click.IntRange(min=1), metavar="N", help="This page of the list; 1 where none is named.")
@click.option("--all", "is_all", is_flag=True, help="With --json: the whole list, not a page of it.")
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
    same_hour: bool,
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
    from fleet.account.programme.scope import Scope

    scope = Scope(school.strip().upper(), area, category, reason=_reason(reason))
    instead = [word for word, said in {"--by": by, "--two": two, "--same-hour": same_hour}.items() if said]
    _consistent(scope, instead, names=names, paged=page is not None)
    if (is_all and (page is not None or instead or not as_json)) or (as_csv and (as_json or two or same_hour)):
        raise click.UsageError("--all goes with --json, and with no page; --csv with the list and with --by.")
    out = _Out(page, page is None and (is_all or as_csv), as_csv, as_json)
    if two or same_hour:
        _shares(ctx, scope, two=two, as_json=as_json)
    elif by:
        _counts(ctx, by, scope, as_csv, as_json)
    elif names is not None:
        _named(ctx, scope, names, out)
    else:
        with to_read(options_of(ctx)) as conn:
            if not (_there(conn, scope) or as_csv or as_json):
                click.echo(_NOBODY)
                return
            with closing(_found(conn, scope)) as found:  # also when nobody reads the list to its end
                _list(found, out, {})


_NOBODY = "No student is enrolled."


@dataclass(frozen=True)
class _Out:
    """``page`` ``None``: the first. ``is_whole``: no page, but all."""

    page: int | None
    is_whole: bool
    as_csv: bool
    as_json: bool


def _consistent(scope: Scope, instead: list[str], *, names: str | None, paged: bool) -> None:
    """``instead``: what is asked for in the place of the list."""
    if names is not None and (not scope.school or instead):
        raise click.UsageError("--names belongs to the list of one school: say --school, too.")
    if names is not None and not names.strip():
        raise click.UsageError("--names wants the reason for which names are shown.")
    if len(instead) > 1 or (instead and paged):
        raise click.UsageError("--by, --two, --same-hour and --page do not go together.")
    if instead and scope.reason:
        raise click.UsageError("--reason belongs to the list.")


def _reason(name: str) -> str:
    from fleet.account.programme.gaps_sql import REASONS
    from profiles.errors import meant

    if name and name not in REASONS:
        raise click.UsageError(f'"{name}" is no reason{meant(name, REASONS)}. Known are: {", ".join(REASONS)}.')
    return name


def _there(conn: Connection, scope: Scope) -> bool:
    """Whether anybody is enrolled in ``scope``. AccountError for a school, area or category that nobody is of."""
    from dataclasses import replace

    from fleet.account.programme.scope import Scope, anybody, unknown

    if anybody(conn, replace(scope, reason="")):
        return True
    if scope != Scope(reason=scope.reason):
        raise unknown(conn, scope)
    return False


def _found(conn: Connection, scope: Scope) -> Generator[Gap]:
    from fleet.account.programme.gaps import listed
    from fleet.account.programme.in_force import current
    from provision.progress import now

    return listed(conn, current(conn), now(), scope)


def _list(found: Iterator[Gap], out: _Out, names: Mapping[str, str]) -> None:
    """``names`` by student; empty where none are shown."""
    from fleet.account.programme.gaps import PAGE

    if out.is_whole:
        _write_all(found, out, names)
        return
    number = out.page or 1
    rows = list(islice(found, (number - 1) * PAGE, number * PAGE + 1))
    shown, more = rows[:PAGE], len(rows) > PAGE
    if out.as_csv or out.as_json:
        _write_all(iter(shown), out, names)
        if out.as_json:
            json_line("page", {"page": number, "more": more})
        return
    from fleet import screen
    from fleet.account.programme import gaps_screen

    screen.show(*gaps_screen.listed(shown, number, more=more, names=names))


def _write_all(found: Iterator[Gap], out: _Out, names: Mapping[str, str]) -> None:
    if out.as_csv:
        _write_csv(_HEAD, (_cells(one, names) for one in found))
        return
    for one in found:
        name = {"name": names[one.student]} if one.student in names else {}
        json_line("gap", {**asdict(one), "first": one.first, **name})


def _named(ctx: click.Context, scope: Scope, why: str, out: _Out) -> None:
    """Names are read from the vault, each with its event, before any of them is shown."""
    from fleet.account.programme.gaps import PAGE
    from fleet.account.programme.gaps_names import names
    from fleet.db import transaction

    opened = to_write(options_of(ctx))
    with opened as registry, transaction(registry.engine) as conn:
        _there(conn, scope)
        end = None if out.is_whole else (out.page or 1) * PAGE
        rows = list(islice(_found(conn, scope), None if end is None else end + 1))
        shown = rows if end is None else rows[end - PAGE : end]
        known = names(conn, registry, [one.student for one in shown], why)
    _list(iter(rows), out, known)


def _counts(ctx: click.Context, by: str, scope: Scope, as_csv: bool, as_json: bool) -> None:
    from fleet import screen
    from fleet.account.programme import gaps_screen
    from fleet.account.programme.gaps_counts import counted
    from fleet.account.programme.gaps_sql import REASONS
    from fleet.account.programme.in_force import current
    from provision.progress import now

    with to_read(options_of(ctx)) as conn:
        somebody = _there(conn, scope)
        found = counted(conn, current(conn), now(), by, scope)
    if as_json:
        for row in found:
            first = {name: row.first.get(name, 0) for name in REASONS}
            json_line("gaps", {"by": by, **asdict(row), "first": first})
    elif as_csv:
        families = by == "online"
        head = (by, *(["families"] if families else []), "enrolled", "not served", *REASONS)
        numbers = ([r.families] if families else [] for r in found)
        why = ([r.first.get(name, 0) for name in REASONS] for r in found)
        rows = ([r.key, *n, r.enrolled, r.unserved, *w] for r, n, w in zip(found, numbers, why, strict=True))
        _write_csv(head, rows)
    elif somebody:
        screen.show(*gaps_screen.counts(found, by))
    else:
        click.echo(_NOBODY)


def _shares(ctx: click.Context, scope: Scope, *, two: bool, as_json: bool) -> None:
    from fleet import screen
    from fleet.account.programme import gaps_screen, gaps_shares
    from fleet.account.programme.in_force import current

    with to_read(options_of(ctx)) as conn:
        found = (gaps_shares.doubles if two else gaps_shares.same_hour)(conn, current(conn), scope)
    if as_json:
        for one in found:
            json_line("double" if two else "same_hour", asdict(one))
        return
    none = "Nobody has more devices than are due." if two else "No household shares a device in lessons at one hour."
    screen.show(*gaps_screen.shares(found, none))


_HEAD = ("student", "school", "class", "grade", "area", "category", "teacher", "unit", "place", "why", "also", "since")


def _cells(one: Gap, names: Mapping[str, str]) -> list[object]:
    from fleet.account.people.pseudonyms import shown as pseudonym

    who = names.get(one.student) or pseudonym(one.student)
    also = "; ".join(one.told(name) for name in list(one.reasons)[1:])
    about = (one.school, one.class_name, one.grade, one.area, one.category, one.teacher, one.unit, one.place)
    return [who, *about, one.told(one.first), also, one.reasons[one.first][:10]]


def _write_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from fleet.account.sheets import csv_out

    csv_out.write(sys.stdout, head, rows)
