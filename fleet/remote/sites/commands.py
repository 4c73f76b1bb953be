"""``fleet site``: the benches that a hub reaches over SSH, and the site's end of that."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of, print_parts, to_read, to_write
from fleet.home import home_of

if TYPE_CHECKING:
    from fleet.remote.sites.records import Site
    from fleet.remote.sites.visit import Checked
    from fleet.remote.wire.address import Address, HostKey

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
_AT_ONCE = 16


@click.group()
def site() -> None:
    """The benches far away that this hub reaches over SSH.

    Example: fleet site add district-5 ssh://fleet@bench5.example
    """


@site.command()
@click.argument("name")
@click.argument("address", metavar="ssh://USER@HOST[:PORT]")
@click.option("--host-key", metavar="KEY", help="The host's public key, or its fingerprint (SHA256:…).")
@_json
@click.pass_context
def add(ctx: click.Context, name: str, address: str, host_key: str | None, as_json: bool) -> None:
    """Note a site and the key of its host, and have it take this hub's releases. Again changes address or key.

    Without --host-key the key that the host shows now is printed, for you to compare, and noted when you say yes.

    Example: fleet site add district-5 ssh://fleet@bench5.example:2222
    """
    from fleet.db import snapshot, transaction
    from fleet.remote.releases import keys
    from fleet.remote.sites import records, screen
    from fleet.remote.sites.visit import check as visit
    from fleet.remote.wire.address import parse

    options = options_of(ctx)
    home = home_of(options)
    ours = keys.public(home)
    where = parse(address)
    key = _host_key(where, host_key)
    with to_write(options) as registry:
        with transaction(registry.engine) as conn:
            records.put(conn, registry.ledger, records.checked(name), where, key)
        with snapshot(registry.engine) as conn:
            noted = records.one(conn, name)
        found = visit(registry, noted, ours)
    if as_json:
        json_line("site", {"site": name, "address": str(where), "host_key": str(key), **_told(found)})
    else:
        print_parts([f"{name} is noted: {where}.", *screen.checked([found])])
    ctx.exit(0 if found.well else 1)


@site.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_json
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Visit sites (all without a NAME), and say how each is. Exit 1 when one is not well.

    Example: fleet site check district-5
    """
    from concurrent.futures import ThreadPoolExecutor

    from fleet.db import snapshot
    from fleet.remote.releases import keys
    from fleet.remote.sites import records, screen
    from fleet.remote.sites.visit import check as visit

    options = options_of(ctx)
    home = home_of(options)
    ours = keys.public(home)
    with to_write(options) as registry:
        with snapshot(registry.engine) as conn:
            chosen = records.chosen(conn, names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(lambda one: visit(registry, one, ours), chosen))
    if as_json:
        json_line("site", {"sites": [{"site": one.site, **_told(one)} for one in found]})
    else:
        print_parts([*screen.checked(found)] or screen.listed([]))
    ctx.exit(0 if all(one.well for one in found) else 1)


@site.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """All sites, with the release that each has, and the one that it should have.

    Example: fleet site list
    """
    from fleet.remote.sites import records, screen

    with to_read(options_of(ctx)) as conn:
        found = list(records.every(conn))
    if as_json:
        json_line("site", {"sites": [_fields(one) for one in found]})
    else:
        print_parts(screen.listed(found))


@site.command()
@click.argument("name")
@_json
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """One site: its address, the key of its host, its bench, its release.

    Example: fleet site show district-5
    """
    from fleet.remote.sites import records, screen

    with to_read(options_of(ctx)) as conn:
        found = records.one(conn, name)
    if as_json:
        json_line("site", _fields(found))
    else:
        print_parts(screen.shown(found))


@site.command()
@click.argument("name")
@_json
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Send nothing to a site any more. What it recorded stays.

    Example: fleet site remove district-5
    """
    from fleet.db import transaction
    from fleet.remote.sites import records

    with (
        to_write(options_of(ctx)) as registry,
        transaction(registry.engine) as conn,
    ):
        records.remove(conn, registry.ledger, name)
    if as_json:
        json_line("site", {"site": name, "removed": True})
    else:
        print_parts([f"{name} is no site of this hub any more. It still takes our releases: fleet site trust, there."])


@site.command()
@click.argument("key")
@click.option("--hub", default="", metavar="NAME", help="Whose key it is, for people.")
@click.option("--replace", is_flag=True, help="Take the releases of this hub instead of those of another one.")
@_json
@click.pass_context
def trust(ctx: click.Context, key: str, hub: str, replace: bool, as_json: bool) -> None:
    """At a site: say whose releases are taken here. KEY is what fleet release key show prints at the hub.

    fleet site add, at the hub, does this over SSH, where no other hub was trusted before.

    Example: fleet site trust ed25519:NsAR2bgdnmlDrW3bMVm0CaqutZU6beSZWQfxLaZykHc= --hub city
    """
    from fleet.remote.releases import keys

    found = keys.parse(key, hub)
    keys.trust(home_of(options_of(ctx)), found, replace=replace)
    if as_json:
        json_line("site", {"key": found.text, "fingerprint": found.fingerprint, "hub": hub})
    else:
        print_parts([f"Releases signed with {found.fingerprint} are taken here from now on, and no others."])


@site.command()
@click.pass_context
def stdio(ctx: click.Context) -> None:
    """At a site: serve the hub over standard input and output. SSH runs this; people do not.

    Example: command="fleet site stdio",restrict ssh-ed25519 AAAA… hub    (in authorized_keys)
    """
    from fleet.remote.wire.serve import serve

    options = options_of(ctx)
    ctx.exit(serve(home_of(options), options))


def _host_key(where: Address, given: str | None) -> HostKey:
    """The key of the host: the one given, or the one that it shows and a person agrees to."""
    from fleet.remote.errors import HostKeyChanged
    from fleet.remote.sites import screen
    from fleet.remote.wire.address import parse_key
    from fleet.remote.wire.ssh import host_key

    if given and not given.startswith("SHA256:"):
        return parse_key(given)
    shown = host_key(where)
    if given:
        if given.rstrip("=") != shown.fingerprint:
            raise HostKeyChanged(
                f"{where.host} shows another key than that: {shown.fingerprint}.",
                "Nothing was noted. Find out which is right, at the site.",
            )
        return shown
    click.echo(screen.host(where, shown), err=True)
    if not sys.stdin.isatty():
        raise click.UsageError(f"Compare the key, then say that it is right: --host-key {shown.fingerprint}")
    click.confirm("Is that the key of this site?", abort=True, err=True)
    return shown


def _fields(found: Site) -> dict[str, Any]:
    told = {**asdict(found), "address": str(found.address), "host_key": str(found.key)}
    told["site"] = told.pop("name")
    told["fingerprint"] = found.key.fingerprint
    del told["key"], told["removed"]
    return told


def _told(found: Checked) -> dict[str, Any]:
    error = found.error
    return {
        "well": found.well,
        "error": error.what if error else "",
        "next_action": error.next_action if error else "",
        "skew": found.skew,
        "says": asdict(found.hello) if found.hello else None,
    }
