"""``fleet balance``: whether received is the sum of all places."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from fleet.account.custody.balance import TRANSIT_DAYS
from fleet.commands import json_line, options_of, to_read


@click.command()
@click.option("--place", "code", metavar="PLACE", help="Of the units that ever lay there: where they are.")
@click.option("--on", "day", metavar="DATE", help="As it was at the end of this day, such as 2026-03-31. Local time.")
@click.option(
    "--transit-days",
    "days",
    metavar="N",
    type=click.IntRange(0, 3660),
    default=TRANSIT_DAYS,
    show_default=True,
    help="How long a unit may be on its way.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
@click.pass_context
def balance(ctx: click.Context, code: str | None, day: str | None, days: int, as_json: bool) -> None:
    """Show that what was received is the sum of all places, and first of all what is not explained.

    Example: fleet balance --place LE-LOI --on 2026-03-31
    """
    from fleet.account.custody import losses, places
    from fleet.account.custody.balance import balance as read
    from provision.progress import now

    options, at = options_of(ctx), now()
    until = _end_of(day) if day else None
    with to_read(options) as conn:
        place = places.the(conn, code).place if code else ""
        found = read(conn, at, until=until, place=place, days=days)
        repeats, faults = (losses.repeats(conn), losses.above(conn)) if not code and not day else ((), ())
    if as_json:
        line = {"on": day, "transit_days": days, "by_state": found.by_state, **asdict(found)}
        more = {"repeated_losses": len(repeats), "faults_above": len(faults)}
        json_line("balance", {**line, **more})
    else:
        from fleet import screen
        from fleet.account.custody import balance_screen

        screen.show(*balance_screen.balance(found, days, len(repeats), len(faults)))


def _end_of(day: str) -> str:
    """The moment at which that local day ends, as records have it."""
    try:
        moment = (datetime.strptime(day, "%Y-%m-%d") + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{day!r} is no day: write 2026-03-31.", param_hint="--on") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
