"""``fleet sim``: SIMs one by one. Their files are in sim_file_commands.py and operator_commands.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from fleet.account.sims.file_commands import import_, usage
from fleet.account.sims.operator_commands import answer, request
from fleet.commands import json_line, options_of, to_read, to_write

if TYPE_CHECKING:
    from fleet.account.sims.one_by_one import Accepted

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")


@click.group()
def sim() -> None:
    """SIMs, from the operator's list to the end of their data plan.

    Example: fleet sim show 8984048000012345675
    """


@sim.command()
@click.argument("iccid")
@click.option("--carrier", required=True, help="The operator, as profiles name it: viettel.")
@click.option("--number", default="", help="Its phone number.")
@click.option("--plan", default="", help='What the operator gives: "4 GB/day, 90 days".')
@click.option("--place", default="", help="Where it lies.")
@click.option("--ordered", is_flag=True, help="It is on its way, and not here yet.")
@_json
@click.pass_context
def add(
    ctx: click.Context, iccid: str, carrier: str, number: str, plan: str, place: str, ordered: bool, as_json: bool
) -> None:
    """Add one SIM. The last digit of its ICCID is checked.

    Example: fleet sim add 8984048000012345675 --carrier viettel --plan "4 GB/day, 90 days"
    """
    from fleet import sim_reading
    from fleet.account.sims import one_by_one as sims
    from fleet.account.sims.data_plan_terms import terms
    from fleet.db import transaction

    operator, given = sims.carrier_of(carrier), terms(plan)
    opened = to_write(options_of(ctx))
    with opened as registry, transaction(registry.engine) as conn:
        listed = sims.checked(iccid, operator, number, given, sims.place_of(conn, place))
        sims.add(conn, registry.ledger, listed, ordered=ordered)
        registry.ledger.append_many(conn, tuple(sim_reading.unsettled(conn)))
        found = dict(sims.the(conn, listed.iccid))
    if as_json:
        _write("sim", sim=found)
    else:
        click.echo(f"SIM {found['iccid']} is {found['state'].replace('_', ' ')}.")


@sim.command()
@click.argument("iccid")
@click.argument("unit", metavar="TAG")
@_json
@click.pass_context
def insert(ctx: click.Context, iccid: str, unit: str, as_json: bool) -> None:
    """Put a SIM into a unit. Where a student has the unit already, the plan begins now.

    Example: fleet sim insert 8984048000012345675 A-0001
    """
    from fleet.account.sims import one_by_one as sims
    from fleet.db import transaction
    from provision.progress import now

    opened = to_write(options_of(ctx))
    with opened as registry, transaction(registry.engine) as conn:
        taken = sims.insert(conn, registry.ledger, iccid, unit, now())
        found = dict(sims.the(conn, iccid))
    if as_json:
        _write("sim", sim=found, accepted=asdict(taken) if taken else None)
        return
    click.echo(f"SIM {found['iccid']} is in {unit}.")
    if taken:
        _say_accepted(taken)


@sim.command("hand-over")
@click.argument("iccid")
@click.argument("student")
@_json
@click.pass_context
def hand_over(ctx: click.Context, iccid: str, student: str, as_json: bool) -> None:
    """A student takes a SIM without a unit, for a device of the family's own. Its plan begins now.

    Example: fleet sim hand-over 8984048000012345675 S-7K3M9PQ2R
    """
    from fleet.account.sims import one_by_one as sims
    from fleet.db import transaction
    from provision.progress import now

    opened = to_write(options_of(ctx))
    key = student.strip().upper().replace("-", "")
    with opened as registry, transaction(registry.engine) as conn:
        taken = sims.hand_over(conn, registry.ledger, iccid, key, now())
    if as_json:
        _write("sim", accepted=asdict(taken))
    else:
        _say_accepted(taken)


def _step(name: str, text: str) -> Callable[..., None]:
    """``fleet sim activate`` and its like: one step with all SIMs that are named, or with none."""

    @sim.command(name, help=f"{text}\n\nExample: fleet sim {name} 8984048000012345675")
    @click.argument("iccids", metavar="ICCID...", nargs=-1, required=True)
    @_json
    @click.pass_context
    def step(ctx: click.Context, iccids: tuple[str, ...], as_json: bool) -> None:
        from fleet.account.sims import one_by_one as sims
        from fleet.db import transaction
        from provision.progress import now

        opened = to_write(options_of(ctx))
        with opened as registry, transaction(registry.engine) as conn:
            at = now()
            done = [(sims.do(conn, registry.ledger, one, name, at), dict(sims.the(conn, one))) for one in iccids]
        for changed, found in done:
            if as_json:
                _write("sim", sim=found, changed=changed)
            else:
                state = found["state"].replace("_", " ")
                click.echo(f"SIM {found['iccid']} is {state}{'' if changed else ', as it was'}.")

    return step


_step("activate", "The operator gives data with these SIMs from now on, and bills them.")
_step("suspend", "The operator has stopped these SIMs for a time.")
_step("resume", "These SIMs are not suspended any more.")
_step("end", "These SIMs are at their end: the operator has closed them.")


@sim.command()
@click.argument("iccid", metavar="ICCID-OR-NUMBER")
@_json
@click.pass_context
def show(ctx: click.Context, iccid: str, as_json: bool) -> None:
    """Show all that is known of a SIM: unit, student, plan, usage, requests, history.

    Example: fleet sim show +84981234567
    """
    from fleet.account.sims.view import view

    with to_read(options_of(ctx)) as conn:
        found = view(conn, iccid)
    if as_json:
        _write("sim", **asdict(found))
    else:
        from fleet import screen
        from fleet.account.sims import screen as sim_screen

        screen.show(*sim_screen.shown(found))


@sim.command("list")
@click.option("--where", default="", help='Which: "state=activated and school=LE-LOI"; docs/sims.md has all words.')
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many; --json lists all."
)
@_json
@click.pass_context
def list_(ctx: click.Context, where: str, limit: int, as_json: bool) -> None:
    """List SIMs.

    Example: fleet sim list --where "state=activated and school=LE-LOI"
    """
    from fleet.account.sims import view as sim_view
    from fleet.account.sims import where as sim_where
    from provision.progress import now

    with to_read(options_of(ctx)) as conn:
        count, found = sim_view.listed(conn, sim_where.parsed(conn, where, now()), None if as_json else limit)
    if as_json:
        for one in found:
            _write("sim", sim=one)
    else:
        from fleet import screen
        from fleet.account.sims import screen as sim_screen

        screen.show(*sim_screen.listed(count, found))


sim.add_command(import_)
sim.add_command(usage)
sim.add_command(request)
sim.add_command(answer)


def _say_accepted(taken: Accepted) -> None:
    ends = f"its plan ends on {taken.ends_at[:10]}" if taken.ends_at else "nobody said for how long its plan is"
    click.echo(f"SIM {taken.iccid} was accepted; {ends}{f'; {taken.remark}' if taken.remark else ''}.")


def _write(event: str, **fields: object) -> None:

    json_line(event, fields)
