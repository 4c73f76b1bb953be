"""What every request has to pass before it is looked at: whose it is, how much it brings, how often it comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from fleet.remote.agents.rates import Rate

Networks = Sequence[IPv4Network | IPv6Network]

MOST_BYTES = 256 * 1024
"""Of the body of a request."""

_PROJECT = re.compile(r"/?/[A-Za-z0-9_.-]{1,64}(?=/(?:rest|files)/)|/(?=/)")
"""What agents may have between the address of the server and the path: their word for one of several customers."""


def networks(texts: Sequence[str]) -> Networks:
    """Addresses and networks (CIDR). ValueError for what is none."""
    return tuple(ip_network(text, strict=False) for text in texts)


@dataclass
class Front:
    """An application around ``app``. In ``state`` of a request it leaves ``address`` (of the agent, as text), and
    ``project`` with its slash, as it stands in the path.

    ``behind``: whose word it takes for the address of others. Behind an unnamed balancer all agents share one rate.
    """

    app: ASGIApp
    behind: Networks = ()
    often: Rate = field(default_factory=lambda: Rate(500, 2000))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        name = _name(self._address(scope, headers))
        if not self.often.take(name):
            await _refuse(send, 429, (b"retry-after", b"60"))
            return
        if _is_too_big(headers):
            await _refuse(send, 413)
            return
        project = _PROJECT.match(scope["path"])
        cut = project.group() if project else ""
        state = {"address": name, "project": cut}
        path = scope["path"][len(cut) :]
        await self.app({**scope, "path": path, "raw_path": path.encode(), "state": state}, receive, send)

    def _address(self, scope: Scope, headers: dict[bytes, bytes]) -> IPv4Address | IPv6Address:
        """The nearest that is not one of ours; every balancer adds the one that it was asked by at the end."""
        found = _ip(scope["client"][0] if scope.get("client") else "")
        hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        while hops and any(found in one for one in self.behind):
            before = _ip(hops.pop())
            if before == _NOBODY:
                break
            found = before
        return found


_NOBODY = ip_address("0.0.0.0")  # noqa: S104 - it listens nowhere: what is no address is counted as this one


def _ip(text: str) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(text.strip())
    except ValueError:
        return _NOBODY
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _name(address: IPv4Address | IPv6Address) -> str:
    """An address, or the network of one who has as many of them as they like."""
    if address.version == 6:
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)


def _is_too_big(headers: dict[bytes, bytes]) -> bool:
    said = headers.get(b"content-length", b"0")
    return not said.isdigit() or len(said) > 9 or int(said) > MOST_BYTES


async def _refuse(send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    closing = [(b"content-length", b"0"), (b"connection", b"close"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": closing})
    await send({"type": "http.response.body", "body": b""})
