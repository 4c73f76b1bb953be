"""usbmuxd on a loopback TCP port: who is plugged in, pair records, and connections to ports of devices (facts, iOS §4).

Only XML property lists are answered, and the tag of the request with them: some clients cannot read or bear others. An
accepted Connect hands the very socket to the device.
"""

from __future__ import annotations

import contextlib
import plistlib
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from provision.virtual.ios.stream import Closed, load_plist

OK, BADCOMMAND, BADDEV, CONNREFUSED, BADVERSION = 0, 1, 2, 3, 6
_HEADER = struct.Struct("<IIII")
_PLIST_VERSION, _PLIST_MESSAGE = 1, 8
_LARGEST = 1 << 20


class Plugged(Protocol):
    """A device as usbmuxd sees it."""

    @property
    def udid(self) -> str: ...
    @property
    def location(self) -> int: ...
    @property
    def product_id(self) -> int: ...

    def connect(self, port: int) -> Callable[[socket.socket], None] | None:
        """What takes over a connection to that port, or ``None`` where nothing listens."""
        ...


class _Client:
    """A program on the computer that talks to usbmuxd, or through it to a device."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._whole = sock.dup()  # what has become of ``sock`` by then, this ends the connection
        self._sending = threading.Lock()

    def recv(self) -> tuple[int, int, bytes]:
        """Version, tag and payload of a request. Raises Closed."""
        size, version, _, tag = _HEADER.unpack(self._exact(_HEADER.size))
        if not _HEADER.size <= size <= _LARGEST:
            raise Closed(f"a request of {size} bytes")
        return version, tag, self._exact(size - _HEADER.size)

    def _exact(self, size: int) -> bytes:
        whole = b""
        while len(whole) < size:
            try:
                part = self.sock.recv(size - len(whole))
            except OSError as error:
                raise Closed(str(error)) from None
            if not part:
                raise Closed("the client went")
            whole += part
        return whole

    def send(self, tag: int, value: Mapping[str, Any]) -> None:
        data = plistlib.dumps(dict(value))
        head = _HEADER.pack(_HEADER.size + len(data), _PLIST_VERSION, _PLIST_MESSAGE, tag)
        try:
            with self._sending:
                self.sock.sendall(head + data)
        except OSError as error:
            raise Closed(str(error)) from None

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._whole.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.sock.close()
        self._whole.close()


class Muxer:
    """The daemon. ``start`` and ``stop`` may be repeated, as a computer's usbmuxd comes and goes; the port stays."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._devices: dict[int, Plugged] = {}
        self._left: set[int] = set()
        self._last = 0
        self._clients: set[_Client] = set()
        self._listening: set[_Client] = set()
        self._records: dict[str, bytes] = {}
        self._buid = str(uuid.uuid4()).upper()
        self._listener: socket.socket | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """For ``USBMUXD_SOCKET_ADDRESS``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._lock:
            if self._listener is not None:
                return
            self._listener = listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
            self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), name="usbmuxd", daemon=True).start()

    def stop(self) -> None:
        """The daemon ends: all its clients are hung up on, and their connections to devices with them."""
        with self._lock:
            listener, self._listener = self._listener, None
            clients = list(self._clients)
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for client in clients:
            client.hang_up()

    # Devices --------------------------------------------------------------------------------------------------

    def plug(self, device: Plugged) -> int:
        """The device appears, with a DeviceID that was never used before."""
        with self._lock:
            self._last += 1
            self._devices[self._last] = device
            self._tell(_attached(self._last, device))
            return self._last

    def unplug(self, number: int, after: float = 0.0) -> None:
        """The device is gone; it is listed for so many seconds more, as when the bus is slow to notice."""
        if after:
            with self._lock:
                self._left.add(number)
            timer = threading.Timer(after, self.unplug, (number,))
            timer.daemon = True
            timer.start()
            return
        with self._lock:
            self._left.discard(number)
            if self._devices.pop(number, None) is not None:
                self._tell({"MessageType": "Detached", "DeviceID": number})

    def record(self, udid: str) -> bytes | None:
        """The pair record that the computer keeps for a device."""
        with self._lock:
            return self._records.get(udid)

    def _tell(self, event: Mapping[str, Any]) -> None:
        for client in list(self._listening):
            with contextlib.suppress(Closed):
                client.send(0, event)

    # Clients --------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(sock)
            with self._lock:
                alive = self._listener is listener
                if alive:
                    self._clients.add(client)
            if not alive:
                client.close()
                return
            threading.Thread(target=self._serve, args=(client,), name="usbmuxd client", daemon=True).start()

    def _serve(self, client: _Client) -> None:
        try:
            handed = self._talk(client)
            if handed is not None:
                handed(client.sock)
        except Closed:
            pass
        finally:
            with self._lock:
                self._clients.discard(client)
                self._listening.discard(client)
            client.close()

    def _talk(self, client: _Client) -> Callable[[socket.socket], None] | None:
        """Answer requests until one connects to a device; what takes the socket over."""
        while True:
            version, tag, payload = client.recv()
            if version != _PLIST_VERSION:
                client.send(tag, _result(BADVERSION))
                continue
            said = load_plist(payload)
            if not isinstance(said, Mapping):
                raise Closed("no request")
            if said.get("MessageType") == "Connect":
                number, taker = self._connect(said)
                client.send(tag, _result(number))
                if taker is not None:
                    return taker
            elif said.get("MessageType") == "Listen":
                self._listen(client, tag)
            else:
                client.send(tag, self._answer(said))

    def _connect(self, said: Mapping[str, Any]) -> tuple[int, Callable[[socket.socket], None] | None]:
        with self._lock:
            number = _number(said.get("DeviceID"))
            device = None if number in self._left else self._devices.get(number)
        if device is None:
            return BADDEV, None
        taker = device.connect(socket.ntohs(_number(said.get("PortNumber")) & 0xFFFF))
        return (CONNREFUSED if taker is None else OK), taker

    def _listen(self, client: _Client, tag: int) -> None:
        with self._lock:
            client.send(tag, _result(OK))
            for number, device in self._devices.items():
                client.send(0, _attached(number, device))
            self._listening.add(client)

    def _answer(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            match said.get("MessageType"):
                case "ListDevices":
                    return {"DeviceList": [_attached(number, device) for number, device in self._devices.items()]}
                case "ReadBUID":
                    return {"BUID": self._buid}
                case "ReadPairRecord":
                    found = self._records.get(str(said.get("PairRecordID")))
                    return _result(BADDEV) if found is None else {"PairRecordData": found}
                case "SavePairRecord":
                    return self._save(said)
                case "DeletePairRecord":
                    gone = self._records.pop(str(said.get("PairRecordID")), None)
                    return _result(BADDEV if gone is None else OK)
        return _result(BADCOMMAND)

    def _save(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        udid, data = said.get("PairRecordID"), said.get("PairRecordData")
        if not isinstance(udid, str) or not isinstance(data, bytes):
            return _result(BADCOMMAND)
        self._records[udid] = data
        for number, device in self._devices.items():
            if device.udid == udid:
                self._tell({"MessageType": "Paired", "DeviceID": number})
        return _result(OK)


def _result(number: int) -> Mapping[str, Any]:
    return {"MessageType": "Result", "Number": number}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1


def _attached(number: int, device: Plugged) -> Mapping[str, Any]:
    properties = {
        "ConnectionSpeed": 480_000_000,
        "ConnectionType": "USB",
        "DeviceID": number,
        "LocationID": device.location,
        "ProductID": device.product_id,
        "SerialNumber": device.udid,
    }
    return {"DeviceID": number, "MessageType": "Attached", "Properties": properties}
