"""What a site recorded comes to the hub: its own chain, and nothing that is the hub's to write."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from fleet.db import snapshot, transaction
from fleet.errors import FileError, OtherKey
from fleet.ledger import End, chain_ends
from fleet.ledger_merge import Trust, take_over
from fleet.projections_agents import ORDERS
from fleet.projections_remote import REMOTE_KINDS
from fleet.remote.errors import SiteError
from fleet.remote.wire.session import Hello, Session
from fleet.units import Registry
from provision.progress import now


@dataclass(frozen=True)
class Collected:
    """``mark``: by which it is known for unchanged the next time; ``new``: something came.

    ``remark``: why nothing was taken over, and ``next_action``, where that is no fault of the site's.
    """

    mark: str | None
    new: bool = False
    remark: str = ""
    next_action: str = ""


def collect(
    session: Session, registry: Registry, site: str, hello: Hello, known: str | None, *, more: bool
) -> Collected:
    """Take over what is new. SiteError for a chain that is not what it was.

    ``known`` is the mark of the last time; ``more``: it may have recorded something since its hello. The last event
    that we have is asked for again: a chain that was set back does not have it.
    """
    with snapshot(registry.engine) as conn:
        end = chain_ends(conn, hello.bench).get(hello.bench)
    if not more and hello.mark is not None and (hello.mark == known or (hello.mark == "" and end is None)):
        return Collected(hello.mark)
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        path = Path(folder) / "ledger"
        mark = session.ledger(max(end.seq - 1, 0) if end else 0, path)
        try:
            new = _take(registry, path, hello.bench, site, end)
        except OtherKey as error:
            return Collected(
                None, remark=f"{site}: what it recorded was not taken over: {error.what}", next_action=_KEYS
            )
        except FileError as error:
            raise SiteError(
                f"{site}: what it recorded cannot be taken over: {error.what}", error.next_action
            ) from error
    return Collected(mark, new)


_KEYS = (
    "The release is in force there. Benches need one key before their first list (fleet vault restore, there); to take "
    "over apart what it recorded: fleet ledger export there, fleet ledger merge --other-key here."
)


def _take(registry: Registry, path: Path, bench: str, site: str, end: End | None) -> bool:
    """Whether something came that was not here."""
    with transaction(registry.engine) as conn:
        taken = take_over(conn, [path], now(), Trust(bench, ORDERS | REMOTE_KINDS.keys()))
        if end and not taken.known and not taken.events:
            raise SiteError(
                f"{site}: what it recorded ends before event {end.seq}, which it sent us once.",
                "Was an old copy put back there? That is done with fleet database restore; then add the site under "
                "another name.",
            )
        return taken.events > 0
