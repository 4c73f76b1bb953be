"""What a server of agents has at hand, and what it makes of what they ask; the requests themselves are in ``app``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import select

from fleet.db import snapshot
from fleet.errors import RegistryError
from fleet.models import agent_contacts, agents
from fleet.remote.agents import answers, doing, fetching
from fleet.remote.agents.answers import Answers, Asking
from fleet.remote.agents.blobs import Blobs
from fleet.remote.agents.configurations import Configurations, Document, NoDocument
from fleet.remote.agents.contacts import Contact, stamp
from fleet.remote.agents.desk import Desk
from fleet.remote.agents.judging import judge
from fleet.remote.agents.orders import Kind, settle
from fleet.remote.agents.polling import Waiting
from fleet.remote.agents.rates import Lately, Rate
from fleet.remote.agents.reading import Known, Reader
from fleet.remote.agents.records import hashed
from fleet.remote.agents.stamps import Stamps, earlier, moment
from fleet.units import Registry
from profiles.errors import SchoolbagError
from profiles.secrets import Secrets

T = TypeVar("T")
LOG = logging.getLogger(__name__)

_TO_MAKE = 8.0
"""Seconds that an agent is kept waiting for a document; it waits 10 s itself."""

_TO_WRITE = 2.0
_TOLD = 60.0
_SHOWN = 600.0
"""Seconds after which the same is told once more: news to an agent, and what is wrong to the log; and a message."""

_JUDGED = 10.0
"""Seconds until pushes are looked at again that could not be judged."""

_LIVING = 10.0
"""Seconds for which it is believed which numbers live."""

_LOOKED = 2.0
_MOST_HEAVIES = 1000
_NEWEST = 1000

Noticed = Callable[[str, str, str], None]
"""Called with a (hashed) number, what its agent did just now, and the digest of what it was given. It was ``answered``,
it ``told`` how it is, it was ``missigned``; at a bench also that it ``fetches`` a file, or has ``fetched`` one."""


class Busy(SchoolbagError):
    """What was asked for cannot be had yet."""


@dataclass
class Service:
    """``home``: it is where phones reach it from home, not a bench's. ``apis``: of units on the bench that the registry
    may not know yet. Used by one loop; see :meth:`close`."""

    registry: Registry
    blobs: Blobs
    secrets: Secrets
    home: bool
    noticed: Noticed = lambda _number, _what, _digest: None
    apis: dict[str, int] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    by_number: Rate = field(default_factory=lambda: Rate(1, 120))
    wrong: Rate = field(default_factory=lambda: Rate(2, 100))
    """What came to nothing, by address: somebody is trying numbers, or has phones whose enrolment ended."""

    told: Lately = field(default_factory=lambda: Lately(_TOLD))
    shown: Lately = field(default_factory=lambda: Lately(_SHOWN))
    warned: Lately = field(default_factory=lambda: Lately(_TOLD))
    looked: Lately = field(default_factory=lambda: Lately(_LOOKED))
    configurations: Configurations = field(init=False)
    stamps: Stamps = field(init=False)
    reader: Reader = field(init=False)
    desk: Desk = field(init=False)
    waiting: Waiting = field(init=False)
    _living: tuple[float, frozenset[str]] = (0.0, frozenset())
    _making: dict[Hashable, asyncio.Future[Any]] = field(default_factory=dict)
    _revealed: dict[str, str] = field(default_factory=dict)
    _missed: set[str] = field(default_factory=set)
    _heavies: dict[tuple[str, int | None], frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.configurations = Configurations(self.registry)
        self.stamps = Stamps(self.configurations)
        self.reader = Reader(self.registry, self.home)
        self.desk = Desk(self.registry)
        self.waiting = Waiting(self.reader, self.desk, self.warn)

    async def close(self) -> None:
        """End the threads, and give the connections back."""
        self.waiting.close()
        await self.desk.close()
        self.reader.close()

    async def known(self, number: str) -> Known | None:
        """The enrolment with this device number, if it lives. RegistryError."""
        if not answers.NUMBER.fullmatch(number):
            return None
        return await self.desk.read(self.reader.one, hashed(number))

    async def lives(self, number: str) -> bool:
        """Whether an enrolment with this device number lived some seconds ago: one read for all who ask, however many
        there are. Busy, RegistryError."""
        if self._living[0] < time.monotonic():
            self._living = (
                time.monotonic() + _LIVING,
                await self._once("living", lambda: self.desk.work(self._numbers)),
            )
        return hashed(number) in self._living[1]

    def _numbers(self) -> frozenset[str]:
        with snapshot(self.registry.engine) as conn:
            return frozenset(conn.scalars(select(agents.c.number).where(agents.c.ended_at.is_(None))))

    async def document(self, digest: str) -> Document:
        """What agents are told of the profile with this digest. NoDocument, Busy, RegistryError."""
        if found := self.configurations.known(digest):
            return found
        return await self._once(digest, lambda: self.desk.make(self.configurations.of, digest))

    async def _once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What is made of this name, once for all who wait for it. Busy, and what ``make`` raises."""
        making = self._making.get(name)
        if making is None:
            making = self._making[name] = asyncio.ensure_future(make())
            making.add_done_callback(partial(self._forget, name))
        done, _ = await asyncio.wait([making], timeout=_TO_MAKE)
        if not done:
            raise Busy("What profiles say of phones is still being made.", "Ask again.")
        found: T = making.result()
        return found

    def _forget(self, name: Hashable, making: asyncio.Future[Any]) -> None:
        self._making.pop(name, None)
        if not making.cancelled():
            making.exception()  # perhaps nobody waits for it any more

    async def fetched(self, known: Known) -> Document | None:
        """What the phone was told to be; ``None`` where that is not to be had. RegistryError."""
        return await self._document(known.fetched) if known.fetched else None

    async def _document(self, digest: str) -> Document | None:
        try:
            return await self.document(digest)
        except (NoDocument, Busy):
            return None

    async def naming(self, sha256: str) -> frozenset[str]:
        """The names of the secrets by which this content may be asked for. RegistryError."""
        found = self.configurations.secrets_of(sha256)
        if not found and self.looked.first(""):
            await self.desk.work(self._look_again)
            found = self.configurations.secrets_of(sha256)
        return found

    def _look_again(self) -> None:
        """Read what other processes have made, as far as some phone may have it."""
        new = self.configurations.not_read()
        if new:
            self.configurations.read(new & self._digests())

    async def signed_by(self, known: Known | None, text: str, signature: str) -> str:
        """The secret by which a request of this phone is signed; "" when it is not, in about the same time.

        Its agent was built with the secret of a profile that it has or should have. NoDocument, NoSecret, Busy and
        RegistryError when none is to be had.
        """
        if known is None:
            return answers.signed_by((), text, signature)
        wanted = await self.document(known.wanted)
        if not wanted["secret"] or not wanted["server"]:
            raise NoDocument(
                f"The profile {wanted['profile']} has no owner that asks a server.", "Say so in it: owner."
            )
        if found := answers.signed_by([self.reveal(wanted["secret"])], text, signature):
            return found
        others = [await self._document(digest) for digest in known.digests[1:]]
        names = {one["secret"] for one in others if one and one["secret"]} - {wanted["secret"]}
        return answers.signed_by(self.secrets_of(names), text, signature)

    def reveal(self, name: str) -> str:
        """The secret of this name. NoSecret."""
        if name not in self._revealed:
            self._revealed[name] = self.secrets.get(name).reveal()
        return self._revealed[name]

    def secrets_of(self, names: Iterable[str]) -> list[str]:
        """The secrets of these names, as far as they are known here. NoSecret when there are names, and none is."""
        found, errors = [], []
        for name in sorted(names):
            try:
                found.append(self.reveal(name))
            except SchoolbagError as error:
                self.warn(error)
                errors.append(error)
        if errors and not found:
            raise errors[0]
        return found

    def api(self, known: Known) -> int:
        """The phone's; where nobody knows it the newest, as Android passes over restrictions that it does not know."""
        return self.apis.get(known.unit) or known.phone.api or _NEWEST

    def base(self, document: Document, host: str) -> str:
        """The address by which the phone reaches us: at home that in its profile, at a bench the one it used."""
        return str(document["server"]) if self.home else f"http://{host}"

    def _files(self, known: Known, document: Document, host: str) -> str:
        """Where it finds apps and files; at a bench so that we see who fetches them."""
        return self.base(document, host) + ("" if self.home else f"/{known.number}")

    async def given(self, known: Known) -> Known:
        """The same, as it can be answered from here: it should go on with what it has, where contents of what it
        should have are on other computers only. NoDocument, Busy, RegistryError."""
        document = await self.document(known.wanted)
        has = known.enrolled if known.fetched == answers.NOT_ALL else known.fetched
        if known.wanted == has or self.is_whole(document):
            return known
        before = has or known.enrolled
        had = await self._document(before)
        if had is None or before == known.wanted or not self.is_whole(had):
            raise NoDocument(
                f"Contents of the profile {document['profile']} ({known.wanted[:12]}…) are not on this computer.",
                "Bring its release here.",
            )
        return replace(known, wanted=before, history=earlier(known.history, before, self.reader.standing().sent))

    def is_whole(self, document: Document) -> bool:
        """Whether all contents that it names are here."""
        every = (*document["apps"], *document["files"])
        return all(self.has(one["sha256"]) for one in every)

    async def asking(self, known: Known, document: Document, *, host: str) -> Asking:
        """How the phone is answered. Busy, RegistryError."""
        changed = self.stamps.known(known.history)
        if changed is None:
            sent = self.reader.standing().sent
            changed = await self._once(known.history, lambda: self.desk.make(self.stamps.of, known.history, sent))
        return Asking(
            base=self._files(known, document, host),
            home=known.home_at is not None,
            holds=self.has,
            changed=changed,
            since=moment(known.enrolled_at),
            wifi=await self._waits(known, document),
        )

    async def _waits(self, known: Known, document: Document) -> bool:
        """Whether it is still to fetch, from home, what is too heavy for its SIM. RegistryError."""
        heavy = self._heavy(document, known.quota) if self.home else frozenset()
        if not heavy:
            return False
        counted = await self._document(fetching.counted_from(known))
        return any(self.has(sha256) for sha256 in heavy & fetching.left(known, document, counted))

    def has(self, sha256: str) -> bool:
        """Whether a content is here; what is not is said once."""
        here = self.blobs.holds(sha256)
        if not here and sha256 not in self._missed:
            self._missed.add(sha256)
            LOG.warning("The content %s… is not on this computer: no phone is told of it from here.", sha256[:12])
        return here

    def _heavy(self, document: Document, daily: int | None) -> frozenset[str]:
        key = (document["digest"], daily)
        if key not in self._heavies:
            if len(self._heavies) > _MOST_HEAVIES:
                self._heavies.clear()
            self._heavies[key] = fetching.heavy(document, daily)
        return self._heavies[key]

    def warn(self, error: SchoolbagError) -> None:
        """Log what stands in our way; the same not over and over."""
        if self.warned.first(str(error)):
            LOG.warning("%s", error)

    async def note(self, contact: Contact | None) -> None:
        """Keep a contact if that is soon done: nobody's answer depends on it."""
        try:
            await self.desk.keep(contact, _TO_WRITE)
        except RegistryError as error:
            self.warn(error)

    async def confirm(self, known: Known, kind: str) -> bool:
        """Whether this is what the unit was ordered, and its agent was told so; it is done then. RegistryError."""
        told = [one for one in known.orders if one.state == "begun" or one.changed <= known.fetched_at]
        given = [one for one in told if one.kind == kind]
        done = [await self.desk.work(doing.confirm, self.registry, known.unit, one.id) for one in given]
        return any(done)

    async def settle(self, known: Known) -> None:
        """What takes back another order is done by being told. It may take its time: nobody waits for it."""
        if any(order.kind in (Kind.UNLOCK, Kind.LOCATE_ON) for order in known.orders):
            try:
                await self.desk.work(settle, self.registry)
            except RegistryError as error:
                self.warn(error)

    async def opened(self, place: str) -> str | None:
        """The text of the message at this address, if there is one. RegistryError."""
        return await self.desk.work(doing.opened, self.registry, place)

    async def judge(self) -> None:
        """See every few seconds whether pushes go on, until cancelled. A bench's server leaves that to others."""
        while self.home:
            try:
                again = await self.desk.work(judge, self.registry)
            except SchoolbagError as error:
                self.warn(error)
                again = _JUDGED
            await asyncio.sleep(again)

    async def warm(self) -> None:
        """Make and read beforehand what phones will be answered with."""
        try:
            for digest in await self.desk.work(self._digests):
                await self._warm(digest)
        except RegistryError as error:
            self.warn(error)

    async def _warm(self, digest: str) -> None:
        try:
            document = await self.desk.make(self.configurations.of, digest)
        except SchoolbagError as error:
            self.warn(error)
        else:
            await self.desk.work(self._miss, document)

    def _miss(self, document: Document) -> None:
        for one in (*document["apps"], *document["files"]):
            self.has(one["sha256"])

    def _digests(self) -> set[str]:
        """Of what living enrolments were set up with, or fetched, and of what pushes make wanted."""
        lives = agents.c.ended_at.is_(None)
        with snapshot(self.registry.engine) as conn:
            found = set(conn.scalars(select(agents.c.digest).where(lives).distinct()))
            query = select(agent_contacts.c.fetched).join(agents, agents.c.number == agent_contacts.c.number)
            found.update(filter(None, conn.scalars(query.where(lives).distinct())))
        for going in self.reader.standing().pushes.pushes:
            found.update(going.digests.values())
        return found

    async def missing(self) -> list[str]:
        """Contents that phones should have and that are not here. RegistryError when the registry cannot be read."""
        await self.desk.read(self.reader.counted_orders)
        return await self.desk.work(self._gone)

    def _gone(self) -> list[str]:
        return sorted(one for one in self.configurations.contents() if not self.blobs.holds(one))


def now() -> str:
    """This moment, by the clock of the server: those of phones are not asked."""
    return stamp(datetime.now(UTC))
