"""The ``sync:`` service: files to and from the phone (facts §7.4), versions 1 and 2, without compression.

A refusal is told at once, while the computer is still sending, and what it goes on sending is thrown away up to DONE,
as the phones do. A file that was refused or given up is taken away again; one that was cut off by the cable stays as
far as it came, like on a phone whose daemon is restarted when the cable goes.
"""

from __future__ import annotations

import errno
import posixpath
import stat
import struct
from collections.abc import Callable

from provision.virtual.android.files import Files, OpenFile, Status
from provision.virtual.android.process import Disconnected, decode, encode
from provision.virtual.android.wire import Stream

_MAX_DATA = 64 * 1024
_MAX_PATH = 1024
_REQUEST = struct.Struct("<4sI")
_STAT1 = struct.Struct("<4sIII")
_STAT2 = struct.Struct("<4sIQQIIIIQqqq")
_DENT1 = struct.Struct("<4sIIII")
_DENT2 = struct.Struct("<4sIQQIIIIQqqqI")


class _Refused(Exception):
    """Told to the computer as ``remote …``."""


def serve(stream: Stream, files: Files) -> None:
    """Answer requests until QUIT or the end of the stream."""
    _Session(stream, files).run()


class _Session:
    def __init__(self, stream: Stream, files: Files) -> None:
        self._stream = stream
        self._files = files
        self._answers: dict[bytes, Callable[[str], None]] = {
            b"STAT": self._stat1,
            b"LIST": self._list1,
            b"SEND": self._send1,
            b"RECV": self._receive,
            b"STA2": lambda path: self._stat2(b"STA2", path, follow=True),
            b"LST2": lambda path: self._stat2(b"LST2", path, follow=False),
            b"LIS2": self._list2,
            b"SND2": self._send2,
            b"RCV2": self._receive2,
        }

    def run(self) -> None:
        while True:
            name, size = _REQUEST.unpack(self._stream.exactly(_REQUEST.size))
            if name == b"QUIT":
                return
            answer = self._answers.get(name)
            if answer is None or size > _MAX_PATH:
                self._fail("unknown command" if answer is None else "invalid path")
                return
            path = decode(self._stream.exactly(size))
            try:
                answer(path)
            except _Refused as refused:
                self._fail(str(refused))

    def _fail(self, text: str) -> None:
        data = encode(text)
        self._stream.write(_REQUEST.pack(b"FAIL", len(data)) + data)

    # Asking ---------------------------------------------------------------------------------------------------

    def _look(self, path: str, *, follow: bool) -> tuple[int, Status | None]:
        try:
            return 0, self._files.stat(posixpath.join("/", path), follow=follow)
        except OSError as error:
            return error.errno or errno.EIO, None

    def _stat1(self, path: str) -> None:
        _, found = self._look(path, follow=False)
        values = (found.mode, found.size & 0xFFFFFFFF, found.mtime) if found else (0, 0, 0)
        self._stream.write(_STAT1.pack(b"STAT", *values))

    def _stat2(self, name: bytes, path: str, *, follow: bool) -> None:
        number, found = self._look(path, follow=follow)
        self._stream.write(_STAT2.pack(name, number, *_long(found)))

    def _names(self, path: str) -> list[str]:
        try:
            return [".", "..", *self._files.listing(posixpath.join("/", path))]
        except OSError:
            return []

    def _list1(self, path: str) -> None:
        for name in self._names(path):
            _, found = self._look(f"{path}/{name}", follow=False)
            if found:
                data = encode(name)
                values = (found.mode, found.size & 0xFFFFFFFF, found.mtime, len(data))
                self._stream.write(_DENT1.pack(b"DENT", *values) + data)
        self._stream.write(_DENT1.pack(b"DONE", 0, 0, 0, 0))

    def _list2(self, path: str) -> None:
        for name in self._names(path):
            number, found = self._look(f"{path}/{name}", follow=False)
            data = encode(name)
            self._stream.write(_DENT2.pack(b"DNT2", number, *_long(found), len(data)) + data)
        self._stream.write(_DENT2.pack(b"DONE", 0, *_long(None), 0))

    # From the phone -------------------------------------------------------------------------------------------

    def _receive2(self, path: str) -> None:
        _, flags = _REQUEST.unpack(self._stream.exactly(_REQUEST.size))
        if flags:
            raise _Refused("unsupported compression")
        self._receive(path)

    def _receive(self, path: str) -> None:
        try:
            file = self._files.open(posixpath.join("/", path))
        except OSError as error:
            raise _Refused(f"open failed: {error.strerror}") from None
        with file:
            while part := file.read(_MAX_DATA):
                self._stream.write(_REQUEST.pack(b"DATA", len(part)) + part)
        self._stream.write(_REQUEST.pack(b"DONE", 0))

    # To the phone ---------------------------------------------------------------------------------------------

    def _send1(self, spec: str) -> None:
        path, comma, mode = spec.rpartition(",")
        if not comma or not mode.isdigit():
            raise _Refused("missing mode" if not comma else "bad mode")
        self._send(path, int(mode))

    def _send2(self, path: str) -> None:
        _, mode, flags = struct.unpack("<4sII", self._stream.exactly(12))
        if flags:
            raise _Refused("unsupported compression")
        self._send(path, mode)

    def _send(self, path: str, mode: int) -> None:
        path = posixpath.join("/", path)
        try:
            if stat.S_ISLNK(mode):
                mtime = self._make_link(path)
            else:
                mtime = self._take_file(path, mode)
                self._files.utime(path, mtime)
        except _Refused as refused:
            self._fail(str(refused))
            self._throw_away()
            return
        self._stream.write(_REQUEST.pack(b"OKAY", 0))

    def _make_link(self, path: str) -> int:
        _, size = _REQUEST.unpack(self._stream.exactly(_REQUEST.size))
        target = decode(self._stream.exactly(size)).rstrip("\0")
        try:
            self._clear(path)
            self._files.symlink(target, path)
        except OSError as error:
            raise _Refused(f"symlink failed: {error.strerror}") from None
        name, mtime = _REQUEST.unpack(self._stream.exactly(_REQUEST.size))
        if name != b"DONE":
            raise _Refused("invalid data message")
        return int(mtime)

    def _take_file(self, path: str, mode: int) -> int:
        file = self._create(path, mode)
        try:
            with file:
                return self._take_data(file)
        except (_Refused, _GivenUp):
            self._clear(path)
            raise

    def _create(self, path: str, mode: int) -> OpenFile:
        try:
            self._clear(path)
            self._make_parents(path)
            file = self._files.create(path, mode=mode & 0o777)
        except OSError as error:
            raise _Refused(f"couldn't create file: {error.strerror}") from None
        if not self._files.may_be_given(path):
            file.close()
            self._clear(path)
            raise _Refused("fchown failed: Operation not permitted")
        return file

    def _clear(self, path: str) -> None:
        _, found = self._look(path, follow=False)
        if found and not found.is_directory:
            self._files.unlink(path)

    def _make_parents(self, path: str) -> None:
        parent = posixpath.dirname(path)
        if self._look(parent, follow=True)[0] != errno.ENOENT:
            return
        try:
            self._files.mkdir(parent, mode=0o775, parents=True)
        except OSError as error:
            raise _Refused(f"secure_mkdirs failed: {error.strerror}") from None

    def _take_data(self, file: OpenFile) -> int:
        """Write DATA packets to the file until DONE; its time."""
        while True:
            name, size = _REQUEST.unpack(self._header())
            if name == b"DONE":
                return int(size)
            if name != b"DATA" or size > _MAX_DATA:
                raise _Refused("oversize data message" if name == b"DATA" else "invalid data message")
            while size:
                part = self._take(size)
                size -= len(part)
                try:
                    file.write(part)
                except OSError as error:
                    self._skip(size)
                    raise _Refused(f"write failed: {error.strerror}") from None

    def _take(self, size: int) -> memoryview:
        part = self._stream.take(size)
        if not part:
            raise _GivenUp
        return part

    def _header(self) -> bytes:
        header = b""
        while len(header) < _REQUEST.size:
            header += self._take(_REQUEST.size - len(header))
        return header

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._take(size))

    def _throw_away(self) -> None:
        while True:
            name, size = _REQUEST.unpack(self._header())
            if name == b"DONE":
                return
            if name != b"DATA":
                raise _GivenUp
            self._skip(size)


class _GivenUp(Disconnected):
    """The computer closed the stream in the middle of a file, while the link itself is well."""


def _long(found: Status | None) -> tuple[int, ...]:
    """The fields of a long stat after the error: dev, ino, mode, nlink, uid, gid, size, atime, mtime, ctime."""
    if found is None:
        return (0,) * 10
    times = (found.mtime,) * 3
    return (1, found.inode, found.mode, found.links, found.uid, found.gid, found.size, *times)
