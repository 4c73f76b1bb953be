"""What the bench of a simulated site has recorded: a real export of a real registry, made once, with other names."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.million.reports import check_in
from bench.million.world import World
from fleet.check_ins import CheckIn
from fleet.db import snapshot
from fleet.home import Home
from fleet.ledger_export import export
from fleet.units import open_registry
from fleet.values import Json, canonical
from provision.progress import now

_BENCH, _SITE = "0123456789abcdef", "XXSITEXX"
_PREV = re.compile(r'"prev":"[0-9a-f]*"')


@dataclass(frozen=True)
class Recorded:
    """``events`` and ``health`` are lines of an export, with the names of no site in particular."""

    at: str
    events: Sequence[str]
    health: Sequence[str]

    def of(self, site: int, after: int) -> bytes:
        """The export of this site's chain from the event after ``after`` on, with its own hashes."""
        bench, name = bench_of(site), f"{site:08}"
        hashes, lines = [""], []
        for line in self.events:
            told = _PREV.sub(f'"prev":"{hashes[-1]}"', line.replace(_BENCH, bench).replace(_SITE, name), count=1)
            hashes.append(hashlib.sha256(told.encode()).hexdigest())
            lines.append(told)
        end: dict[str, Json] = {"seq": len(lines), "hash": hashes[-1]}
        chain: dict[str, Json] = {"bench": bench, "name": f"bench {site}", "first": after + 1, "prev": hashes[after]}
        left = lines[after:]
        # Readings are in no chain: those since the event that is known come again, as from a real site.
        measured = [line.replace(_BENCH, bench).replace(_SITE, name) for line in self.health] if left else []
        counts = {"events": len(left), "health": len(measured), "names": 0}
        chains: list[Json] = [{**chain, **end}] if left else []
        header = canonical({"schoolbag": "ledger", "v": 1, "at": self.at, "chains": chains, **counts})
        whole = "".join(f"{line}\n" for line in (header, *left, *measured)).encode()
        return whole + canonical({"sha256": hashlib.sha256(whole).hexdigest()}).encode() + b"\n"


def bench_of(site: int) -> str:
    """The id of its bench."""
    return f"b{site:015x}"


def recorded(devices: int) -> Recorded:
    """The chain of a bench that brought so many devices to a profile, once each."""
    world = World(max(devices, 1000))
    at = now()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.make()
        (home.path / "bench.json").write_text(f'{{"id": "{_BENCH}", "name": "{_SITE}"}}\n')
        with open_registry(home, None, "site") as registry:
            registry.record_many(_renamed(check_in(world, unit, 300, at), unit) for unit in range(devices))
            file = Path(folder) / "ledger"
            with snapshot(registry.engine) as conn:
                header = export(conn, file, at)
        lines = file.read_text("utf-8").splitlines()
    return Recorded(at, lines[1 : 1 + header.events], lines[1 + header.events : -1])


def _renamed(one: CheckIn, unit: int) -> CheckIn:
    said = one.report
    assert said.identity is not None
    assert said.facts is not None
    identity = replace(said.identity, serial=f"{_SITE}{unit:04}")
    return one._replace(report=replace(said, identity=identity, facts=replace(said.facts, identity=identity)))
