"""What is said of sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.remote.sites.records import Site
from fleet.remote.sites.visit import SKEW, Checked
from fleet.remote.wire.address import Address, HostKey
from provision.screen import text
from provision.text import amount, local_time


def host(address: Address, key: HostKey) -> str:
    """The host key, for a person to compare."""
    return (
        f"{address.host} shows this key ({key.kind}):\n  {key.fingerprint}\n"
        "At the site it is shown by: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    )


def listed(found: Sequence[Site]) -> Iterable[RenderableType]:
    """All of them, with what each has and should have."""
    if not found:
        yield Text("No site was added yet: fleet site add NAME ssh://user@host")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Site", "Address", "Has", "Should have", "Said so"):
        table.add_column(heading, overflow="fold")
    for site in found:
        told = local_time(site.reported_at) if site.reported_at else "never reached"
        table.add_row(*map(text, (site.name, str(site.address), _release(site.reported), _release(site.wanted), told)))
    yield table


def shown(site: Site) -> Iterable[RenderableType]:
    """One site."""
    yield text(f"{site.name}, {site.address}", "bold")
    yield text(f"Host key: {site.key.kind} {site.key.fingerprint}")
    yield text(f"Bench: {site.bench or 'not known: it was never reached'}")
    said = f", as it said at {local_time(site.reported_at)}" if site.reported_at else ""
    yield text(f"Has {_release(site.reported)}{said}; should have {_release(site.wanted)}.")


def checked(found: Iterable[Checked]) -> Iterable[RenderableType]:
    """How each is: what it said, or why not and what to do."""
    for one in found:
        if one.hello is None:
            yield text(f"{one.site}: {one.error.what if one.error else ''}", "red")
            if one.error and one.error.next_action:
                yield text(f"  {one.error.next_action}")
            continue
        hello = one.hello
        yield text(
            f"{one.site}: well; fleet {hello.fleet}, bench {hello.name}, {amount(hello.free)} free, "
            f"{_release(hello.release)}."
        )
        if abs(one.skew) > SKEW:
            way = "ahead of" if one.skew > 0 else "behind"
            yield text(f"  Its clock is {abs(one.skew)} s {way} ours: set one of them (timedatectl).", "yellow")


def _release(number: int | None) -> str:
    return "no release" if number is None else f"release {number}"
