"""A real worker that reaches simulated sites: ``python -m bench.far.worker HOME DATABASE AT-ONCE``."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.far.sites import Socket
from fleet.home import Home
from fleet.remote.errors import Unreachable
from fleet.remote.pushes.worker import Worker
from fleet.remote.sites.records import Site
from fleet.remote.wire.session import Session
from fleet.units import open_registry


@contextmanager
def reached(site: Site, home: Home) -> Iterator[Session]:  # noqa: ARG001
    """A session over TCP instead of SSH; the site is told which one it is."""
    try:
        one = socket.create_connection((site.address.host, site.address.port), 20)
    except OSError as error:
        raise Unreachable(f"{site.name} does not answer.", "") from error
    with one:
        one.settimeout(60)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.sendall(f"{int(site.name.rpartition('-')[2])}\n".encode())
        yield Session(Socket(one), site.name)


def main() -> int:
    home, database, at_once = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    logging.getLogger("procrastinate").propagate = False
    logging.getLogger("procrastinate").addHandler(logging.NullHandler())

    def tell(fields: dict[str, Any]) -> None:
        """Only what stands in the way of this worker itself."""
        if "error" in fields and "state" not in fields:
            sys.stderr.write(f"{fields}\n")

    with open_registry(Home(home), database, "worker", patience=120.0) as registry:
        Worker(registry, tell, at_once, reached).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
