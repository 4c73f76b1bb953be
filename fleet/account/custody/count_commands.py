"""``fleet count``: what really lies at a place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_write

if TYPE_CHECKING:
    from fleet.account.custody.count import Count


@click.command()
@click.argument("place")
@click.argument("names", nargs=-1, metavar="[TAG-OR-SERIAL]...")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="What was scanned, one per line; - reads standard input.",
)
@click.option("--apply", is_flag=True, help="Write the count down; without it only what differs is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
@click.pass_context
def count(
    ctx: click.Context, place: str, names: tuple[str, ...], file: Path | None, apply: bool, as_json: bool
) -> None:
    """Compare what was scanned at a place with what is recorded there. Nothing is moved by it.

    With a scanner at the prompt: fleet scan --mode count --place PLACE. Exit 1 when anything differs.

    Example: fleet count LE-LOI --file scanned.txt --apply
    """
    from fleet.account.custody.count import count as compare
    from fleet.account.custody.names import lines

    listed = [*names, *(lines(click.open_file(str(file), encoding="utf-8-sig").read()) if file else ())]
    if not names and file is None:
        raise click.UsageError("Say what was scanned: tags, or --file. An empty file counts an empty place.")
    with to_write(options_of(ctx)) as registry:
        found = compare(registry, place, listed, apply=apply)
    if as_json:
        _json_line(found)
    else:
        from fleet import screen
        from fleet.account.custody import count_screen

        screen.show(*count_screen.counted_place(found))
    ctx.exit(1 if found.missing or found.unexpected or found.unknown else 0)


def _json_line(found: Count) -> None:

    lists = {name: [asdict(held) for held in getattr(found, name)] for name in ("missing", "unexpected")}
    numbers = {name: getattr(found, name) for name in ("place", "expected", "found", "variance", "recorded")}
    line = {**numbers, **lists, "unknown": list(found.unknown)}
    json_line("count", line)
