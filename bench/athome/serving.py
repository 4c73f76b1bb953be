"""Servers in a process of their own, on one processor: ours, and a bare route that does the same read.

python -m bench.athome.serving ours|bare HOME DATABASE FILES PROCESSOR
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Any

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.athome.world import SECRET
from fleet.home import Home
from fleet.remote.agents.blobs import Blobs
from fleet.remote.agents.desk import READERS
from fleet.remote.agents.front import networks
from fleet.remote.agents.reading import Reader
from fleet.remote.agents.records import hashed
from fleet.remote.agents.server import Place, Server, listen
from fleet.remote.agents.service import Service
from fleet.units import Registry, open_registry
from profiles.load import load
from profiles.secrets import Secrets
from provision.agents.headwind import CONFIGURATION
from provision.android.agent_document import files


def ours(registry: Registry, folder: Path, place: socket) -> uvicorn.Server:
    """The server as ``fleet serve`` has it, but with the contents of a profile."""
    known = Secrets({"FLEET_SECRET_AGENT": SECRET})
    service = Service(registry, Blobs(paths=files(load(str(folder / "many.yaml"), known))), known, home=True)
    return Server(service, Place(place, behind=networks(["127.0.0.1"])))


def bare(registry: Registry, _folder: Path, _place: socket) -> uvicorn.Server:
    """A route that reads the same rows, by as many connections that stay open, and says one field of them."""
    query = Reader(registry, home=True).standing().one
    engine = registry.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="AUTOCOMMIT", writing="beside")
    local = threading.local()

    def read(request: Request) -> JSONResponse:
        if not hasattr(local, "conn"):
            local.conn = engine.connect()
        rows = local.conn.execute(query, {"number": hashed(request.path_params["number"])}).all()
        local.conn.rollback()
        return JSONResponse({"status": "OK", "data": rows[0].unit})

    @asynccontextmanager
    async def few_threads(_: Starlette) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = READERS
        yield

    app = Starlette(routes=[Route(f"/{CONFIGURATION}/{{number}}", read)], lifespan=few_threads)
    config: dict[str, Any] = {"log_config": None, "access_log": False, "http": "h11", "loop": "asyncio"}
    return uvicorn.Server(uvicorn.Config(app, **config))


def main() -> None:
    kind, home, database, folder, processor = sys.argv[1:]
    os.sched_setaffinity(0, {int(processor)})
    with open_registry(Home(Path(home)), database, "bench") as registry, listen("127.0.0.1", 0) as place:
        server = {"ours": ours, "bare": bare}[kind](registry, Path(folder), place)
        print(place.getsockname()[1], flush=True)
        asyncio.run(server.serve([place]))


if __name__ == "__main__":
    main()
