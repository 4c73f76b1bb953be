"""``fleet release``: what sites are to be, in numbered, signed bundles."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of, print_parts, to_read, to_write
from fleet.home import home_of
from provision.commands import complete_profile

if TYPE_CHECKING:
    from fleet.remote.releases.manifest import Manifest

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
_number = click.argument("number", type=click.IntRange(min=1))


@click.group()
def release() -> None:
    """Profiles and their files as numbered, signed bundles, for sites far away.

    Example: fleet release build profiles/primary.yaml --note "Kolibri 0.18"
    """


@release.command()
@click.argument("profiles", metavar="PROFILE...", nargs=-1, required=True, shell_complete=complete_profile)
@click.option("--note", required=True, metavar="TEXT", help="What is new, for whoever reads the list.")
@_json
@click.pass_context
def build(ctx: click.Context, profiles: tuple[str, ...], note: str, as_json: bool) -> None:
    """Make a release of PROFILEs: names of the library, or files. The same again makes no second one.

    Example: fleet release build profiles/primary.yaml profiles/teachers.yaml --note "Term 2"
    """
    from fleet.remote.releases import screen
    from fleet.remote.releases.build import build as make
    from provision.text import printable

    def tell(name: str, number: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{number}/{total} {printable(name)[:60]}", nl=number == total, err=True)

    with to_write(options_of(ctx)) as registry:
        found = make(registry, profiles, note.strip(), tell)
    if as_json:
        json_line("release", {**_told(found.manifest), "new": found.new})
    else:
        print_parts(screen.built(found))


@release.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Every release, newest first; * is the one in force on this computer.

    Example: fleet release list
    """
    from fleet.remote.releases import records, screen
    from fleet.remote.releases.store import Store

    options = options_of(ctx)
    home = home_of(options)
    current = Store(home).current()
    with to_read(options) as conn:
        found = list(records.every(conn))
    if as_json:
        json_line("release", {"current": current, "releases": [asdict(one) for one in found]})
    else:
        print_parts(screen.listed(found, current))


@release.command()
@_number
@_json
@click.pass_context
def show(ctx: click.Context, number: int, as_json: bool) -> None:
    """What a release consists of.

    Example: fleet release show 7
    """
    from fleet.remote.releases import records, screen
    from fleet.remote.releases.store import Store

    options = options_of(ctx)
    home = home_of(options)
    manifest = Store(home).signed(number).manifest
    with to_read(options) as conn:
        by = next((one.actor for one in records.every(conn) if one.digest == manifest.digest), "")
    if as_json:
        files = {place: [*file] for place, file in manifest.files.items()}
        json_line("release", {**_told(manifest), "by": by, "contents": files})
    else:
        print_parts(screen.shown(manifest, by))


@release.command()
@click.argument("before", type=click.IntRange(min=1))
@click.argument("after", type=click.IntRange(min=1))
@_json
@click.pass_context
def diff(ctx: click.Context, before: int, after: int, as_json: bool) -> None:
    """What release AFTER has otherwise than BEFORE, setting by setting.

    Example: fleet release diff 6 7
    """
    from fleet.remote.releases import screen
    from fleet.remote.releases.difference import between
    from fleet.remote.releases.store import Store

    store = Store(home_of(options_of(ctx)))
    found = between(store, store.signed(before).manifest, store.signed(after).manifest)
    if as_json:
        json_line("release", {"before": before, "after": after, **asdict(found)})
    else:
        print_parts(screen.difference(found, before, after))


@release.command()
@_number
@_json
@click.pass_context
def verify(ctx: click.Context, number: int, as_json: bool) -> None:
    """Check the signature of a release, and hash every file of it.

    Example: fleet release verify 7
    """
    from fleet.remote.releases import keys, screen
    from fleet.remote.releases.store import Store

    home = home_of(options_of(ctx))
    store = Store(home)
    signed = store.signed(number)
    (keys.trusted(home) or keys.public(home)).check(signed.content, signed.signature)
    manifest = store.check(number)
    if as_json:
        json_line("release", {**_told(manifest), "whole": True})
    else:
        print_parts(screen.verified(manifest))


@release.group()
def key() -> None:
    """The key that signs releases.

    Example: fleet release key init
    """


@key.command()
@_json
@click.pass_context
def init(ctx: click.Context, as_json: bool) -> None:
    """Make the key, once. Sites are given its public half when they are added.

    Example: fleet release key init
    """
    from fleet.remote.releases import keys, screen

    found, made = keys.init(home_of(options_of(ctx)))
    if as_json:
        json_line("release", {"key": found.text, "fingerprint": found.fingerprint, "made": made})
    else:
        print_parts(screen.key(found, made=made))


@key.command("show")
@_json
@click.pass_context
def show_key(ctx: click.Context, as_json: bool) -> None:
    """Print the public key and its fingerprint.

    Example: fleet release key show
    """
    from fleet.remote.releases import keys, screen

    found = keys.public(home_of(options_of(ctx)))
    if as_json:
        json_line("release", {"key": found.text, "fingerprint": found.fingerprint, "made": False})
    else:
        print_parts(screen.key(found, made=False))


def _told(manifest: Manifest) -> dict[str, Any]:
    return {
        "number": manifest.number,
        "digest": manifest.digest,
        "note": manifest.note,
        "built": manifest.at,
        "profiles": dict(manifest.profiles),
        "files": len(manifest.files),
        "bytes": sum(manifest.blobs.values()),
    }
