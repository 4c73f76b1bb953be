"""What a phone is still to fetch, and what of it is too heavy for its SIM. Pure.

An agent can be told to leave all apps and files until it is on Wi-Fi, not some of them: where one is too heavy, all
wait.
"""

from __future__ import annotations

from fleet.remote.agents import quota, reports
from fleet.remote.agents.configurations import Document
from fleet.remote.agents.reading import Known


def heavy(document: Document, daily: int | None) -> frozenset[str]:
    """The contents (SHA-256) that wait for Wi-Fi on a SIM with so many bytes a day, ``None`` unknown."""
    every = (*document["apps"], *document["files"])
    return frozenset(one["sha256"] for one in every if quota.waits_for_wifi(one["size"], daily))


def counted_from(known: Known) -> str:
    """The digest of the configuration of which it is known best what the phone has: what it fetched, once its agent has
    told what came of that; until then what it confirmed last, or was set up with."""
    if _has_told(known):
        assert known.fetched is not None
        return known.fetched
    return known.confirmed or known.enrolled


def left(known: Known, document: Document, counted: Document | None) -> frozenset[str]:
    """The contents of what it should have (``document``) that it is still to fetch. ``counted`` is the document of
    :func:`counted_from`; without it everything."""
    if counted is None:
        return _contents(document)
    lacks = reports.lacking(known.drift, counted) if _has_told(known) else frozenset()
    return _contents(document) - (_contents(counted) - lacks)


def _has_told(known: Known) -> bool:
    """Since it fetched, and enough to know what it lacks."""
    if known.fetched is None:
        return False
    return known.fetched == known.confirmed or (known.told_at > known.fetched_at and bool(known.drift))


def _contents(document: Document) -> frozenset[str]:
    return frozenset(one["sha256"] for one in (*document["apps"], *document["files"]))
