"""When a file of a configuration became another one, for a phone: its ``lastUpdate``. New builds of the agent go by it
alone in what they fetch again; old ones go by the MD5 (provision.agents.configuration).

It has to be greater than whatever the phone was told of that place before, if the content is another one, and should
not grow where it is the same: the student pays for what is fetched twice. So it is the moment of the last push that
changed the content, counted from what the bench had set up; and that of the enrolment where none did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, select

from fleet.models import releases
from fleet.remote.agents.configurations import Configurations, Document, NoDocument
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Via

_MOST = 2000


@dataclass(frozen=True)
class Sent:
    """A push by way of agents. ``profile``: the one that is for all, "" none; ``digests`` by name of the profile."""

    name: str
    number: int
    at: str
    profile: str
    digests: Mapping[str, str]


@dataclass(frozen=True)
class History:
    """What a phone may have been told, before and with the push that it has or should have (by number, 0 none)."""

    enrolled: str
    profile: str
    first: int
    last: int


@dataclass
class Stamps:
    """Safe to share by threads."""

    configurations: Configurations
    _found: dict[History, Mapping[str, int]] = field(default_factory=dict)

    def known(self, history: History) -> Mapping[str, int] | None:
        """Files (by path) that were changed by pushes, and when (ms); ``None`` where it was not looked up yet."""
        return self._found.get(history)

    def of(self, history: History, sent: Iterable[Sent]) -> Mapping[str, int]:
        """The same; it may have to read documents, or make them. RegistryError."""
        if (already := self._found.get(history)) is not None:
            return already
        found, whole = self._changed(history, sent)
        if whole:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[history] = found
        return found

    def _changed(self, history: History, sent: Iterable[Sent]) -> tuple[Mapping[str, int], bool]:
        """And whether all documents were there."""
        found: dict[str, int] = {}
        before = self._files(history.enrolled)
        whole = before is not None
        for push in sent:
            digest = push.digests.get(push.profile or history.profile, "")
            if digest and history.first <= push.number <= history.last:
                files = self._files(digest)
                whole = whole and files is not None
                had, before = before or {}, files
                found.update({path: moment(push.at) for path, one in (files or {}).items() if had.get(path) != one})
        return found, whole

    def _files(self, digest: str) -> Mapping[str, str] | None:
        """``None`` where nobody knows them any more: then all have changed."""
        try:
            return _files(self.configurations.of(digest))
        except NoDocument:
            return None


def sent(conn: Connection) -> tuple[Sent, ...]:
    """All pushes by way of agents, oldest first."""
    profiles = {row.number: row.profiles for row in conn.execute(select(releases.c.number, releases.c.profiles))}
    found = [
        Sent(push.name, push.number, push.at, push.rules.profile, json.loads(profiles[push.release]))
        for push in kept.every(conn, Via.AGENT)
    ]
    return tuple(reversed(found))


def history(enrolled: str, at: str, profile: str, push: str | None, every: Iterable[Sent]) -> History:
    """What a phone may have been told that was enrolled with this digest and profile then."""
    numbers = {one.name: one.number for one in every}
    last = numbers.get(push or "", 0)
    first = min((one.number for one in every if one.at >= at), default=0) if last else 0
    return History(enrolled, profile, first, last)


def earlier(history: History, digest: str, every: Iterable[Sent]) -> History:
    """The same up to the newest push that made this digest wanted; where none did, up to what the bench set up."""
    last = max(
        (
            one.number
            for one in every
            if history.first <= one.number <= history.last and one.digests.get(one.profile or history.profile) == digest
        ),
        default=0,
    )
    return replace(history, first=history.first if last else 0, last=last)


def moment(at: str) -> int:
    """Milliseconds since 1970."""
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def _files(document: Document) -> Mapping[str, str]:
    return {one["path"]: one["sha256"] for one in document["files"]}
