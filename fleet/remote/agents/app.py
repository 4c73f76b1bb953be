"""The requests of agents, and what each is answered (facts, Android 3.5). Stateless: any number of these may stand
behind any balancer.

What is unknown, dead, wrongly signed or not there gets one and the same answer; what is our own fault gets another.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fleet.remote.agents import answers, doing, pages
from fleet.remote.agents.configurations import NoDocument
from fleet.remote.agents.front import MOST_BYTES, Front, Networks
from fleet.remote.agents.polling import Poll
from fleet.remote.agents.rates import unlimited
from fleet.remote.agents.reading import Known
from fleet.remote.agents.records import hashed
from fleet.remote.agents.reports import BadReport, parse
from fleet.remote.agents.service import Service, now
from profiles.errors import SchoolbagError
from provision.agents import headwind

_POLL = 240.0
"""Seconds that an agent waits for news at the longest; it gives up after 300."""

_BODY = 20.0
_STALLED = 60.0
"""Seconds for the whole body of a request, and for a client to take a piece of the answer."""

_HASH = re.compile(r"[0-9a-f]{64}")
_JSON = "application/json"


def app(service: Service, *, behind: Networks = ()) -> Front:
    """The application. ``behind``: balancers that are believed."""
    requests = Requests(service)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        beside = [asyncio.create_task(service.warm()), asyncio.create_task(service.judge())]
        yield
        for task in beside:
            task.cancel()
        await service.close()

    number = "{number}"
    both = ["GET", "POST"]
    inner = Starlette(
        routes=[
            Route(f"/{headwind.CONFIGURATION}/{number}", requests.configuration, methods=both),
            Route(f"/{headwind.INFO}", requests.info, methods=["POST"]),
            Route(f"/rest/notification/polling/{number}", requests.long_poll),
            Route(f"/rest/notifications/device/{number}", requests.poll),
            Route(f"/{headwind.FILES}/{{sha256}}/{{name}}", requests.file),
            Route(f"/rest/public/sync/applicationSettings/{number}", requests.dropped, methods=["POST"]),
            Route(f"/rest/plugins/devicelog/log/rules/{number}", requests.no_rules),
            Route(f"/rest/plugins/devicelog/log/list/{number}", requests.dropped, methods=["POST"]),
            Route(f"/rest/plugins/devicereset/public/{number}", requests.confirms("wipe"), methods=["POST"]),
            Route(f"/rest/plugins/devicereset/public/reboot/{number}", requests.confirms("reboot"), methods=["POST"]),
            Route(f"/rest/plugins/devicereset/public/password/{number}", requests.dropped, methods=["POST"]),
            Route("/message/{place}", requests.message, methods=["GET"]),
            Route("/health", requests.health, methods=["GET"]),
        ],
        exception_handlers={
            404: requests.is_nothing,
            405: requests.is_nothing,
            SchoolbagError: requests.is_ours,
            TooLong: requests.is_too_long,
            TooOften: requests.is_too_often,
        },
        lifespan=lifespan,
    )
    inner.router.redirect_slashes = False
    return Front(inner, behind) if service.home else Front(inner, often=unlimited())


class TooLong(Exception):
    """A body that is too big, or does not come."""


class TooOften(Exception):
    """A number that nobody has, from an address that tried many."""


class Requests:
    """One method per route."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def configuration(self, request: Request) -> Response:
        """What a phone should be."""
        service, number = self._service, request.path_params["number"]
        if not self._may(number):
            return Response(status_code=429)
        known = await self._known(request, number)
        secret = await service.signed_by(known, number, _signature(request))
        if known is None or not secret:
            if known is not None:
                service.noticed(known.number, "missigned", "")
            return self._nothing(request)
        if request.method == "POST":
            await _body(request)
        known = await service.given(known)
        document = await service.document(known.wanted)
        asking = await service.asking(known, document, host=_host(request))
        todo = doing.todo(known.orders)
        whole = service.is_whole(document)
        body = service.answers.configuration(number, service.api(known), document, todo, asking)
        await service.note(answers.given(known, document, now(), home=service.home, whole=whole))
        service.noticed(known.number, "answered", known.wanted)
        after = BackgroundTask(service.settle, known)
        return _json(body, {"X-Response-Signature": answers.response_signature(secret, body)}, after)

    async def info(self, request: Request) -> Response:
        """How a phone is: a hint, kept as such."""
        service = self._service
        try:
            report = parse(await _body(request))
        except BadReport:
            return self._nothing(request)
        if not self._may(report.number):
            return Response(status_code=429)
        known = await self._known(request, report.number)
        if known is None:
            return self._nothing(request)
        document = await service.fetched(known)
        contact = answers.told(known, report, document, now(), home=service.home)
        if not await service.desk.keep(contact, _BODY):
            return _ours()
        service.noticed(known.number, "told", "")
        return _json(answers.OK_)

    async def poll(self, request: Request) -> Response:
        """What news there are."""
        return await self._poll(request, None)

    async def long_poll(self, request: Request) -> Response:
        """The same, as soon as there are any."""
        with self._service.waiting.poll(hashed(request.path_params["number"])) as poll:
            return Response(status_code=429) if poll is None else await self._poll(request, poll)

    async def _poll(self, request: Request, poll: Poll | None) -> Response:
        service, number = self._service, request.path_params["number"]
        if not self._may(number):
            return Response(status_code=429)
        known = await self._known(request, number)
        text = request.state.project.strip("/") + headwind.polled(number, long=poll is not None)
        if known is None or not await service.signed_by(known, text, _signature(request)):
            return self._nothing(request)
        await service.note(answers.asked(known, now(), home=service.home))
        if poll is None:
            return _json(await self._news(known, request) or answers.NO_NEWS)
        leaving = asyncio.create_task(_leaves(request, poll))
        try:
            return await self._wait(known, number, request, poll, leaving)
        finally:
            leaving.cancel()

    async def _wait(
        self, known: Known | None, number: str, request: Request, poll: Poll, leaving: asyncio.Task[None]
    ) -> Response:
        service = self._service
        until = time.monotonic() + _POLL * random.uniform(0.8, 1)  # noqa: S311 - so that not all come back at once
        while known is not None:
            if body := await self._news(known, request):
                return _json(body)
            poll.unit = known.unit
            woken = await poll.wait(max(0.0, until - time.monotonic()))
            if not woken or service.waiting.closed or leaving.done():
                return _json(answers.NO_NEWS)
            known = await service.known(number)
        return self._nothing(request)

    async def _news(self, known: Known, request: Request) -> bytes:
        """What an agent is told now, if anything; the same not over and over."""
        service = self._service
        newest = max((order.changed for order in known.orders), default="")
        told = answers.news(known, now()) and await self._can_be_given(known)
        told = told and service.told.first(f"{known.number} {known.wanted} {newest}")
        messages = answers.messages(known.orders)
        shown = next((one for one in messages if service.shown.first(f"{known.number} {one.id}")), None)
        if not told and shown is None:
            return b""
        document = await service.document(known.wanted)
        base = service.base(document, _host(request))
        return answers.pushed(told, f"{base}/message/{pages.place(shown.id, known.number)}" if shown else "")

    async def _can_be_given(self, known: Known) -> bool:
        """Whether there is something new that is whole on this computer."""
        try:
            return answers.news(await self._service.given(known), now())
        except NoDocument as error:
            self._service.warn(error)
            return False

    async def file(self, request: Request) -> Response:
        """A content that a document names, whole or in parts."""
        service, sha256 = self._service, request.path_params["sha256"]
        if not _HASH.fullmatch(sha256):
            return self._nothing(request)
        names = await service.naming(sha256)
        text = f"{sha256}/{request.path_params['name']}"
        if not answers.signed_by(service.secrets_of(names), text, _signature(request)):
            return self._nothing(request)
        path = await service.desk.read(service.blobs.path, sha256)
        if path is None:
            return _ours()
        tag = f'"{sha256}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        noticed = partial(service.noticed, request.state.project.strip("/"))
        return _Patient(path, noticed, headers={"etag": tag}, media_type="application/octet-stream")

    async def no_rules(self, request: Request) -> Response:
        """Which of its log a phone should send: nothing."""
        known = await self._known(request, request.path_params["number"])
        return self._nothing(request) if known is None else _json(answers.NO_NEWS)

    async def dropped(self, request: Request) -> Response:
        """What agents send and nobody wants."""
        await _body(request)
        known = await self._known(request, request.path_params["number"])
        return self._nothing(request) if known is None else _json(answers.OK_)

    def confirms(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """What an agent says right before it does what it was ordered."""

        async def confirm(request: Request) -> Response:
            await _body(request)
            known = await self._known(request, request.path_params["number"])
            if known is None or not await self._service.confirm(known, kind):
                return self._nothing(request)
            return _json(answers.OK_)

        return confirm

    async def message(self, request: Request) -> Response:
        """The page of a message: that it is opened is its confirmation."""
        guesses = f"pages {request.state.address}"
        if self._service.wrong.is_spent(guesses):
            raise TooOften
        text = await self._service.opened(request.path_params["place"])
        if text is None:
            self._service.wrong.take(guesses)
            return self._nothing(request)
        return HTMLResponse(pages.page(text), headers=pages.HEADERS)

    async def health(self, _request: Request) -> Response:
        """For balancers: whether this server can answer. ``missing``: how many contents are not on this computer."""
        return JSONResponse({"status": "OK", "missing": len(await self._service.missing())})

    async def is_nothing(self, request: Request, _error: Exception) -> Response:
        """No such route."""
        return self._nothing(request)

    async def is_ours(self, _request: Request, error: Exception) -> Response:
        """The registry is away, or a secret or a document is not to be had."""
        assert isinstance(error, SchoolbagError)
        self._service.warn(error)
        return _ours()

    async def is_too_long(self, _request: Request, _error: Exception) -> Response:
        """A body that we do not take."""
        return Response(status_code=413, headers={"connection": "close"})

    async def is_too_often(self, _request: Request, _error: Exception) -> Response:
        """Who tries numbers."""
        return Response(status_code=429, headers={"retry-after": "60", "connection": "close"})

    async def _known(self, request: Request, number: str) -> Known | None:
        """The enrolment with this number, if it lives. TooOften, RegistryError.

        Dead phones may share their address with living ones: those are let through, whatever came from there.
        """
        service = self._service
        if service.wrong.is_spent(request.state.address) and not await service.lives(number):
            raise TooOften
        return await service.known(number)

    def _may(self, number: str) -> bool:
        return self._service.by_number.take(number[:64])

    def _nothing(self, request: Request) -> Response:
        self._service.wrong.take(request.state.address)
        return Response(answers.NOTHING, 404, media_type=_JSON)


class _Patient(FileResponse):
    """A file for a client that takes it, however slowly; not for one that has stopped."""

    def __init__(self, path: Path, noticed: Callable[[str, str], None], **words: Any) -> None:
        super().__init__(path, **words)
        self._noticed = noticed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(_STALLED):
                await send(message)

        self._noticed("fetches", "")
        try:
            with suppress(TimeoutError):  # less than all of it is the end of the connection
                await super().__call__(scope, receive, patiently)
        finally:
            self._noticed("fetched", "")


async def _body(request: Request) -> bytes:
    """All of the body. TooLong when it is too big, or takes too long."""
    found = bytearray()
    try:
        async with asyncio.timeout(_BODY):
            async for piece in request.stream():
                found += piece
                if len(found) > MOST_BYTES:
                    raise TooLong
    except (TimeoutError, ClientDisconnect):
        raise TooLong from None
    return bytes(found)


async def _leaves(request: Request, poll: Poll) -> None:
    """Until the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    poll.wake()


def _signature(request: Request) -> str:
    return request.headers.get("x-request-signature", "")


_HERE = re.compile(r"(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")


def _host(request: Request) -> str:
    """By what name a phone at the bench reached us."""
    said = request.headers.get("host", "")
    return said if _HERE.fullmatch(said) else "localhost"


def _json(body: bytes, headers: Mapping[str, str] | None = None, after: BackgroundTask | None = None) -> Response:
    return Response(body, media_type=_JSON, headers=headers, background=after)


def _ours() -> Response:
    return Response(answers.OURS, 503, media_type=_JSON)
