"""What programs read from and write to inside the phone: pipes with limited room, collected output, the null device."""

from __future__ import annotations

import threading

from provision.virtual.android.process import Disconnected

_ROOM = 64 * 1024


class BrokenPipe(Disconnected):
    """The next program of the pipe reads no more: the one that writes ends, the script goes on."""


class Pipe:
    """A pipe as the kernel has it: the writer waits when 64 KiB are in it, the reader when nothing is."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._data = bytearray()
        self._written = False
        self._unread = False

    def read(self, size: int) -> bytes:
        with self._changed:
            while not self._data and not self._written:
                self._changed.wait()
            part = bytes(self._data[:size])
            del self._data[:size]
            self._changed.notify_all()
        return part

    def line(self) -> bytes:
        """One line with its end, or what is left."""
        found = b""
        while not found.endswith(b"\n"):
            with self._changed:
                end = self._data.find(b"\n") + 1
                size = end or len(self._data) or 1
            part = self.read(size)
            found += part
            if not part:
                break
        return found

    def write(self, data: bytes | memoryview) -> int:
        """Raises BrokenPipe when nobody reads any more."""
        view = memoryview(data)
        at = 0
        with self._changed:
            while at < len(view):
                while len(self._data) >= _ROOM and not self._unread:
                    self._changed.wait()
                if self._unread:
                    raise BrokenPipe
                part = view[at : at + _ROOM - len(self._data)]
                self._data += part
                at += len(part)
                self._changed.notify_all()
        return len(view)

    def end_writing(self) -> None:
        with self._changed:
            self._written = True
            self._changed.notify_all()

    def end_reading(self) -> None:
        with self._changed:
            self._unread = True
            self._data.clear()
            self._changed.notify_all()


class Bytes:
    """A standard input that holds what it is given."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        part, self._data = self._data[:size], self._data[size:]
        return part

    def line(self) -> bytes:
        return self.read(self._data.find(b"\n") + 1 or len(self._data))


class Collector:
    """A standard output that keeps what it is told."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        self.data += data
        return len(data)
