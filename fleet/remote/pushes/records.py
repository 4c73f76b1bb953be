"""Pushes to sites: how one begins, and which sites it goes to. How the work stands is in :mod:`.work`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from fleet.ledger import Ledger
from fleet.models import push_sites
from fleet.remote.errors import PushError
from fleet.remote.pushes import work
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import Rules


def begin(conn: Connection, ledger: Ledger, release: int, rules: Rules, waves: Mapping[str, int], now: str) -> Push:
    """Record a push; each of its sites should have the release from now on. The same again goes on with the one there.

    A push that is not over, but has nothing left that this one has not, is replaced. PushError when it has.
    """
    for one in kept.active(conn, Via.SITE):
        if (one.release, one.rules, sites_of(conn, one.name)) == (release, rules, dict(waves)):
            work.again(conn, one.name, now)
            kept.change(conn, ledger, one, State.RUNNING, "")
            return kept.one_of(conn, one.name)
        left = set(work.unfinished(conn, one.name))
        if left & waves.keys() and left - waves.keys():
            other = min(left - waves.keys())
            raise PushError(
                f"{one.name}, of release {one.release}, is not over: {other} is still to come, and is not in this one.",
                f"Wait, name that site too, or end it: fleet push abort {one.name}",
            )
    number = kept.next_number(conn)
    name = f"push-{number}"
    for one in kept.active(conn, Via.SITE):
        if set(work.unfinished(conn, one.name)) <= waves.keys():
            kept.change(conn, ledger, one, State.ABORTED, f"replaced by {name}")
    body: dict[str, Any] = {"v": 1, "state": State.RUNNING.value, "why": "", "number": number, "release": release}
    ledger.append(conn, "push.set", name, {**body, "rules": rules.told(), "sites": dict(waves)})
    ledger.append_many(conn, (("site.wanted", site, {"v": 1, "release": release}) for site in waves))
    work.lay_out(conn, name, waves, now)
    return kept.one_of(conn, name)


def sites_of(conn: Connection, name: str) -> dict[str, int]:
    """The wave of each of its sites."""
    query = select(push_sites.c.site, push_sites.c.wave).where(push_sites.c.push == name)
    return {row.site: row.wave for row in conn.execute(query)}
