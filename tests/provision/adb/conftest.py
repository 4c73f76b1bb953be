from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from provision.android.adb import Link
from tests.provision.adb.scripted import Handler, ScriptedServer, phone

Attach = Callable[..., Link]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def attach(stack: ExitStack) -> Attach:
    """A link to the one phone of a scripted server, which answers its services as prescribed."""

    def attach(service: Handler, *, features: bytes = b"shell_v2,cmd,stat_v2", timeout: float = 5) -> Link:
        scripted = stack.enter_context(ScriptedServer(phone(service, features=features)))
        server = scripted.server(timeout)
        return server.link(server.devices()[0])

    return attach
