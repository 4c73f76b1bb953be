"""``fleet scan``: a prompt that stays open for a scanner."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.account.desk.scan import Answer

_MODES = ("receive", "hand-over", "return", "count")
_STYLES = {"done": "green", "note": None, "refused": "red"}


@click.command()
@click.option("--mode", type=click.Choice(_MODES), help="What to begin with; FLEET:COUNT and so on change it.")
@click.option("--place", help="Where it is received, comes back, or is counted.")
@click.option("--batch", help="To which batch received units belong.")
@click.option("--donor", help="Who gave them, of a new batch.")
@click.option("--maker", help="Who made the units that are received.")
@click.option("--model", help="The model of the units that are received.")
@click.option("--taken-by", metavar="ROLE", help="Who takes the units: guardian, student or teacher.")
@click.option("--condition", metavar="WORD", help="What the units look like; good if it is not said.")
@click.option("--kit", metavar="PIECES", help="What is handed over: device, charger, cable=2.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def scan(ctx: click.Context, /, mode: str | None, as_json: bool, **settings: str | None) -> None:
    """Read codes from a scanner that types like a keyboard, until the input ends (Ctrl-D).

    A code is a command, a student's key, the tag, serial or IMEI of a unit, or, at a hand-over, the ICCID of a SIM that
    goes out alone. Commands can be printed as codes, too:
    FLEET:RECEIVE BATCH, FLEET:HAND-OVER ROLE, FLEET:RETURN PLACE and FLEET:COUNT PLACE begin something;
    FLEET:PLACE, FLEET:CONDITION, FLEET:KIT and so on set what is said of all units that follow;
    FLEET:ID guardian=1234, FLEET:GUARDIAN and FLEET:MISSING charger are of the next one only; FLEET:DONE ends a count,
    FLEET:CANCEL forgets what was begun. "/" does for "FLEET:" when it is typed.

    Without a terminal it reads lines from standard input; exit 1 when any was refused.

    Example: fleet scan --mode count --place LE-LOI
    """
    from fleet.account.desk.scan import Session

    said = {name.replace("_", "-"): value for name, value in settings.items() if value}
    refused = 0
    with to_write(options_of(ctx)) as registry:
        session = Session(registry, said)
        if mode:
            _say(session.start(mode), session.mode, as_json)
        for line in _lines():
            if answer := session.take(line):
                refused += answer.result == "refused"
                _say(answer, session.mode, as_json)
        if answer := session.ended():
            refused += 1
            _say(answer, session.mode, as_json)
    ctx.exit(1 if refused and not sys.stdin.isatty() else 0)


def _lines() -> Iterator[str]:
    """What is scanned, line by line; at a terminal with a prompt."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    while True:
        try:
            yield input("> ")
        except EOFError:
            return


def _say(answer: Answer, mode: str, as_json: bool) -> None:
    from provision.text import printable_lines

    if as_json:
        json_line("scan", {"mode": mode, "result": answer.result, "what": answer.what})
        return
    bell = "\a" if answer.result == "refused" and sys.stdout.isatty() else ""
    click.secho(f"{printable_lines(answer.what)}{bell}", fg=_STYLES[answer.result])
