from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from examples.programmes.play import read
from tests.benches import Bench
from tests.programmes.playing import Played, played


@pytest.fixture(scope="module")
def on_a_bench(adb_server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Played]]:
    """Plays a programme with its virtual devices behind the real adb server."""
    benches: list[Bench] = []

    def play(name: str) -> Played:
        home: Path = tmp_path_factory.mktemp(name)
        programme = read(name)
        spec = yaml.safe_load((programme.folder / programme.bench).read_text(encoding="utf-8"))
        benches.append(Bench(adb_server, spec, home))
        return played(name, home, adb_server)

    yield play
    for bench in benches:
        bench.close()
