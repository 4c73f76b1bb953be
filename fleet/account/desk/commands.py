"""The steps of custody: where a unit goes, who takes it, what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of, to_write
from provision.text import printable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from fleet.account.custody.steps import Moved
    from fleet.account.desk.hand_over import HandedOver
    from fleet.units import Registry

_UNITS = "TAG-OR-SERIAL..."
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
_to = click.option("--to", "place", metavar="PLACE", required=True, help="Where it is then.")
_at = click.option("--at", "place", metavar="PLACE", required=True, help="Where it is now.")
_on = click.option("--on", metavar="DATE", default="", help="The day of it, if that was earlier: 2026-11-15.")
_names = click.argument("names", nargs=-1, metavar=_UNITS)
_file = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="More units, one per line; - reads standard input.",
)


def _units(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments of every step: which units, and --json."""
    return _names(_file(_json(click.pass_context(command))))


@click.command()
@_to
@_units
def move(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, place: str) -> None:
    """Say that units lie at another place now.

    Example: fleet move A-0001..A-0040 --to LE-LOI
    """
    _do(ctx, "move", names, file, as_json, {"place": place})


@click.command()
@_to
@_units
def send(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, place: str) -> None:
    """Say that units are on their way to a place.

    Example: fleet send A-0001..A-0040 --to LE-LOI
    """
    _do(ctx, "send", names, file, as_json, {"place": place})


@click.command()
@click.option("--at", "place", metavar="PLACE", help="Where, if not where they were sent.")
@_units
def arrive(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, place: str | None) -> None:
    """Say that units that were on their way have come.

    Example: fleet arrive A-0001..A-0040
    """
    _do(ctx, "arrive", names, file, as_json, {"place": place} if place else {})


@click.command()
@click.option("--search", required=True, help="Where it was searched for.")
@click.option("--evidence", required=True, help="What shows the loss, such as the number of a report. No names.")
@_units
def lost(
    ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, search: str, evidence: str
) -> None:
    """Say that units are lost, after they were searched for.

    Example: fleet lost A-0007 --search "classroom, home, bus" --evidence "police report 118/2026"
    """
    _do(ctx, "lose", names, file, as_json, {"search": search.strip(), "evidence": evidence.strip()})


@click.command()
@_at
@_units
def found(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, place: str) -> None:
    """Say that lost units are there again.

    Example: fleet found A-0007 --at LE-LOI
    """
    _do(ctx, "find", names, file, as_json, {"place": place})


@click.command()
@click.option("--to", "place", metavar="PLACE", required=True, help="Who repairs it.")
@click.option("--fault", metavar="WORD", required=True, help="What is wrong, such as screen or battery.")
@click.option("--note", default="", help="More of it. No names.")
@_units
def repair(
    ctx: click.Context,
    names: Sequence[str],
    file: Path | None,
    as_json: bool,
    place: str,
    fault: str,
    note: str,
) -> None:
    """Say that units go to be repaired. Who had one keeps the right to it.

    Example: fleet repair A-0007 --to WORKSHOP --fault screen
    """
    from fleet.account.custody.words import checked

    word = checked("faults", fault)
    _do(ctx, "repair", names, file, as_json, {"place": place, "fault": word, "why": word, "note": note})


@click.command()
@_to
@click.option("--done", required=True, help="What was done to it.")
@_units
def repaired(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, place: str, done: str) -> None:
    """Say that units are back from repair.

    Example: fleet repaired A-0007 --to STORE --done "new screen"
    """
    _do(ctx, "repaired", names, file, as_json, {"place": place, "done": done.strip(), "why": done.strip()})


@click.command()
@click.option("--why", required=True, help="Why.")
@_units
def retire(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, why: str) -> None:
    """Say that units are of no use any more. They are not brought back.

    Example: fleet retire A-0007 --why "mainboard broken"
    """
    _do(ctx, "retire", names, file, as_json, {"why": why.strip()})


@click.command("give-back")
@click.option("--why", required=True, help="Why.")
@_units
def give_back(ctx: click.Context, names: Sequence[str], file: Path | None, as_json: bool, why: str) -> None:
    """Say that units went back to their donor.

    Example: fleet give-back A-0007 --why "locked to an account"
    """
    _do(ctx, "give_back", names, file, as_json, {"why": why.strip()})


@click.command()
@click.argument("name", metavar="TAG-OR-SERIAL")
@click.argument("student")
@click.option("--why", metavar="WORD", required=True, help="Why, such as repair cost.")
@click.option("--note", default="", help="More of it. No names.")
@click.option("--at", "place", metavar="PLACE", help="Where the unit is now, if not where it was.")
@_json
@click.pass_context
def refused(ctx: click.Context, name: str, student: str, why: str, note: str, place: str | None, as_json: bool) -> None:
    """Say that a family did not take the unit, and why.

    Example: fleet refused A-0007 S-7K3M9PQ2R --why "repair cost"
    """
    from fleet.account.desk.hand_over import refuse

    with _open(ctx) as registry:
        _show(ctx, (refuse(registry, name, student, why, note.strip(), place),), as_json)


@click.command("hand-over")
@click.argument("name", metavar="[TAG-OR-SERIAL]", required=False)
@click.argument("student", metavar="[STUDENT]", required=False)
@click.option("--taken-by", metavar="ROLE", help="Who took it: guardian, student or teacher.")
@click.option("--kit", "pieces", metavar="PIECE=N", multiple=True, required=True, help="Each piece that was given.")
@click.option("--condition", metavar="WORD", help="What it looks like: new, good, worn, damaged.")
@click.option("--guardian-present", is_flag=True, help="A guardian was there.")
@click.option("--id", "ids", metavar="ROLE=1234", multiple=True, help="Whose paper was looked at; its last four only.")
@click.option("--allow", metavar="REASON", default="", help="Why, against the guards of an assignment.")
@_on
@click.option("--sheet", metavar="SCHOOL/CLASS", help="Print the register of a class instead, to be signed.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="With --sheet: the PDF to write.")
@click.option("--call", "contact", default="", metavar="TEXT", help="With --sheet: whom to call.")
@click.option("--lang", type=click.Choice(["en", "zh", "vi"]), help="With --sheet: the language; by the locale.")
@_json
@click.pass_context
def hand_over(
    ctx: click.Context,
    name: str | None,
    student: str | None,
    taken_by: str | None,
    pieces: tuple[str, ...],
    condition: str | None,
    guardian_present: bool,
    ids: tuple[str, ...],
    allow: str,
    on: str,
    sheet: str | None,
    out: Path | None,
    contact: str,
    lang: str | None,
    as_json: bool,
) -> None:
    """Record that a student's unit was accepted. Without this nothing counts as delivered.

    With --sheet it prints a register instead: a line and a code for every student of the class who is to get a unit,
    the kit by piece, a place to sign. It has names, and every name that is read is an event.

    Example: fleet hand-over A-0007 S-7K3M9PQ2R --taken-by guardian --kit device --kit charger=1 --condition good
    Example: fleet hand-over --sheet LE-LOI/3A --kit device --kit charger --call "0912 345 678" --out 3a.pdf
    """
    from fleet.account.custody import kit as custody_kit
    from fleet.account.desk.hand_over import Acceptance, ids_of
    from fleet.account.desk.hand_over import hand_over as accept

    kit = custody_kit.parse(pieces)
    if sheet:
        if name or not out:
            raise click.UsageError("With --sheet name no unit, and pass --out FILE.")
        _sheet(ctx, sheet, tuple(kit), contact, out, lang, as_json)
        return
    if not (name and student and taken_by and condition):
        raise click.UsageError("Name the unit and the student, and pass --taken-by and --condition.")
    accepted = Acceptance(taken_by, kit, condition, guardian_present, ids_of(ids), allow.strip(), on)
    with _open(ctx) as registry:
        done = accept(registry, name, student, accepted)
    _show(
        ctx,
        (done.moved,),
        as_json,
        {done.moved.key: {"kit": kit, "lacking": dict(done.lacking), "sims": [asdict(one) for one in done.sims]}},
    )
    if not as_json:
        _also(done)


def _sheet(
    ctx: click.Context, group: str, pieces: tuple[str, ...], contact: str, out: Path, lang: str | None, as_json: bool
) -> None:
    from fleet.account.paper.commands import sheet

    count = sheet(ctx, group, pieces, contact, "register of a hand-over", out, lang)
    if as_json:
        json_line("sheet", {"file": str(out), "students": count})
    else:
        click.echo(f"{count} students are on the register {out}. It has names: keep it locked up.")


def _also(done: HandedOver) -> None:
    """What else there is to a hand-over: what is lacking, and the data plans that begin."""
    from fleet.account.custody import kit as custody_kit
    from provision.text import local_time

    if done.lacking:
        click.echo(f"The programme gives more: {custody_kit.words(done.lacking)}.")
    for card in done.sims:
        end = f"its plan runs until {local_time(card.ends_at)}" if card.ends_at else "nobody said for how long"
        click.echo(f"SIM {card.iccid}: {end}{f'; {card.remark}' if card.remark else ''}.")


@click.command("return")
@_at
@click.option("--kit", "pieces", metavar="PIECE=N", multiple=True, help="Each piece that came back.")
@click.option("--complete", is_flag=True, help="All that went out came back.")
@click.option("--condition", metavar="WORD", required=True, help="What it looks like: good, worn, damaged, broken.")
@_on
@_units
def return_(
    ctx: click.Context,
    names: Sequence[str],
    file: Path | None,
    as_json: bool,
    place: str,
    pieces: tuple[str, ...],
    complete: bool,
    condition: str,
    on: str,
) -> None:
    """Take units back from students, and say what of their kits is missing.

    Example: fleet return A-0007 --at LE-LOI --kit device --kit charger --condition good
    """
    from fleet.account.custody import kit as custody_kit
    from fleet.account.custody.returning import take_back

    if complete == bool(pieces):
        raise click.UsageError("Say what came back with --kit, or --complete.")
    kit = None if complete else custody_kit.parse(pieces)
    with _open(ctx) as registry:
        done = take_back(registry, _listed(names, file), place, kit, condition, on=on)
    more = {
        one.moved.key: {"kit": dict(one.kit), "missing": dict(one.missing), "strangers": list(one.strangers)}
        for one in done
    }
    _show(ctx, [one.moved for one in done], as_json, more)
    for one in () if as_json else done:
        if one.missing:
            click.echo(f"{one.moved.shown}: missing {custody_kit.words(one.missing)}.")
        if one.strangers:
            click.echo(f"{one.moved.shown}: never went out: {printable(', '.join(one.strangers))}.")


def _do(
    ctx: click.Context, step: str, names: Sequence[str], file: Path | None, as_json: bool, said: Mapping[str, Any]
) -> None:
    from fleet.account.custody.steps import do

    listed = _listed(names, file)
    with _open(ctx) as registry:
        done = do(registry, step, listed, said)
    _show(ctx, done, as_json)


def _listed(names: Sequence[str], file: Path | None) -> list[str]:
    """What was named, and the lines of the file."""
    from fleet.account.custody.names import lines

    listed = [*names, *(lines(click.open_file(str(file), encoding="utf-8-sig").read()) if file else ())]
    if not listed:
        raise click.UsageError("Name a unit by its tag or serial, or several: A-0001..A-0040.")
    return listed


def _open(ctx: click.Context) -> AbstractContextManager[Registry]:

    return to_write(options_of(ctx))


def _show(
    ctx: click.Context,  # noqa: ARG001
    done: Sequence[Moved],
    as_json: bool,
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    from provision.progress import now

    at = now()
    if as_json:
        for one in done:
            json_line("custody", {**asdict(one), **(more or {}).get(one.key, {})}, at)
        return
    from fleet.account.custody.steps import sentences

    for sentence in sentences(done):
        click.echo(sentence)
