"""``fleet assign`` and ``fleet unassign``: which unit is meant for which student."""

from __future__ import annotations

from dataclasses import asdict

import click

from fleet.commands import json_line, options_of, to_read, to_write

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")


@click.command()
@click.argument("unit", metavar="[TAG", required=False)
@click.argument("student", metavar="STUDENT]", required=False)
@click.option(
    "--auto", "is_auto", is_flag=True, help="Match all that is ready to all who are due; say what would be done."
)
@click.option("--apply", "is_applied", is_flag=True, help="With --auto: do it.")
@click.option("--place", default="", metavar="P", help="With --auto or --why: only units that lie there.")
@click.option("--why", "asked", metavar="STUDENT", help="Say why this student is given one now, or why not yet.")
@click.option("--allow", default="", metavar="REASON", help="Against the guards; the reason is recorded.")
@_json
@click.pass_context
def assign(
    ctx: click.Context,
    unit: str | None,
    student: str | None,
    is_auto: bool,
    is_applied: bool,
    place: str,
    asked: str | None,
    allow: str,
    as_json: bool,
) -> None:
    """Say which unit is meant for which student: TAG STUDENT by hand, or --auto by the programme's order.

    --auto shows what would be done; with --apply it is done, and doing it again does nothing. The order and its ties
    are the same every time (docs/programme.md).

    Examples: fleet assign A-0001 S-7K3MX2A9Q · fleet assign --auto --place STORE · fleet assign --why S-7K3MX2A9Q
    """
    by_hand = unit is not None
    if sum((by_hand, is_auto, asked is not None)) != 1:
        raise click.UsageError("Say one of: TAG STUDENT, --auto, --why STUDENT.")
    if is_applied and not is_auto:
        raise click.UsageError("--apply belongs to --auto; by hand it is done at once.")
    if asked is not None:
        _why(ctx, asked, place, as_json)
    elif is_auto:
        _auto(ctx, place, is_applied, as_json)
    elif unit is not None and student is not None:
        _by_hand(ctx, unit, student, allow, as_json)
    else:
        raise click.UsageError("Say whose it shall be, too: fleet assign TAG STUDENT.")


@click.command()
@click.argument("unit", metavar="TAG")
@click.option("--why", default="", metavar="REASON", help="Why, for the record.")
@_json
@click.pass_context
def unassign(ctx: click.Context, unit: str, why: str, as_json: bool) -> None:
    """Take an assignment back. The unit stays where it is, and is ready for somebody else.

    Example: fleet unassign A-0001 --why "moved to another county"
    """
    from fleet.account.assign import by_hand as assign_hand
    from fleet.account.people.pseudonyms import shown as pseudonym
    from provision.text import printable

    with to_write(options_of(ctx)) as registry:
        was, shown = assign_hand.unassign(registry, unit, why)
    if as_json:
        json_line("unassigned", {"unit": shown, "student": was})
    else:
        click.echo(f"{printable(shown)} was meant for {pseudonym(was)}, and is nobody's now.")


def _auto(ctx: click.Context, place: str, is_applied: bool, as_json: bool) -> None:
    from fleet import screen
    from fleet.account.assign import matching as assigning
    from fleet.account.assign import screen as assign_screen
    from fleet.account.programme.in_force import current
    from fleet.account.status.unfit import unfit as unfit_units
    from fleet.home import home_of
    from provision.progress import now

    options = options_of(ctx)
    home = home_of(options)
    if is_applied:
        with to_write(options) as registry:
            found = assigning.auto(registry, _today(), place)
    else:
        with to_read(options) as conn:
            unfit = unfit_units(conn, home, now())
            found = assigning.plan(conn, current(conn), _today(), home.ignored(), unfit, place)
    if not as_json:
        screen.show(*assign_screen.plan(found, done=is_applied))
        return
    for match in found.matches:
        json_line("assign", {**asdict(match), "applied": is_applied})
    for kept in found.unfit:
        json_line("unfit", asdict(kept))
    counts = {"ready": found.ready, "assigned": len(found.matches), "due": found.due, "without": found.without}
    json_line("summary", {**counts, "unfit": len(found.unfit), "applied": is_applied})


def _why(ctx: click.Context, student: str, place: str, as_json: bool) -> None:
    from fleet import screen
    from fleet.account.assign import screen as assign_screen
    from fleet.account.assign import why as assign_why
    from fleet.account.custody import places
    from fleet.account.status.unfit import unfit
    from fleet.home import home_of
    from provision.progress import now

    options = options_of(ctx)
    home = home_of(options)
    with to_read(options) as conn:
        there = places.the(conn, place).place if place else ""
        found = assign_why.why(conn, student, _today(), home.ignored(), unfit(conn, home, now()), there)
    if as_json:
        json_line("assign_why", asdict(found))
    else:
        screen.show(*assign_screen.why(found))


def _by_hand(ctx: click.Context, unit: str, student: str, allow: str, as_json: bool) -> None:
    from fleet import screen
    from fleet.account.assign import by_hand as assign_hand
    from fleet.account.assign import screen as assign_screen

    with to_write(options_of(ctx)) as registry:
        found = assign_hand.assign(registry, unit, student, _today(), allow)
    if as_json:
        json_line("assigned", asdict(found))
    else:
        screen.show(*assign_screen.assigned(found))


def _today() -> str:
    """The day by this computer's clock: phases begin on local days."""
    from datetime import datetime

    return datetime.now().astimezone().date().isoformat()
