"""``fleet roster``: lists of students, as schools send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import options_of, to_read, to_write
from fleet.home import Home, Options, home_of

if TYPE_CHECKING:
    from fleet.account.roster.read import Request
    from fleet.account.roster.schools import Schools
    from fleet.account.roster.taking_over import Report

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def roster() -> None:
    """Take over lists of students, as schools send them: CSV or XLSX, in English, Vietnamese or Chinese.

    Example: fleet roster import students.xlsx
    """


@roster.command("import")
@click.argument("file", type=_FILE)
@click.option("--school", metavar="CODE", help="All students of the file are at this school.")
@click.option("--source", metavar="NAME", default="roster", show_default=True, help="Whose list it is.")
@click.option(
    "--region", metavar="VN", help="Where phone and ID numbers are from, if not as the header's language says."
)
@click.option(
    "--dates", type=click.Choice(["day", "month"]), help="What stands first in dates, if it is guessed wrong."
)
@click.option("--encoding", metavar="NAME", help="Of a CSV file, if it is guessed wrong.")
@click.option("--rejects", type=_FILE, help="Write refused rows to this CSV, to be corrected and imported again.")
@click.option("--apply", is_flag=True, help="Change what is shown, all of it or nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    school: str | None,
    source: str,
    region: str | None,
    dates: str | None,
    encoding: str | None,
    rejects: Path | None,
    apply: bool,
    as_json: bool,
) -> None:
    """Say what a list of students changes, row by row what is refused and why; with --apply, change it.

    Importing the same list again changes nothing. Nobody is removed because a list does not name them. Exit code 1:
    rows were refused; with --apply the others were taken.

    Example: fleet roster import students.xlsx --rejects refused.csv
    """
    import gc
    from datetime import UTC, datetime

    from fleet.account.people.dates import Order
    from fleet.account.people.phones import known_region
    from fleet.account.roster.read import Request

    if region and not known_region(region := region.upper()):
        raise click.UsageError(f"There is no region {region!r}: two letters, such as VN or CN.")
    options = options_of(ctx)
    home = home_of(options)
    gc.disable()  # a million rows are no garbage: looking for it takes a fifth of the time
    request = Request(
        file=file,
        today=datetime.now(UTC).date(),
        school=school or "",
        region=region or "",
        encoding=encoding or "",
        first=Order(dates) if dates else None,
        spool=home.path if home.path.is_dir() else None,
    )
    found = _import(options, home, request, source, rejects, apply)
    _say(found, apply, as_json)
    ctx.exit(1 if found.refused else 0)


def _import(options: Options, home: Home, request: Request, source: str, rejects: Path | None, apply: bool) -> Report:
    from fleet.account.people.vault import passing_vault, the_vault
    from fleet.account.roster.read import gathered
    from fleet.account.roster.rejects import write
    from fleet.account.roster.taking_over import applied, planned
    from fleet.db import snapshot, transaction

    if not apply:
        with to_read(options) as conn:
            keys = passing_vault(home, conn)
            request, schools = _at_school(conn, request)
            with gathered(request, keys, schools) as found:
                report = planned(conn, keys, found, schools, source)
                if rejects:
                    write(rejects, request.file, request.encoding, found, report.refused)
                return report
    with to_write(options) as registry:
        with snapshot(registry.engine) as conn:
            keys = the_vault(home, conn)
            request, schools = _at_school(conn, request)
        with gathered(request, keys, schools) as found:
            with transaction(registry.engine) as conn:
                report = applied(conn, registry.ledger, keys, found, schools, source)
            if rejects:
                write(rejects, request.file, request.encoding, found, report.refused)
            return report


def _at_school(conn: Any, request: Request) -> tuple[Request, Schools]:
    from dataclasses import replace

    from fleet.account.custody import places
    from fleet.account.roster.schools import Schools, only

    known = places.listed(conn)
    if request.school:
        request = replace(request, school=only(known, request.school))
    return request, Schools(known)


def _say(found: Report, applied: bool, as_json: bool) -> None:
    if not as_json:
        from fleet import screen
        from fleet.account.roster.screen import report

        screen.show(*report(found, applied))
        return
    from provision.progress import now

    for fields in _lines(found, applied):
        click.echo(json.dumps({"v": 1, "at": now(), **fields}, ensure_ascii=False))


def _lines(found: Report, applied: bool) -> list[dict[str, Any]]:
    from fleet.account.people.pseudonyms import shown

    lines: list[dict[str, Any]] = [
        {
            "event": "sheet",
            "sheet": one.sheet,
            "header": one.columns.row,
            "columns": one.columns.names(),
            "unknown": list(one.columns.unknown),
            "region": one.region,
            "dates": str(one.first),
        }
        for one in found.tables
    ]
    lines += [
        {"event": "refused", "sheet": found.sheets[one.sheet], "row": one.row, "column": one.column, "why": one.why}
        for one in found.refused
    ]
    lines += [
        {"event": "note", "sheet": found.sheets[one.sheet], "row": one.row, "column": one.column, "what": one.what}
        for one in found.notes
    ]
    lines += [
        {"event": "school", "place": one.place, "name": one.name, "area": one.area, "near": one.near.strip()}
        for one in found.schools
    ]
    lines.append(
        {
            "event": "roster",
            "applied": applied,
            "source": found.source,
            "encoding": found.encoding,
            "unread": list(found.unread),
            "new": found.new,
            "changed": found.changed,
            "unchanged": found.unchanged,
            "back": found.back,
            "left": found.left,
            "refused": len(found.refused),
            "others": found.others,
            "notes": sum(found.note_counts.values()),
            "schools": len(found.schools),
            "crowds": found.crowds,
            "crowded": found.crowded,
            "missing": found.missing_count,
            "missing_students": [shown(student) for student in found.missing],
        }
    )
    return lines
