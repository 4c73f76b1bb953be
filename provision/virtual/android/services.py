"""What adbd serves on a stream: shell, exec, abb, sync, reverse, and those with one line of text (facts §7.3)."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from provision.virtual.android import sync
from provision.virtual.android.process import Disconnected, Process, Reader, Writer
from provision.virtual.android.shell.main import ENVIRONMENT
from provision.virtual.android.wire import Stream

if TYPE_CHECKING:
    from provision.virtual.android.device import Device

_PACKET = struct.Struct("<BI")
_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
_MAX_PACKET = 256 * 1024

Service = Callable[[Stream], None]


class _Raw(Protocol):
    """The side of a stream that programs see."""

    def read(self, size: int, /) -> bytes: ...

    def write(self, data: bytes | memoryview, /) -> object: ...


class _PacketInput:
    """The standard input of a ``shell,v2`` service."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = 0
        self._held = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        self._fill()
        part, self._held = self._held[:size], self._held[size:]
        return part

    def line(self) -> bytes:
        """One line with its end, or what is left."""
        found = b""
        while not found.endswith(b"\n"):
            self._fill()
            part = self.read(self._held.find(b"\n") + 1 or len(self._held))
            found += part
            if not part:
                break
        return found

    def _fill(self) -> None:
        while not self._held and not self._ended:
            if not self._left:
                self._next()
            if self._left:
                self._held = self._stream.read(self._left)
                self._left -= len(self._held)
                self._ended = not self._held

    def _next(self) -> None:
        first = self._stream.take(1)
        if not first:
            self._ended = True
            return
        kind, length = _PACKET.unpack(bytes(first) + self._stream.exactly(_PACKET.size - 1))
        if kind == _STDIN:
            self._left = length
        elif kind == _CLOSE_STDIN:
            self._ended = True
        else:
            self._stream.exactly(length)


class _PacketOutput:
    """The standard output or error of a ``shell,v2`` service."""

    def __init__(self, stream: Stream, kind: int) -> None:
        self._stream = stream
        self._kind = kind

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        for at in range(0, len(view), _MAX_PACKET):
            part = view[at : at + _MAX_PACKET]
            self._stream.write(_PACKET.pack(self._kind, len(part)) + part)
        return len(view)


class _Terminal:
    """Line ends as a terminal makes them."""

    def __init__(self, out: Writer) -> None:
        self._out = out

    def write(self, data: bytes | memoryview) -> int:
        self._out.write(bytes(data).replace(b"\n", b"\r\n"))
        return len(data)


def find(device: Device, name: str) -> Service | None:
    """The service of that name, or None: adbd closes the stream at once."""
    word, _, argument = name.partition(":")
    kind, *options = word.split(",")
    if kind == "shell":
        return _shell(device, options, argument)
    makers: dict[str, Callable[[], Service]] = {
        "exec": lambda: lambda stream: _exec(device, stream, argument),
        "abb_exec": lambda: lambda stream: _abb_exec(device, stream, argument),
        "abb": lambda: lambda stream: _packets(device, stream, ["cmd", *argument.split("\0")]),
        "sync": lambda: lambda stream: sync.serve(stream, device.files),
        "reverse": lambda: lambda stream: _reverse(device, stream, argument),
        "reboot": lambda: lambda _: device.reboot(argument),
        "root": lambda: _says("adbd cannot run as root in production builds\n"),
        "unroot": lambda: _says("adbd not running as root\n"),
        "remount": lambda: _says('Not running as root. Try "adb root" first.\n'),
        "tcpip": lambda: _says("this phone stays on its cable\n"),
        "usb": lambda: _says("restarting in USB mode\n"),
    }
    needs = {"abb_exec": "abb_exec", "abb": "abb"}
    if kind not in makers or (kind in needs and needs[kind] not in device.features):
        return None
    return makers[kind]()


def _says(text: str) -> Service:
    def serve(stream: Stream) -> None:
        stream.write(text.encode())

    return serve


def process(device: Device, argv: list[str], stdin: Reader, out: Writer, err: Writer) -> Process:
    """A process that adbd starts."""
    return Process(
        phone=device.phone,
        argv=argv,
        stdin=stdin,
        out=out,
        err=err,
        env=dict(ENVIRONMENT),
        programs=device.programs,
        launch=device.launch,
    )


def _shell(device: Device, options: list[str], command: str) -> Service | None:
    argv = ["/system/bin/sh", "-c", command] if command else ["/system/bin/sh"]
    if "v2" in options:
        if "shell_v2" not in device.features:
            return None
        pty = "pty" in options or (not command and "raw" not in options)
        return lambda stream: _packets(device, stream, argv, pty=pty)
    return lambda stream: _merged(device, stream, argv, pty=not command)


def _packets(device: Device, stream: Stream, argv: list[str], *, pty: bool = False) -> None:
    out: Writer = _PacketOutput(stream, _STDOUT)
    err: Writer = _PacketOutput(stream, _STDERR)
    if pty:
        out = err = _Terminal(out)
    status = device.start(process(device, argv, _PacketInput(stream), out, err))
    stream.write(_PACKET.pack(_EXIT, 1) + bytes([status & 255]))


def _merged(device: Device, stream: Stream, argv: list[str], *, pty: bool) -> None:
    out: Writer = _Terminal(stream) if pty else stream
    device.start(process(device, argv, stream, out, out))


class _RawInput:
    """The standard input of ``exec:``. adbd hands the socket itself to the program, which sees no more than an end of
    file when the cable is pulled, and lives on until it writes; only ``shell,v2`` is sent a SIGHUP [inferred: adbd's
    shell_service.cpp, from memory]."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except Disconnected:
            return b""


def _exec(device: Device, stream: Stream, command: str) -> None:
    device.start(process(device, ["/system/bin/sh", "-c", command], _RawInput(stream), stream, stream))


def _abb_exec(device: Device, stream: Stream, argument: str) -> None:
    device.launch(process(device, ["cmd", *argument.split("\0")], stream, stream, stream))


# Reverse ------------------------------------------------------------------------------------------------------


def _reverse(device: Device, stream: Stream, request: str) -> None:
    """``forward:[norebind:]LOCAL;REMOTE``, ``list-forward``, ``killforward:LOCAL``, ``killforward-all``."""
    word, _, argument = request.partition(":")
    if word == "list-forward":
        stream.write(_counted("".join(f"UsbFfs {here} {there}\n" for here, there in device.reversed.items())))
    elif word == "killforward-all":
        device.reversed.clear()
        stream.write(b"OKAY")
    elif word == "killforward":
        known = device.reversed.pop(argument, None)
        stream.write(b"OKAY" if known else b"FAIL" + _counted(f"listener '{argument}' not found"))
    elif word == "forward":
        _forward(device, stream, argument)
    else:
        stream.write(b"FAIL" + _counted(f"bad forward: {request}"))


def _forward(device: Device, stream: Stream, argument: str) -> None:
    keep = argument.startswith("norebind:")
    here, _, there = argument.removeprefix("norebind:").partition(";")
    if not there or not here.startswith(("tcp:", "local")):
        stream.write(b"FAIL" + _counted(f"bad forward: {argument}"))
        return
    if keep and here in device.reversed:
        stream.write(b"FAIL" + _counted(f"cannot rebind existing socket '{here}'"))
        return
    answer = b"OKAY"
    if here == "tcp:0":
        port = next(port for port in range(35_001, 60_000) if f"tcp:{port}" not in device.reversed)
        here = f"tcp:{port}"
        answer += _counted(str(port))
    device.reversed[here] = there
    stream.write(answer)


def _counted(text: str) -> bytes:
    data = text.encode()
    return b"%04x" % len(data) + data


_QUIET = 1.0


def nc(device: Device, process: Process) -> int:
    """``nc HOST PORT``: only what ``adb reverse`` brought here can be reached, so HOST is this phone.

    After the end of its input it waits for a second of quiet, then hangs up: adb has no half-closed streams.
    """
    words = [word for word in process.argv[1:] if not word.startswith("-")]
    if len(words) != 2 or not words[1].isdigit():
        process.complain("nc: needs HOST PORT\n")
        return 1
    call = device.connect(f"tcp:{words[1]}") if words[0] in ("localhost", "127.0.0.1", "::1") else None
    if call is None:
        process.complain("nc: connect: Connection refused\n")
        return 1
    heard = threading.Event()
    reader = threading.Thread(target=_copy, args=(call, process.out, heard), daemon=True)
    reader.start()
    while part := process.stdin.read(65536):
        call.write(part)
    while reader.is_alive():
        heard.clear()
        reader.join(_QUIET)
        if not heard.is_set():
            break
    call.close()
    return 0


def _copy(call: Stream, out: Writer, heard: threading.Event) -> None:
    try:
        while part := call.read(65536):
            out.write(part)
            heard.set()
    except Disconnected:
        pass
