"""What a site's own bench recorded, as it goes to the hub."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL

from fleet.db import REVISIONS, database_of, looking, reading, writing
from fleet.home import Home, Options
from fleet.ledger_export import After, export
from provision.progress import now


def _upgraded(url: URL) -> None:
    """After an update of fleet nobody may have written yet: the hub is no reason to wait for that."""
    with looking(url) as (_, revision):
        old = revision in REVISIONS[:-1]
    if old:
        with writing(url):
            return


@contextmanager
def own_chain(home: Home, options: Options, after: int) -> Iterator[tuple[BinaryIO, int]]:
    """A file with the events of this bench after number ``after``, and its size in bytes. Gone afterwards."""
    if type(after) is not int or after < 0:
        raise ValueError(after)
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        path = Path(folder) / "ledger"
        url = database_of(options.database, home)
        _upgraded(url)
        with reading(url) as conn:
            export(conn, path, now(), only=After(home.bench().id, after))
        with path.open("rb") as file:
            yield file, path.stat().st_size
