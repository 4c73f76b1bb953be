"""``fleet push``: a release goes to sites, in waves."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NoReturn

import click

from fleet.commands import json_line, options_of, print_parts, to_read, to_write
from fleet.home import home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.account.filters.sql import Asked
    from fleet.home import Home
    from fleet.remote.pushes.work import State
    from fleet.remote.sites.records import Site
    from fleet.remote.waves.kept import Push
    from fleet.remote.waves.rules import Rules
    from fleet.units import Registry

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
_push = click.argument("push", required=False, default="")
_via = click.option(
    "--via", type=click.Choice(["site", "agent"]), default="site", help="agent: to devices at home that come by agent."
)
_workers = click.option("--workers", is_flag=True, help="Leave it to fleet worker, and return at once (PostgreSQL).")


class _Pushes(click.Group):
    """``fleet push 7`` is ``fleet push release 7``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].isdecimal():
            args = ["release", *args]
        return super().resolve_command(ctx, args)


@click.group("push", cls=_Pushes, subcommand_metavar="RELEASE | COMMAND [OPTIONS]")
def push() -> None:
    """Send a release to sites, or to devices at home: fleet push RELEASE. Interrupted, it is simply run again.

    Example: fleet push 7 --waves 1,10%,100% --plan
    """


@push.command()
@click.argument("number", metavar="RELEASE", type=click.IntRange(min=1))
@click.option("--sites", metavar="LIST", default="", help="Only these sites, with commas between; else all.")
@click.option(
    "--where", metavar="FILTER", help="Only sites where such units were looked at last, and there only those units."
)
@click.option("--waves", metavar="LIST", default="100%", help="How many sites have it after each wave: 1,10%,100%.")
@click.option(
    "--stop-at", type=click.IntRange(0, 100), default=20, show_default=True, help="Pause above so many % of failures."
)
@click.option("--hours", metavar="FROM-TO", default="", help="Only then, by each site's own clock: 20:00-06:00.")
@click.option("--until", metavar="DAY", default="", help="Give up after this day.")
@click.option("--profile", metavar="NAME", default="", help="Which of its profiles devices are brought to.")
@_via
@click.option("--no-bring", is_flag=True, help="Send it alone; devices are brought to it by the site's fleet watch.")
@click.option("--wait", "patient", is_flag=True, help="Stay until sites that are off, or not open yet, have it too.")
@_workers
@click.option("--plan", is_flag=True, help="Say what would be done; ask and change nothing.")
@_json
@click.pass_context
def release(ctx: click.Context, /, number: int, patient: bool, plan: bool, as_json: bool, **said: Any) -> None:
    """Send release number RELEASE to sites, put it in force there, bring attached devices to it, read them back.

    Each site gets what it has not, goes on where a link broke, and believes nothing that is not signed. A wave begins
    when the one before has it. What each site recorded comes back.

    With --via agent it is wanted for devices at home: fleet serve gives it to them as they come (docs/agents.md).

    Example: fleet push 7 --sites district-5,district-8 --hours 20:00-06:00
    """
    if said["via"] == "agent":
        _by_agent(ctx, number, _rules(said), said, patient=patient, plan=plan, as_json=as_json)
    _go(ctx, number, _rules(said), said, patient=patient, plan=plan, as_json=as_json)


@push.command()
@click.option("--sites", metavar="LIST", default="", help="Only these sites, with commas between; else all.")
@click.option("--to", "number", metavar="RELEASE", type=click.IntRange(min=1), help="Else the one pushed before.")
@click.option("--no-bring", is_flag=True, help="Send it alone; devices are brought to it by the site's fleet watch.")
@click.option("--profile", metavar="NAME", default="", help="Which of its profiles devices are brought to.")
@_via
@_workers
@click.option("--plan", is_flag=True, help="Say what would be done; ask and change nothing.")
@_json
@click.pass_context
def rollback(ctx: click.Context, /, number: int | None, plan: bool, as_json: bool, **said: Any) -> None:
    """Put the release from before in force again, at all sites at once; or for all devices at home (--via agent).

    Example: fleet push rollback --plan
    """
    from fleet.remote.errors import PushError
    from fleet.remote.waves import kept
    from fleet.remote.waves.rules import Rules

    with to_read(options_of(ctx)) as conn:
        found = list(kept.every(conn, kept.Via(said["via"])))
    if number is None:
        number = next((one.release for one in found if one.release != found[0].release), None)
        if number is None:
            raise PushError("Nothing was pushed before that.", "Say which release: --to RELEASE")
    rules = Rules(stop_at=100, bring=not said["no_bring"], profile=said["profile"], older=True)
    if said["via"] == "agent":
        rules = replace(rules, where=found[0].rules.where if found else "")
        _by_agent(ctx, number, rules, said, patient=False, plan=plan, as_json=as_json)
    _go(ctx, number, rules, said, patient=False, plan=plan, as_json=as_json)


@push.command()
@_push
@click.option("--watch", is_flag=True, help="Go on showing it, until it is over or Ctrl-C.")
@click.option("--all", "everything", is_flag=True, help="Every site and unit, not only those that need a look.")
@click.option("--units", is_flag=True, help="Unit by unit: what it should have, and what was read back of it.")
@_json
@click.pass_context
def status(ctx: click.Context, push: str, watch: bool, everything: bool, units: bool, as_json: bool) -> None:
    """How a push stands (the newest without PUSH): waves, who is at work, who failed and what to do.

    Example: fleet push status --watch
    """
    from rich.console import Group
    from rich.live import Live

    from fleet.remote.pushes import screen, work
    from fleet.remote.waves import kept
    from provision.screen import console

    with to_read(options_of(ctx)) as conn:
        newest = kept.one_of(conn, push)
    if newest.via is kept.Via.AGENT:
        from fleet.remote.agents import push_commands

        push_commands.status(ctx, newest, watch=watch, units=units, everything=everything, as_json=as_json)
        return
    looked = tuple(state for state in work.State if everything or state is not work.State.DONE)

    def look() -> tuple[Push, list[work.Wave], list[work.Work]]:
        with to_read(options_of(ctx)) as conn:
            found = kept.one_of(conn, newest.name)
            return found, work.waves_of(conn, found.name), work.all_of(conn, found.name, states=looked)

    one, waves, sites = look()
    if units:
        _units(ctx, one, everything=everything, as_json=as_json)
        return
    if as_json:
        told = {"waves": [_wave(wave) for wave in waves], "sites": [asdict(site) for site in sites]}
        json_line("push", {**kept.told(one), **told})
        return
    if watch and sys.stdout.isatty():
        with Live(Group(*screen.pictured(one, waves, sites)), console=console(), refresh_per_second=2) as live:
            while one.state is kept.State.RUNNING:
                time.sleep(1)
                one, waves, sites = look()
                live.update(Group(*screen.pictured(one, waves, sites)))
        return
    print_parts([*screen.pictured(one, waves, [] if everything else sites)])
    if everything:
        print_parts([screen.every_site(sites)])


def _units(ctx: click.Context, one: Push, *, everything: bool, as_json: bool) -> None:
    from fleet.remote.pushes import screen, wants
    from fleet.remote.waves import kept

    with to_read(options_of(ctx)) as conn:
        counts = wants.counts(conn, push=one.name)
        found = list(wants.every(conn, push=one.name, only_left=not everything, most=None if as_json else screen.UNITS))
    if not as_json:
        print_parts(screen.units(one, counts, found))
        return
    json_line("push", {**kept.told(one), "stands": counts, "units": [asdict(unit) for unit in found]})


@push.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Every push, newest first.

    Example: fleet push list
    """
    from fleet.remote.pushes import screen
    from fleet.remote.waves import kept

    with to_read(options_of(ctx)) as conn:
        found = list(kept.every(conn))
    if as_json:
        json_line("push", {"pushes": [kept.told(one) for one in found]})
    else:
        print_parts(screen.listed(found))


@push.command()
@_push
@click.pass_context
def pause(ctx: click.Context, push: str) -> None:
    """Begin with no more sites or devices; what is under way ends well.

    Example: fleet push pause
    """
    _change(ctx, push, ("running",), "paused")


@push.command()
@_push
@click.pass_context
def resume(ctx: click.Context, push: str) -> None:
    """Go on with a push that was paused, and try again who failed; then run fleet push RELEASE, or leave it to workers.

    Example: fleet push resume push-3
    """
    _change(ctx, push, ("paused",), "running")


@push.command()
@_push
@click.pass_context
def abort(ctx: click.Context, push: str) -> None:
    """End a push for good; who has the release keeps it.

    Example: fleet push abort push-3
    """
    _change(ctx, push, ("running", "paused"), "aborted")


def _by_agent(
    ctx: click.Context, number: int, rules: Rules, said: dict[str, Any], *, patient: bool, plan: bool, as_json: bool
) -> NoReturn:
    from fleet.remote.agents import push_commands

    push_commands.refuse(said)
    push_commands.push(ctx, number, rules, patient=patient, plan=plan, as_json=as_json)
    ctx.exit(0)


def _go(
    ctx: click.Context, number: int, rules: Rules, said: dict[str, Any], *, patient: bool, plan: bool, as_json: bool
) -> None:
    from datetime import UTC, datetime

    from fleet.db import transaction
    from fleet.remote.pushes import planning, records, screen, wants
    from fleet.remote.releases.store import Store
    from fleet.remote.waves.rules import divided, stamp

    options = options_of(ctx)
    home = home_of(options)
    manifest = Store(home).signed(number).manifest
    if rules.bring:
        planning.check_profile(manifest, rules.profile)
    if plan:
        with to_read(options_of(ctx)) as conn:
            chosen = _chosen(conn, home, said)
            waves = divided(rules.waves, [one.name for one in chosen])
            found = planning.plan(conn, Store(home), manifest, chosen, waves, _within(conn, home, said))
        if as_json:
            json_line("push", {"release": number, "plan": True, "sites": [asdict(one) for one in found]})
        else:
            print_parts(screen.planned(found, number))
        return
    with to_write(options) as registry:
        if said["workers"]:
            _check_workers(registry)
        with transaction(registry.engine) as conn:
            waves = divided(rules.waves, [one.name for one in _chosen(conn, home, said)])
            begun = records.begin(conn, registry.ledger, number, rules, waves, stamp(datetime.now(UTC)))
            meant = wants.wanted_by(conn, home, begun.name, number, begun.at, begun.rules, manifest)
            wants.lay_out(conn, meant)
        if said["workers"]:
            _leave(registry, begun, as_json=as_json)
        else:
            ctx.exit(0 if _do(registry, begun, patient=patient, as_json=as_json) else 1)


def _do(registry: Registry, begun: Push, *, patient: bool, as_json: bool) -> bool:
    """Work on it here, and say how it stands then. Whether all have it, and all is well there."""
    from fleet.db import snapshot
    from fleet.remote.pushes import runner, screen, work
    from fleet.remote.pushes.holding import holding
    from fleet.remote.pushes.serving import serving
    from fleet.remote.waves import kept
    from provision.screen import console

    with (
        contextlib.nullcontext() if as_json else screen.Board(console(stderr=True), begun.release) as board,
        holding(registry) as hold,
    ):
        emit = board.emit if board else _line
        over = runner.run(serving(registry, begun, emit, hold), patient=patient)
    with snapshot(registry.engine) as conn:
        stand = work.waves_of(conn, over.name)
        sites = work.all_of(conn, over.name, states=[one for one in work.State if one is not work.State.DONE])
    if as_json:
        json_line("push", {**kept.told(over), "waves": [_wave(wave) for wave in stand]})
    else:
        print_parts([*screen.pictured(over, stand, sites), screen.ended(over, stand)])
    return over.state is kept.State.DONE and not any(wave.failed for wave in stand)


def _check_workers(registry: Registry) -> None:
    from fleet.remote.errors import PushError

    if registry.engine.dialect.name != "postgresql":
        raise PushError("Workers need PostgreSQL (fleet --database postgresql://…).", "Leave --workers out.")


def _leave(registry: Registry, begun: Push, *, as_json: bool) -> None:
    """Say that it has begun, and how many workers there are."""
    from fleet.db import snapshot
    from fleet.remote.pushes import jobs, screen, work
    from fleet.remote.waves import kept

    with snapshot(registry.engine) as conn:
        stand, number = work.waves_of(conn, begun.name), jobs.workers(conn)
    if as_json:
        json_line("push", {**kept.told(begun), "waves": [_wave(wave) for wave in stand], "workers": number})
    else:
        print_parts([screen.left(begun, number)])


def _chosen(conn: Connection, home: Home, said: dict[str, Any]) -> list[Site]:
    """The sites that are meant. PushError when there is none."""
    from fleet.remote.errors import PushError
    from fleet.remote.pushes import planning
    from fleet.remote.sites import records

    found = records.chosen(conn, [name for name in (part.strip() for part in said["sites"].split(",")) if name])
    if within := _within(conn, home, said):
        fit = planning.with_units(conn, within)
        found = [one for one in found if one.name in fit]
    if not found:
        raise PushError("No site is meant by that.", "fleet site list shows all; fleet site add NAME adds one.")
    return found


def _within(conn: Connection, home: Home, said: dict[str, Any]) -> Asked | None:
    """The units that are meant; ``None`` is all."""
    from fleet.remote.waves import meant

    return meant.within(conn, home, said.get("where") or "")


def _rules(said: dict[str, Any]) -> Rules:
    from datetime import UTC, datetime

    from fleet.remote.waves import rules

    return rules.Rules(
        waves=rules.waves(said["waves"]),
        stop_at=said["stop_at"],
        hours=rules.hours(said["hours"]),
        until=rules.until(said["until"], datetime.now(UTC)),
        bring=not said["no_bring"],
        profile=said["profile"],
        where=said["where"] or "",
    )


def _change(ctx: click.Context, name: str, from_: tuple[str, ...], state: str) -> None:
    from datetime import UTC, datetime

    from fleet.db import transaction
    from fleet.remote.errors import PushError
    from fleet.remote.pushes import work
    from fleet.remote.waves import kept
    from fleet.remote.waves.rules import stamp

    with (
        to_write(options_of(ctx)) as registry,
        transaction(registry.engine) as conn,
    ):
        found = kept.one_of(conn, name)
        if found.state not in from_:
            raise PushError(f"{found.name} is {found.state}.", "fleet push list shows all.")
        to = kept.State(state)
        kept.change(conn, registry.ledger, found, to, f"by {registry.ledger.actor}")
        if to is kept.State.RUNNING and found.via is kept.Via.SITE:
            work.again(conn, found.name, stamp(datetime.now(UTC)))
    print_parts([f"{found.name}, of release {found.release}, is {to}."])


def _line(site: str, state: State, fields: dict[str, Any]) -> None:
    json_line("push", {"site": site, "state": state, **fields})


def _wave(wave: Any) -> dict[str, Any]:
    return {**asdict(wave), "failed": wave.failed}
