"""AFC, the file service: ``CFA6LPAA``, four u64 (little-endian: whole length, length of header and parameters, packet
number, operation), parameters, payload (facts, iOS §4). Answers carry the packet number of what they answer.

Payloads pass in portions, so that no file is ever in memory whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from provision.virtual.ios.afc_files import AfcError, Files, OpenFile, Status
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Closed, Stream

MAGIC = b"CFA6LPAA"
_HEADER = struct.Struct("<8sQQQQ")
_PORTION = 256 << 10
_LONGEST = 64 << 10
"""Bytes of parameters; paths are of 1024 at most."""


class Op(IntEnum):
    STATUS = 0x01
    DATA = 0x02
    READ_DIR = 0x03
    TRUNCATE = 0x07
    REMOVE = 0x08
    MAKE_DIR = 0x09
    FILE_INFO = 0x0A
    DEVICE_INFO = 0x0B
    OPEN = 0x0D
    OPENED = 0x0E
    READ = 0x0F
    WRITE = 0x10
    SEEK = 0x11
    TELL = 0x12
    TOLD = 0x13
    CLOSE = 0x14
    SET_SIZE = 0x15
    CONNECTION_OPTIONS = 0x17
    RENAME = 0x18
    FS_BLOCK_SIZE = 0x19
    SOCKET_BLOCK_SIZE = 0x1A
    LOCK = 0x1B
    LINK = 0x1C
    SET_TIME = 0x1E
    REMOVE_TREE = 0x22


@dataclass(frozen=True)
class Header:
    """``length`` counts the bytes behind the header, ``parameters`` those of them that are not payload."""

    operation: int
    number: int
    length: int
    parameters: int

    def pack(self) -> bytes:
        size = _HEADER.size
        return _HEADER.pack(MAGIC, size + self.length, size + self.parameters, self.number, self.operation)


def unpack(data: bytes) -> Header:
    """The header of 40 bytes. Raises ValueError when it is none."""
    magic, whole, this, number, operation = _HEADER.unpack(data)
    if magic != MAGIC or not _HEADER.size <= this <= whole:
        raise ValueError("no AFC header")
    return Header(operation, number, whole - _HEADER.size, this - _HEADER.size)


def pairs(told: Mapping[str, str]) -> bytes:
    """Keys and values as FILE_INFO and DEVICE_INFO answer them."""
    return b"".join(f"{key}\0{value}\0".encode() for key, value in told.items())


def paths(data: bytes, count: int) -> list[str]:
    """So many texts, each ended by a zero byte; the last may lack it. Raises AfcError INVALID_ARG."""
    found = data.split(b"\0")
    if len(found) < count or (len(found) == count and not data):
        raise AfcError(Status.INVALID_ARG)
    try:
        return [part.decode() for part in found[:count]]
    except UnicodeDecodeError:
        raise AfcError(Status.INVALID_ARG) from None


def _numbers(data: bytes, shape: str) -> tuple[int, ...]:
    if len(data) < struct.calcsize(shape):
        raise AfcError(Status.INVALID_ARG)
    return struct.unpack_from(shape, data)


def _number(data: bytes) -> int:
    return _numbers(data, "<Q")[0]


def _path(data: bytes) -> str:
    return paths(data, 1)[0]


def serve(stream: Stream, phone: Phone) -> None:
    """The service com.apple.afc: the directory that photos and staged apps lie in."""
    Session(stream, phone, Files(phone, phone.home / "media")).run()


class Session:
    """One connection, with the files that it has open. :meth:`run` ends by Closed."""

    def __init__(self, stream: Stream, phone: Phone, files: Files) -> None:
        self._stream = stream
        self._phone = phone
        self._files = files
        self._open: dict[int, OpenFile] = {}
        self._next = 1
        self._number = 0
        self._replied = False
        self._answers: Mapping[int, Callable[[bytes], None]] = {
            Op.READ_DIR: self._read_dir,
            Op.TRUNCATE: self._truncate,
            Op.REMOVE: lambda data: self._files.remove(_path(data)),
            Op.MAKE_DIR: lambda data: self._files.make_directory(_path(data)),
            Op.FILE_INFO: lambda data: self._reply(Op.DATA, b"", pairs(self._files.info(_path(data)))),
            Op.DEVICE_INFO: self._device_info,
            Op.OPEN: self._open_file,
            Op.READ: self._read,
            Op.SEEK: self._seek,
            Op.TELL: lambda data: self._reply(Op.TOLD, struct.pack("<Q", self._file(data).tell())),
            Op.CLOSE: self._close,
            Op.SET_SIZE: lambda data: self._file(data).resize(_numbers(data, "<QQ")[1]),
            Op.CONNECTION_OPTIONS: lambda _data: None,
            Op.FS_BLOCK_SIZE: lambda _data: None,
            Op.SOCKET_BLOCK_SIZE: lambda _data: None,
            Op.RENAME: lambda data: self._files.rename(*paths(data, 2)),
            Op.LOCK: lambda data: self._file(data).lock(_numbers(data, "<QQ")[1]),
            Op.LINK: lambda data: self._files.link(_number(data), *paths(data[8:], 2)),
            Op.SET_TIME: lambda data: self._files.set_time(_path(data[8:]), _number(data)),
            Op.REMOVE_TREE: lambda data: self._files.remove_tree(_path(data)),
        }

    def run(self) -> None:
        try:
            while True:
                self._one()
        finally:
            for file in self._open.values():
                file.close()

    def _one(self) -> None:
        try:
            header = unpack(self._stream.recv_exact(_HEADER.size))
        except ValueError:
            self._status(Status.OP_HEADER_INVALID)
            raise Closed("no AFC") from None
        self._number, self._replied = header.number, False
        try:
            if header.operation == Op.WRITE:
                self._write(header.length)
            else:
                self._answer(header)
        except AfcError as error:
            self._status(error.status)
        else:
            if not self._replied:
                self._status(Status.SUCCESS)

    def _answer(self, header: Header) -> None:
        if header.length > _LONGEST:
            self._drain(header.length)
            raise AfcError(Status.TOO_MUCH_DATA)
        data = self._stream.recv_exact(header.length)
        answer = self._answers.get(header.operation)
        if answer is None:
            raise AfcError(Status.OP_NOT_SUPPORTED if 0 < header.operation < 0x30 else Status.UNKNOWN_PACKET_TYPE)
        answer(data)

    def _reply(self, operation: Op, parameters: bytes, payload: bytes = b"") -> None:
        self._replied = True
        header = Header(operation, self._number, len(parameters) + len(payload), len(parameters))
        self._stream.send(header.pack() + parameters + payload)

    def _status(self, status: Status) -> None:
        self._reply(Op.STATUS, struct.pack("<Q", status))

    def _drain(self, size: int) -> None:
        while size:
            size -= len(self._stream.recv_some(min(size, _PORTION)))

    # Directories and the device -------------------------------------------------------------------------------

    def _read_dir(self, data: bytes) -> None:
        names = self._files.listing(_path(data))
        self._reply(Op.DATA, b"", b"".join(name.encode(errors="surrogateescape") + b"\0" for name in names))

    def _device_info(self, _data: bytes) -> None:
        told = {
            "Model": str(self._phone.values[""]["ProductType"]),
            "FSTotalBytes": str(self._phone.capacity),
            "FSFreeBytes": str(self._phone.free()),
            "FSBlockSize": "4096",
        }
        self._reply(Op.DATA, b"", pairs(told))

    def _truncate(self, data: bytes) -> None:
        size = _number(data)
        self._files.truncate(_path(data[8:]), size)

    # Open files -----------------------------------------------------------------------------------------------

    def _file(self, data: bytes) -> OpenFile:
        file = self._open.get(_number(data))
        if file is None:
            raise AfcError(Status.INVALID_ARG)
        return file

    def _open_file(self, data: bytes) -> None:
        mode = _number(data)
        file = self._files.open(_path(data[8:]), mode)
        handle, self._next = self._next, self._next + 1
        self._open[handle] = file
        self._reply(Op.OPENED, struct.pack("<Q", handle))

    def _close(self, data: bytes) -> None:
        self._file(data).close()
        del self._open[_number(data)]

    def _seek(self, data: bytes) -> None:
        _, whence, offset = _numbers(data, "<QQq")
        if whence > 2:
            raise AfcError(Status.INVALID_ARG)
        self._file(data).seek(whence, offset)

    def _read(self, data: bytes) -> None:
        file = self._file(data)
        size = min(_numbers(data, "<QQ")[1], file.remaining())
        self._replied = True
        self._stream.send(Header(Op.DATA, self._number, size, 0).pack())
        for part in file.read(size, _PORTION):
            self._stream.send(part)

    def _write(self, length: int) -> None:
        """A handle, then what to write. What does not fit is taken off the wire all the same."""
        left = length - 8
        if left < 0:
            self._drain(length)
            raise AfcError(Status.INVALID_ARG)
        handle = self._stream.recv_exact(8)
        try:
            file = self._file(handle)
            while left:
                part = self._stream.recv_some(min(left, _PORTION))
                left -= len(part)
                file.write(part)
        except AfcError:
            self._drain(left)
            raise
