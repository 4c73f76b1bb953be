"""``fleet label``, and the register of ``fleet hand-over --sheet``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of, to_write

if TYPE_CHECKING:
    from fleet.account.paper.fonts import Fonts
    from fleet.units import Registry

_KINDS = ("device", "sim", "charger", "box")
_font = click.option(
    "--font",
    "own_fonts",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A font (.ttf) to use before those of this computer.",
)
_out = click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="The PDF to write."
)
_lang = click.option("--lang", type=click.Choice(["en", "zh", "vi"]), help="Language of the texts; by the locale.")
_call = click.option("--call", "contact", default="", metavar="TEXT", help="Whom to call when something is wrong.")


@click.command()
@click.argument("names", nargs=-1, metavar="[TAG-OR-SERIAL]...")
@click.option("--new", type=click.IntRange(1, 10_000), metavar="N", help="Labels with N tags that no unit has yet.")
@click.option("--prefix", metavar="PREFIX", help="What the new tags begin with: PREFIX-0001, …")
@click.option(
    "--what", "kinds", multiple=True, type=click.Choice(_KINDS), help="What to label, several times; else the device."
)
@click.option("--on", "layout", default="a4-24", show_default=True, metavar="SHEET", help="Sheet or roll; see below.")
@click.option("--skip", type=click.IntRange(0, 200), default=0, help="Labels of the first sheet that are used up.")
@_call
@_lang
@_font
@_out
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.pass_context
def label(
    ctx: click.Context,
    names: Sequence[str],
    new: int | None,
    prefix: str | None,
    kinds: Sequence[str],
    layout: str,
    skip: int,
    contact: str,
    lang: str | None,
    own_fonts: Sequence[Path],
    out: Path,
    as_json: bool,
) -> None:
    """Print labels for devices, SIMs, chargers and boxes: a QR code for fleet scan, and text.

    Name units (A-0001..A-0040 for many), or pass --new with --prefix for labels that are stuck on at receiving: their
    numbers are never given to another unit. Sheets and rolls: a4-65, a4-40, a4-24, roll-62, roll-40.

    Example: fleet label --new 48 --prefix HN --what device --what charger --call "0912 345 678" --out labels.pdf
    """
    from datetime import UTC, datetime

    from fleet.account.paper import labels
    from fleet.account.paper.layouts import layouts
    from fleet.account.paper.words import Words
    from profiles.errors import meant

    if bool(names) == bool(new) or bool(new) != bool(prefix):
        raise click.UsageError("Name units, or pass --new N and --prefix PREFIX.")
    if layout not in layouts():
        raise click.UsageError(
            f"No sheet is called {layout!r}{meant(layout, layouts())}. Known: {', '.join(layouts())}."
        )
    words, chosen = Words(lang or _language()), tuple(kinds) or ("device",)
    fonts = _fonts(own_fonts)
    with _registry(ctx) as registry:
        if new and prefix:
            found = labels.of_new(registry, prefix, new, chosen, contact, words)
        else:
            found = labels.of_units(registry, names, chosen, contact, words)
    _write(out, labels.pdf(found, layouts()[layout], fonts, datetime.now(UTC), skip))
    first, last = (found[0].title, found[-1].title) if found else ("", "")
    _told(as_json, "labels", {"file": str(out), "labels": len(found), "first": first, "last": last})
    if not as_json:
        click.echo(f"{len(found)} labels, {first} to {last}, are in {out}." if found else f"{out} is empty: no SIMs.")


def sheet(
    ctx: click.Context, asked: str, pieces: Sequence[str], contact: str, why: str, out: Path, lang: str | None
) -> int:
    """Write the register of ``SCHOOL/CLASS``; how many students are on it."""
    from datetime import UTC, datetime

    from fleet.account.paper import register
    from fleet.account.paper.words import Words

    school, slash, group = asked.partition("/")
    if not slash or not school.strip() or not group.strip():
        raise click.UsageError(f"Write the class as SCHOOL/CLASS, such as LE-LOI/3A, not {asked!r}.")
    fonts = _fonts(())
    with _registry(ctx) as registry:
        place = register.the_school(registry, school)
        rows = register.lines(registry, place, group.strip(), why)
    told = register.Register(place, group.strip(), tuple(pieces), contact)
    _write(out, register.pdf(rows, told, Words(lang or _language()), fonts, datetime.now(UTC)), private=True)
    return len(rows)


def _fonts(own: Sequence[Path]) -> Fonts:
    from fleet.account.paper.fonts import find

    return find(own)


def _language() -> str:
    from provision.intake_words import language_of

    return language_of(os.environ)


def _write(out: Path, data: bytes, *, private: bool = False) -> None:
    """Whole or not at all; ``private`` for its owner only."""
    from fleet.account.sheets.csv_out import replaceable
    from fleet.errors import FileError

    target = replaceable(out)
    beside = target.with_name(f".{target.name}.part")
    try:
        beside.touch(0o600 if private else 0o644)
        beside.write_bytes(data)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FileError(f"{out} cannot be written: {error.strerror}.", "Name another file with --out.") from error


def _told(as_json: bool, event: str, fields: dict[str, Any]) -> None:

    if as_json:
        json_line(event, fields)


@contextmanager
def _registry(ctx: click.Context) -> Iterator[Registry]:

    with to_write(options_of(ctx)) as registry:
        yield registry
