"""How the units on a bench stand with the agents that are to own them; the bench's server runs where one is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from fleet.runs import key_of

if TYPE_CHECKING:  # a server is slow to load, and most runs need none
    from fleet.provisioning import OwnAgent
    from fleet.remote.agents.bench_server import BenchServer
    from fleet.units import Registry
    from profiles.schema import Profile
    from provision.model import Identity
    from provision.owned import Agent


@contextmanager
def own_agents(registry: Registry) -> Iterator[OwnAgent]:
    """Tells how a unit stands, for a run with this profile: from the first one on that is to enrol, a server listens.

    RegistryError, OSError for files of the profile.
    """
    with ExitStack() as until_the_end:
        alone = Lock()
        running: list[BenchServer] = []

        def server() -> BenchServer:
            from fleet.remote.agents.bench_server import bench_server

            with alone:
                if not running:
                    running.append(until_the_end.enter_context(bench_server(registry)))
                return running[0]

        def own_agent(who: Identity, profile: Profile, enrols: bool) -> Agent:
            from fleet.remote.agents.bench_server import standing

            unit = key_of(who.platform, who.serial)
            return server().agent_for(unit, profile, who.api) if enrols else standing(registry, unit, profile)

        yield own_agent
