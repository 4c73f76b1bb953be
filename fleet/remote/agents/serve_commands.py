"""``fleet serve``: answers the agents of phones that are at home."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of
from fleet.home import home_of

if TYPE_CHECKING:
    from fleet.remote.agents.front import Networks
    from fleet.remote.agents.server import Place

_PATIENCE = 5.0
"""Seconds that a writer waits for others: an agent gives up after ten."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0 takes a free one.")
@click.option("--cert", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Certificate chain (PEM).")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Its private key (PEM).")
@click.option("--behind", multiple=True, metavar="CIDR", help="A balancer whose X-Forwarded-For is believed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def serve(
    ctx: click.Context,
    host: str,
    port: int,
    cert: Path | None,
    key: Path | None,
    behind: Sequence[str],
    as_json: bool,
) -> None:
    """Answer the agents of phones at home: what they should be, files and apps, news; and hear how they are.

    Any number of these may run on one registry, behind any balancer; each needs the secret that the agents were built
    with, and the releases that phones get. Without --cert it listens on this computer alone, for a balancer that
    does TLS. It ends at SIGTERM or Ctrl-C. More is in docs/agents.md.

    Example: fleet serve --host 0.0.0.0 --port 443 --cert chain.pem --key key.pem
    """
    if (cert is None) != (key is None):
        raise click.UsageError("--cert and --key go together.")
    if cert is None and not _is_here(host):
        raise click.UsageError(
            "Everybody on the way would read plain http along: pass --cert FILE --key FILE, or listen on 127.0.0.1."
        )
    _check_certificate(cert, key)
    ended = _serve(ctx, _listening(host, port, cert, key, _balancers(behind)), as_json)
    if ended == signal.SIGINT:
        raise click.Abort
    ctx.exit(0)


def _serve(ctx: click.Context, place: Place, as_json: bool) -> int:
    """The signal that ended it."""
    from fleet.remote.agents.blobs import Blobs
    from fleet.remote.agents.server import Server
    from fleet.remote.agents.service import Service
    from fleet.remote.releases.store import Store
    from fleet.units import open_registry
    from profiles.secrets import Secrets

    options = options_of(ctx)
    home = home_of(options)
    host, port = place.socket.getsockname()[:2]
    url = f"{'https' if place.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    with place.socket, open_registry(home, options.database, options.actor, patience=_PATIENCE) as registry:
        secrets = Secrets(os.environ, home.secrets_file)
        server = Server(Service(registry, Blobs(Store(home)), secrets, home=True), place)
        _tell(as_json, "listening", url)
        asyncio.run(server.attend())
    _tell(as_json, "stopped", url)
    return server.ended_by


def _listening(host: str, port: int, cert: Path | None, key: Path | None, behind: Networks) -> Place:
    from fleet.remote.agents.server import Place, listen

    try:
        return Place(listen(host, port), cert, key, behind)
    except OSError as error:
        raise click.UsageError(f"Nobody can listen on {host}, port {port}: {error.strerror}.") from error


def _check_certificate(cert: Path | None, key: Path | None) -> None:
    if cert is None or key is None:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise click.UsageError(
            f"--cert and --key are no certificate with its key: {error}. Both are PEM; the key has no password."
        ) from error


def _balancers(texts: Sequence[str]) -> Networks:
    from fleet.remote.agents.front import networks

    try:
        return networks(texts)
    except ValueError as error:
        raise click.UsageError(f"--behind: {error}.") from error


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _tell(as_json: bool, state: str, url: str) -> None:
    if as_json:
        json_line("serve", {"state": state, "url": url})
    else:
        click.echo("Stopped." if state == "stopped" else f"Agents are answered at {url}.")
