"""``fleet push … --via agent``: a release for devices at home, in waves. The commands are in fleet.remote.pushes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from sqlalchemy import Connection

from fleet.account.filters.parse import FilterError
from fleet.commands import json_line, options_of, print_parts, to_read, to_write
from fleet.db import snapshot, transaction
from fleet.errors import RegistryError
from fleet.home import home_of
from fleet.remote.agents import planning, push_screen, pushing, stands
from fleet.remote.agents.chosen import Chosen, chosen
from fleet.remote.agents.gate import Wave
from fleet.remote.agents.judging import judge
from fleet.remote.errors import PushError
from fleet.remote.releases.store import Store
from fleet.remote.waves import kept, meant
from fleet.remote.waves.kept import Push, State
from fleet.remote.waves.rules import Rules
from provision.screen import console

_NOT_HERE = {"sites": "--sites", "no_bring": "--no-bring", "workers": "--workers"}


def refuse(said: Mapping[str, Any]) -> None:
    """UsageError for what means something for sites alone."""
    if names := [option for name, option in _NOT_HERE.items() if said.get(name)]:
        raise click.UsageError(f"{', '.join(names)}: that is for sites; agents come by themselves (--via agent).")


def push(ctx: click.Context, number: int, rules: Rules, *, patient: bool, plan: bool, as_json: bool) -> None:
    """Want release ``number`` for units that come by agent, or say what that would do; wait for its end."""
    options = options_of(ctx)
    home = home_of(options)
    manifest = Store(home).signed(number).manifest
    if rules.profile and rules.profile not in manifest.profiles:
        has = ", ".join(sorted(manifest.profiles))
        raise PushError(f"Release {number} has no profile {rules.profile}.", f"It has: {has}.")

    def mine(conn: Connection) -> Chosen:
        return Chosen(manifest.profiles, rules.profile, meant.within(conn, home, rules.where))

    if plan:
        with to_read(options) as conn:
            who = mine(conn)
            planning.check(conn, home, who)
            found = planning.plan(conn, home, manifest, rules, who)
        if as_json:
            json_line("push", {"release": number, "plan": True, "via": "agent", **asdict(found)})
        else:
            print_parts(push_screen.planned(found, number))
        return
    with to_write(options) as registry:
        with transaction(registry.engine) as conn:
            who = mine(conn)
            zones = planning.check(conn, home, who)
            said = replace(rules, zones=zones if rules.hours else {})
            name = pushing.begin(conn, registry.ledger, home, number, said, who).name
        while (again := judge(registry)) and patient:
            with snapshot(registry.engine) as conn:
                if kept.one_of(conn, name).state is not State.RUNNING:
                    break
            time.sleep(again)
        with snapshot(registry.engine) as conn:
            one, waves = _look(conn, ctx, name)
    if as_json:
        json_line("push", _fields(one, waves))
    else:
        print_parts([*push_screen.pictured(one, waves), push_screen.begun(one, waves)])
    ctx.exit(1 if patient and (one.state is not State.DONE or any(wave.failed for wave in waves)) else 0)


def status(ctx: click.Context, one: Push, *, watch: bool, units: bool, everything: bool, as_json: bool) -> None:
    """How a push stands: wave by wave, or unit by unit. Who asks has it judged, too."""
    _judge(ctx)
    with to_read(options_of(ctx)) as conn:
        one, waves = _look(conn, ctx, one.name)
        if units:
            mine = chosen(conn, home_of(options_of(ctx)), one)
            most = None if as_json else push_screen.UNITS
            found = list(stands.every(conn, one, mine, only_left=not everything, most=most))
    if units and as_json:
        json_line("push", {**_fields(one, waves), "units": [asdict(unit) for unit in found]})
    elif units:
        print_parts(push_screen.units(one, found))
    elif as_json:
        json_line("push", _fields(one, waves))
    elif watch and console().is_terminal:
        _watch(ctx, one, waves)
    else:
        print_parts(push_screen.pictured(one, waves))


def _watch(ctx: click.Context, one: Push, waves: Sequence[Wave]) -> None:
    with Live(Group(*push_screen.pictured(one, waves)), console=console(), refresh_per_second=2) as live:
        while one.state is State.RUNNING:
            time.sleep(_judge(ctx))
            with to_read(options_of(ctx)) as conn:
                one, waves = _look(conn, ctx, one.name)
            live.update(Group(*push_screen.pictured(one, waves)))


def _judge(ctx: click.Context) -> float:
    """In how many seconds to look again. Who may only read sees it as others judged it."""
    try:
        with to_write(options_of(ctx)) as registry:
            return judge(registry)
    except RegistryError:
        return 10.0


def _look(conn: Connection, ctx: click.Context, name: str) -> tuple[Push, Sequence[Wave]]:
    """The push and its waves; none where its filter cannot be asked any more, of which ``why`` tells."""
    one = kept.one_of(conn, name)
    try:
        mine = chosen(conn, home_of(options_of(ctx)), one)
    except FilterError:
        return one, ()
    return one, stands.waves_of(conn, one, mine, datetime.now(UTC))


def _fields(one: Push, waves: Sequence[Wave]) -> dict[str, Any]:
    return {**kept.told(one), "waves": [{**asdict(wave), "total": wave.total, "silent": wave.silent} for wave in waves]}
