"""What a site's own bench recorded, as it goes to the hub."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fleet.db import database_of, reading
from fleet.home import Home, Options
from fleet.ledger_export import After, export
from provision.progress import now


@contextmanager
def own_chain(home: Home, options: Options, after: int) -> Iterator[tuple[BinaryIO, int]]:
    """A file with the events of this bench after number ``after``, and its size in bytes. Gone afterwards."""
    if type(after) is not int or after < 0:
        raise ValueError(after)
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        path = Path(folder) / "ledger"
        with reading(database_of(options.database, home)) as conn:
            export(conn, path, now(), only=After(home.bench().id, after))
        with path.open("rb") as file:
            yield file, path.stat().st_size
