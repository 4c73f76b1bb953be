"""What events change of what is far away: releases, sites, pushes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleet.models import push_sites, pushes, releases, sites
from fleet.rows import Mine
from fleet.values import Event, canonical


def _release_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``release.set``: number, digest, note, profiles (name to digest), files, bytes. A number is given once."""
    if mine.one(releases):
        return
    told = {name: body[name] for name in ("number", "digest", "note", "files", "bytes")}
    mine.put(releases, {**told, "profiles": canonical(body["profiles"]), "at": event.at, "actor": event.actor})


def _site_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``site.set``: ``fields``, the columns address, host_key and bench that are new or changed. It is in use again."""
    before = mine.one(sites) or {"since": event.at}
    mine.put(sites, {**before, **body["fields"], "removed_at": None})


def _site_removed(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    """``site.removed``: nothing is sent there any more; what it reported stays."""
    if mine.one(sites):
        mine.put(sites, {"removed_at": event.at})


def _site_wanted(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``site.wanted``: release, the number that the site should have from now on."""
    if mine.one(sites):
        mine.put(sites, {"wanted": body["release"], "wanted_at": event.at})


def _site_reported(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``site.reported``: release and digest, what the site said is in force there; null is none."""
    if mine.one(sites):
        told = {"reported": body["release"], "reported_digest": body["digest"], "reported_at": event.at}
        mine.put(sites, told)


def _push_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``push.set``: number, release, via, rules and sites (name to wave) when it begins; later state, why and the wave
    that is open now alone. ``clock``: what the clock said, of pushes via agents."""
    changed = {"state": body["state"], "why": body["why"], "changed": event.at, "clock": body.get("clock")}
    if "wave" in body:
        changed["wave"] = body["wave"]
    if mine.one(pushes):
        mine.put(pushes, changed)
        return
    told = {name: body[name] for name in ("number", "release")}
    first = {"rules": canonical(body["rules"]), "at": event.at, "actor": event.actor, "wave": 1}
    first["via"] = body.get("via", "site")
    mine.put(pushes, {**told, **first, **changed})
    for site, wave in body["sites"].items():
        mine.put(push_sites, {"site": site, "wave": wave})


REMOTE_KINDS: Mapping[str, Callable[[Mine, Event, Mapping[str, Any]], None]] = {
    "release.set": _release_set,
    "site.set": _site_set,
    "site.removed": _site_removed,
    "site.wanted": _site_wanted,
    "site.reported": _site_reported,
    "push.set": _push_set,
}
