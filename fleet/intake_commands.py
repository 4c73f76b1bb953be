"""``fleet intake``: look at devices before anything is written to them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import options_of, to_read, to_write
from provision.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet.intakes import Inspected
    from provision.bench import Attached

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("names", nargs=-1, metavar="[DEVICE]...")
@click.option("--all", "everything", is_flag=True, help="Every attached device.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="[DEVICE=]CODE",
    help="The scanned label of the device; with DEVICE= and again for several.",
)
@click.option("--rules", "rules_file", type=_FILE, help="Laid over the rules of fleet (else intake.yaml of the home).")
@click.option("--lang", type=click.Choice(["en", "zh", "vi"]), help="Language of what to do; by the locale.")
@click.option("--letter", is_flag=True, help="Print the letter to the donor of each refused device, too.")
@click.option("--certificate", metavar="TAG", help="Print what was seen of a reset of this unit; look at no device.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines; the last one is the summary.")
@click.pass_context
def intake(
    ctx: click.Context,
    names: tuple[str, ...],
    everything: bool,
    labels: tuple[str, ...],
    rules_file: Path | None,
    lang: str | None,
    letter: bool,
    certificate: str | None,
    as_json: bool,
) -> None:
    """Say of attached devices whether they can be taken, and what to do first. Writes nothing to them.

    Exit 1 when any device is not accepted.

    Example: fleet intake --all --lang vi
    """
    from provision.intake_words import language_of

    language = lang or language_of(os.environ)
    if certificate is not None:
        _certificate(ctx, certificate, language)
        return
    found = _look(ctx, names, everything, labels, rules_file)
    if as_json:
        _write_json(found, language)
    else:
        from fleet import intake_screen
        from provision import screen

        screen.console().print(intake_screen.results(found, language))
        if letter:
            _print_letters(found, language)
    ctx.exit(_exit_code(found))


def _exit_code(found: Sequence[Inspected]) -> int:
    from fleet.buglog import Bug

    if any(isinstance(one.error, Bug) for one in found):
        return Bug.exit_code
    return 0 if all(one.intake and one.intake.verdict == "accept" for one in found) else 1


def _look(
    ctx: click.Context, names: Sequence[str], everything: bool, labels: Sequence[str], rules_file: Path | None
) -> tuple[Inspected, ...]:
    from datetime import UTC, datetime

    from fleet.doors import doors_of
    from fleet.home import home_of
    from fleet.intakes import inspect_all, rules_of
    from provision import bench

    options = options_of(ctx)
    home = home_of(options)
    home.make()
    wanted = rules_of(home, rules_file)
    with to_write(options) as registry:
        attached = bench.attach_all(doors_of(home))
        for silent in attached.silent:
            click.echo(silent.error, err=True)
        places = bench.select(attached.attached, names, everything, registry.serial_of, registry.last_seen)
        codes = {place.address: code for place, code in scanned(labels, places, registry.serial_of)}
        return inspect_all(places, wanted, codes, registry, datetime.now(UTC).date(), _waits)


def _waits(place: Attached) -> None:
    click.echo(f"{printable(place.where)}: {place.problem}", err=True)


def scanned(
    labels: Sequence[str], places: Sequence[Attached], serial_of: Callable[[str], str | None]
) -> list[tuple[Attached, str]]:
    """Each label with its device. A label for two devices, or two for one, is a UsageError that names both."""
    from provision import bench

    found: list[tuple[Attached, str]] = []
    for label in labels:
        name, given, code = label.partition("=")
        if not given and len(places) != 1:
            raise click.UsageError(f"{len(places)} devices are meant: write --label DEVICE={printable(label)}.")
        place = bench.select(places, (name,), False, serial_of)[0] if given else places[0]
        code = code if given else label
        _only_once(place, code, found)
        found.append((place, code))
    return found


def _only_once(place: Attached, code: str, before: Sequence[tuple[Attached, str]]) -> None:
    name = place.serial or place.address
    for other, said in before:
        if other is place:
            raise click.UsageError(f"Two labels were scanned for {name}: {printable(said)} and {printable(code)}.")
        if said.strip().upper() == code.strip().upper():
            first = other.serial or other.address
            raise click.UsageError(f"The label {printable(code)} was scanned twice: for {first} and for {name}.")


def _write_json(found: Sequence[Inspected], language: str) -> None:
    from fleet.intakes import summary
    from provision.lines import Lines

    lines = Lines(sys.stdout)
    for one in found:
        lines.write("intake", _fields(one, language))
    lines.write("summary", summary(found))


def _fields(one: Inspected, language: str) -> dict[str, object]:
    from provision.progress import now

    who = one.place.device.identity if one.place.device else None
    fields: dict[str, object] = {
        "at": now(),
        "address": one.place.address,
        "serial": one.place.serial,
        "unit": one.tag,
        "port": one.place.port,
        "maker": who.maker if who else "",
        "model": who.model if who else "",
        "version": who.version if who else "",
        "skin": who.skin if who else "",
    }
    if one.intake is None:
        error = one.error
        return {
            **fields,
            "verdict": None,
            "error": error.what if error else "",
            "next_action": error.next_action if error else "",
        }
    return {**fields, **_verdict(one, language)}


def _verdict(one: Inspected, language: str) -> dict[str, object]:
    from fleet.intake_screen import next_action

    assert one.intake is not None
    assert one.facts is not None
    letter, reset = one.intake.letter, one.reset
    return {
        "verdict": str(one.intake.verdict),
        "error": "",
        "next_action": next_action(one.intake, language),
        "systems": list(one.facts.makers.systems),
        "switches": {quirk.key: str(quirk.state) for quirk in one.facts.quirks},
        "findings": [
            {
                "key": finding.key,
                "lead": finding.lead.name.lower(),
                "what": finding.what[language],
                "kind": finding.task,
                "taps": list(finding.taps.get(language, ())),
            }
            for finding in one.intake.findings
        ],
        "reset": {"proved": reset.proved, "shown": list(reset.shown), "not_shown": list(reset.not_shown)}
        if reset
        else None,
        "letter": {
            "serial": letter.serial,
            "maker": letter.maker,
            "model": letter.model,
            "imei": letter.imei,
            "label": letter.label,
            "locks": [text[language] for text in letter.locks],
            "since": letter.since,
            "donor_does": [text[language] for text in letter.donor_does],
        }
        if letter
        else None,
    }


def _print_letters(found: Sequence[Inspected], language: str) -> None:
    from fleet import intake_papers
    from provision.progress import now

    for one in found:
        if one.intake and one.intake.letter:
            click.echo(intake_papers.letter(one.intake.letter, language, now()))


def _certificate(ctx: click.Context, name: str, language: str) -> None:
    from fleet.intake_papers import certificate
    from fleet.intake_view import last_intake

    with to_read(options_of(ctx)) as conn:
        found = last_intake(conn, name)
    click.echo(certificate(found, language), nl=False)
