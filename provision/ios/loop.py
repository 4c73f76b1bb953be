"""One asyncio loop in one thread for the process: pymobiledevice3 is async, everything else here is threads.

Its streams belong to the loop they were opened on, so there is one loop, and threads have their work done on it.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from profiles.once import once
from provision.errors import Stopped

T = TypeVar("T")

_LOG = logging.getLogger("fleet.device")
_LIBRARY = "pymobiledevice3"

Told = Callable[[int], None]
"""Takes the bytes sent since its last call."""

_ENDING_SECONDS = 3.0
"""For open connections to be closed in order when the program ends."""


_TELL_EVERY = 0.05
"""Seconds between two tellings of bytes sent."""


def _nothing(_count: int) -> None:
    pass


class Loop:
    """A running loop in a daemon thread. Thread-safe."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_noted)
        self._thread = threading.Thread(target=self._run, name="iphones", daemon=True)
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have ``work`` done; the future's ``cancel`` ends it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what is under way, let it close its connections, and end the thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_ENDING_SECONDS + 1)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=_ENDING_SECONDS))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def _noted(_loop: asyncio.AbstractEventLoop, what: Mapping[str, Any]) -> None:
    """What nobody waited for, such as the answer to the last piece before the cable was pulled, is news for the log
    only: whoever did the work was told."""
    _LOG.debug("%s %r", what.get("message", ""), what.get("exception"))


class _Unsaid(logging.Handler):
    """What pymobiledevice3 says of packets goes into our log, and never onto the screen by itself."""

    def emit(self, record: logging.LogRecord) -> None:
        _LOG.debug("%s: %s", record.name, record.getMessage())


@once
def shared() -> Loop:
    """The loop of this process, started when it is first needed."""
    library = logging.getLogger(_LIBRARY)
    library.addHandler(_Unsaid())
    library.propagate = False
    loop = Loop()
    atexit.register(loop.close)
    return loop


class _News:
    """Bytes that were sent, told to another thread a few times a second: told of each piece, that thread and the loop
    would wait for one another more than for the device."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[int | None] = SimpleQueue()
        self._count = 0
        self._due = False

    def told(self, count: int) -> None:
        """So many more; on the loop."""
        self._count += count
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(_TELL_EVERY, self._tell)

    def end(self) -> None:
        """That was all; None is the last news."""
        self._tell()
        self.queue.put(None)

    def _tell(self) -> None:
        self._due = False
        count, self._count = self._count, 0
        if count:
            self.queue.put(count)


class Calls:
    """What is under way for one device, so that it can be ended from any thread. Thread-safe."""

    def __init__(self) -> None:
        self._under_way: set[Future[Any]] = set()
        self._stopped = False

    def call(
        self, work: Callable[[Told], Coroutine[Any, Any, T]], seconds: float | None, progress: Told = _nothing
    ) -> T:
        """Wait until ``work`` is done and return its result.

        ``work`` is given a function for the bytes it has sent; ``progress`` is called with them in the calling thread,
        so that it may block without holding up other devices. Raises TimeoutError after ``seconds`` (``None``: ``work``
        bounds itself), and Stopped once :meth:`stop` was called.
        """
        self._check_stopped()
        news = _News()
        future = shared().begin(_bounded(work(news.told), seconds))
        self._under_way.add(future)
        future.add_done_callback(lambda _: news.end())
        try:
            if self._stopped:
                future.cancel()
            while (count := news.queue.get()) is not None:
                progress(count)
            return future.result()
        except CancelledError:
            self._check_stopped()
            raise
        finally:
            future.cancel()
            self._under_way.discard(future)

    def stop(self) -> None:
        """End what is under way, from any thread; it and all that follows raises Stopped."""
        self._stopped = True
        for future in tuple(self._under_way):
            future.cancel()

    def _check_stopped(self) -> None:
        if self._stopped:
            raise Stopped("Stopped while working on the device.", "Run again to finish it.")


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all of them, in order, or the first failure, raised when the others have ended too."""
    tasks = [asyncio.get_running_loop().create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def apart(work: Callable[[], T]) -> T:
    """The result of ``work`` on a thread of its own.

    Cancelled, it is not waited for: it goes on unseen and keeps neither other devices nor the program's end waiting,
    as it would in the pool of asyncio.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def tell(tells: Callable[[Any], None], what: object) -> None:
        if not result.done():
            tells(what)

    def run() -> None:
        tells: Callable[[Any], None]
        what: object
        try:
            tells, what = result.set_result, work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            tells, what = result.set_exception, error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, tells, what)

    threading.Thread(target=run, name="apart", daemon=True).start()
    return await result


_going_on: set[asyncio.Task[Any]] = set()
"""What nobody waits for any more; the loop alone would forget it."""


async def unbroken(
    opening: Coroutine[Any, Any, T],
    seconds: float,
    close: Callable[[T], Coroutine[Any, Any, object]] | None = None,
) -> T:
    """What ``opening`` comes to within ``seconds``.

    pymobiledevice3 leaves sockets open when it is cancelled while it connects. So it is not: cancelled here, it goes on
    unseen, and what it opened is given to ``close``.
    """
    task = asyncio.get_running_loop().create_task(_bounded(opening, seconds))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        follow = asyncio.get_running_loop().create_task(_closed(task, close))
        _going_on.add(follow)
        follow.add_done_callback(_going_on.discard)
        raise


async def _closed(task: asyncio.Task[T], close: Callable[[T], Coroutine[Any, Any, object]] | None) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None and close is not None:
        await close(task.result())


async def _bounded(work: Coroutine[Any, Any, T], seconds: float | None) -> T:
    async with asyncio.timeout(seconds):
        return await work
