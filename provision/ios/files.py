"""Files on an iPhone: in its media folder, and among the documents of an app that shares them (AFC, facts, iOS §4)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import posixpath
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

from pymobiledevice3.exceptions import AfcException, AfcFileNotFoundError, PyMobileDevice3Exception
from pymobiledevice3.lockdown import LockdownClient
from pymobiledevice3.service_connection import ServiceConnection
from pymobiledevice3.services.afc import AfcOpcode, AfcService

from provision.ios.actions import PART, RemoveFiles, SendFiles, Sent
from provision.ios.link import said, started
from provision.ios.loop import Told
from provision.ios.questions import Shared, SharedFile
from provision.ios.refusals import No

_PIECE = 1_000_000
_AHEAD = 2
"""Pieces under way to one device, so that it never waits for the next: with 24 devices some 100 MB."""

_SILENCE = 60.0
"""Seconds in which a piece has to be taken, or anything else done."""

_MOST_READ = 1_000_000
"""Bytes of a file that is read as an answer."""

_ROOT = "/Documents"


class Files(AfcService):
    """AFC on the media folder; of ``documents`` on the documents of the app of that bundle identifier."""

    def __init__(self, client: LockdownClient, documents: str = "") -> None:
        super().__init__(client, "com.apple.mobile.house_arrest" if documents else None)
        self.logger = logging.getLogger(AfcService.__module__)  # else ours: it goes by the name of this class's module
        self._client = client
        self._documents = documents

    async def connect(self) -> None:
        """Start the service once. Raises No where the app is not there or does not share its documents."""
        if self._service is not None:
            return
        connection = await started(self._client, self.service_name)
        try:
            if self._documents:
                await _vend(connection, self._documents)
        except BaseException:
            await connection.close()
            raise
        self._service = connection

    async def _send_and_wait(self, operation: AfcOpcode, data: bytes, this_length: int = 0) -> Any:
        """Every operation comes through here; pymobiledevice3 would wait for ever."""
        async with asyncio.timeout(_SILENCE):
            return await super()._send_and_wait(operation, data, this_length)

    async def set_time(self, path: str, seconds: int) -> None:
        """Set the time of a file, in whole seconds since 1970 (facts, iOS §4: MTIME, in ns)."""
        nanoseconds = (seconds * 10**9).to_bytes(8, "little")
        await self._do_operation(AfcOpcode.SET_FILE_TIME, nanoseconds + path.encode() + b"\0", path)


async def _vend(connection: ServiceConnection, bundle: str) -> None:
    reply = await said(connection, {"Command": "VendDocuments", "Identifier": bundle}, _SILENCE)
    if error := reply.get("Error"):
        raise No(str(error))


async def send(files: Files, source: Path | bytes, remote: str, told: Told) -> None:
    """Send one file; the next piece is on its way while the device writes one."""
    handle = await files.fopen(remote, "w")
    under_way: deque[tuple[asyncio.Task[None], int]] = deque()
    try:
        for piece in _pieces(source):
            if len(under_way) == _AHEAD:
                await _arrived(under_way, told)
            under_way.append((asyncio.create_task(files.fwrite(handle, piece)), len(piece)))
        while under_way:
            await _arrived(under_way, told)
    except AfcException:
        await asyncio.gather(*(task for task, _ in under_way), return_exceptions=True)  # it answers each piece
        with suppress(PyMobileDevice3Exception):
            await files.fclose(handle)
        raise
    finally:
        for task, _ in under_way:
            task.cancel()
        await asyncio.gather(*(task for task, _ in under_way), return_exceptions=True)
    await files.fclose(handle)


async def _arrived(under_way: deque[tuple[asyncio.Task[None], int]], told: Told) -> None:
    task, size = under_way[0]
    await task
    under_way.popleft()
    told(size)


def _pieces(source: Path | bytes) -> Iterator[bytes]:
    """Read on the loop: a thread for each piece takes longer than the piece, which the system has read ahead."""
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise") and isinstance(file, FileIO):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while piece := file.read(_PIECE):
            yield piece


async def send_files(client: LockdownClient, action: SendFiles, told: Told) -> None:
    """Send files into the documents of an app, in order. One that was interrupted never has its right name."""
    made: set[str] = set()
    async with Files(client, action.bundle) as files:
        for file in action.files:
            await _send_one(files, file, made, told)


async def _send_one(files: Files, file: Sent, made: set[str], told: Told) -> None:
    remote = _below(file.remote)
    folder = posixpath.dirname(remote)
    if folder not in made:
        await files.makedirs(folder)
        made.add(folder)
    part = remote + PART
    await send(files, file.source, part, told)
    if file.time is not None:
        with suppress(AfcException):  # not every iOS lets a computer set it
            await files.set_time(part, file.time)
    await files.rename(part, remote)


def _below(path: str) -> str:
    """``path`` in the documents of an app, and nowhere else."""
    return _ROOT + posixpath.normpath("/" + path.lstrip("/"))


async def remove_files(client: LockdownClient, action: RemoveFiles) -> None:
    """One that is not there is no error."""
    async with Files(client, action.bundle) as files:
        for path in action.paths:
            with suppress(AfcFileNotFoundError):
                await files.rm_single(_below(path))


async def shared(client: LockdownClient, question: Shared) -> list[dict[str, Any]]:
    """See :class:`provision.ios.questions.Shared`."""
    root = _below(question.folder)
    async with Files(client, question.bundle) as files:
        try:
            found = [file async for file in _walk(files, root, "")]
        except AfcFileNotFoundError:
            return []
        if question.hashed:
            for file in found:
                file["sha256"] = await _sha256(files, posixpath.join(root, file["path"]))
    return found


async def _sha256(files: Files, path: str) -> str:
    hashed = hashlib.sha256()
    handle = await files.fopen(path)
    try:
        while piece := await files.fread(handle, _PIECE):
            hashed.update(piece)
    finally:
        await files.fclose(handle)
    return hashed.hexdigest()


async def _walk(files: Files, root: str, below: str) -> AsyncIterator[dict[str, Any]]:
    folder = posixpath.join(root, below)
    names = sorted(name for name in await files.listdir(folder) if name not in ("", ".", ".."))
    found = await asyncio.gather(*(files.stat(posixpath.join(folder, name)) for name in names))
    for name, about in zip(names, found, strict=True):
        path = posixpath.join(below, name)
        if about.get("st_ifmt") == "S_IFDIR":
            async for inner in _walk(files, root, path):
                yield inner
        else:
            yield {"path": path, "size": about["st_size"], "time": int(about["st_mtime"].timestamp())}


async def shared_file(client: LockdownClient, question: SharedFile) -> bytes:
    """See :class:`provision.ios.questions.SharedFile`. Raises No: ``TooLarge``."""
    remote = _below(question.path)
    async with Files(client, question.bundle) as files:
        if (await files.stat(remote))["st_size"] > _MOST_READ:
            raise No("TooLarge")
        return bytes(await files.get_file_contents(remote))
