"""Reports: what the bench did, from what it wrote down while it worked. They change nothing and ask no device."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from fleet.commands import json_line, options_of


@click.group()
def report() -> None:
    """Say what was done, and how fast.

    Example: fleet report bench --since today
    """


@report.command()
@click.option("--since", metavar="DATE", help="From the beginning of this day on: 2026-11-22, or today. Local time.")
@click.option("--left", metavar="N", type=click.IntRange(min=0), help="Say when so many more units will be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
@click.pass_context
def bench(ctx: click.Context, since: str | None, left: int | None, as_json: bool) -> None:
    """Show units per hour, when the rest will be done, slow steps by model, ports, and reasons of failures.

    It reads the logs that runs leave in the home folder. A gap of more than 15 minutes in which nothing happens on the
    bench is no working time.

    Example: fleet report bench --since today --left 40
    """
    from dataclasses import asdict

    from fleet import report_screen, run_logs, screen
    from fleet.bench_report import report
    from fleet.home import home_of
    from provision import pace

    now = datetime.now(UTC)
    begin = _day(since, now) if since else None
    skipped = run_logs.Skipped()
    home = home_of(options_of(ctx))
    found = report(run_logs.logs(home.path / "runs", begin, now, skipped))
    end = None if left is None else pace.finish(left, found.per_hour, now)
    if as_json:
        line = {"since": begin.isoformat() if begin else None, "left": left, "finish": end.isoformat() if end else None}
        json_line("bench_report", {**asdict(found), **line, "skipped": vars(skipped)})
    else:
        screen.show(*report_screen.bench(found, left, end.astimezone() if end else None, skipped))


def _day(text: str, now: datetime) -> datetime:
    """The local midnight at which that day begins."""
    try:
        day = now.astimezone() if text == "today" else datetime.fromisoformat(text)
        return datetime(day.year, day.month, day.day).astimezone()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{text!r} is no day: write 2026-11-22, or today.", param_hint="--since") from None
