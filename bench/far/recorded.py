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
        """The export of this site's chain from the event after ``after`` on: whole, with its own hashes."""
        bench, name = bench_of(site), f"{site:08}"
        prev, lines = "", []
        for line in self.events:
            told = _PREV.sub(f'"prev":"{prev}"', line.replace(_BENCH, bench).replace(_SITE, name), count=1)
            prev = hashlib.sha256(told.encode()).hexdigest()
            lines.append(told)
        chain: dict[str, Json] = {
            "bench": bench,
            "name": f"bench {site}",
            "first": 1,
            "prev": "",
            "seq": len(lines),
            "hash": prev,
        }
        fresh = after < len(lines)
        assert after in (0, len(lines)), "it comes in one piece"
        measured = [line.replace(_BENCH, bench).replace(_SITE, name) for line in self.health] if fresh else []
        counts = {"events": len(lines) if fresh else 0, "health": len(measured), "names": 0}
        header = canonical({"schoolbag": "ledger", "v": 1, "at": self.at, "chains": [chain] if fresh else [], **counts})
        whole = "".join(f"{line}\n" for line in (header, *(lines if fresh else ()), *measured)).encode()
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
