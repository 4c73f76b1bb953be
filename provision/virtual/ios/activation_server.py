"""Apple's activation server for virtual phones: HTTP on the loopback, the two paths that clients ask.

``/deviceservices/drmHandshake`` and ``/deviceservices/deviceActivation``. A phone that its owner never let go of gets
the page that asks for the owner's Apple ID (``application/x-buddyml``) in place of a record; nobody here knows its
password. Switched off, it hangs up on everybody, as when there is no internet. Facts, iOS §1 and §3.
"""

from __future__ import annotations

import plistlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET
from xml.parsers.expat import ExpatError

from provision.virtual.ios.phone import Phone

_LARGEST = 1 << 20
"""Bytes of a request."""
_UNREADABLE = (plistlib.InvalidFileException, ExpatError, ValueError, LookupError, TypeError, OverflowError)


class ActivationServer:
    """Serves ``phones`` at :attr:`url` from now until :meth:`close`; ``on`` is its switch, ``delay`` the seconds that
    an answer takes."""

    def __init__(self, phones: Callable[[], Iterable[Phone]]) -> None:
        self.on = True
        self.delay = 0.0
        self.asked: list[str] = []
        """The paths that were asked for, in order."""
        self._phones = phones
        self._http = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path: str, body: bytes) -> tuple[str, bytes] | None:
        """Content type and body of the answer; ``None`` for what is not understood."""
        self.asked.append(path)
        if path == "/deviceservices/drmHandshake":
            return self._handshake(_plist(body))
        if path == "/deviceservices/deviceActivation":
            return self._activation(body)
        return None

    def _handshake(self, said: Mapping[str, Any]) -> tuple[str, bytes] | None:
        if not isinstance(said.get("HandshakeRequestMessage"), bytes):
            return None
        answer = {"HandshakeResponseMessage": said["HandshakeRequestMessage"], "serverKP": b"", "SUInfo": b""}
        return "application/x-apple-plist", plistlib.dumps(answer)

    def _activation(self, body: bytes) -> tuple[str, bytes] | None:
        form = parse_qs(body.decode("utf-8", "replace"))
        if "activation-info" not in form:
            return ("application/x-buddyml", _page("The Apple ID or password is not right.")) if form else None
        said = _plist(form["activation-info"][0].encode())
        about = _plist(said.get("ActivationInfoXML")).get("DeviceID")
        udid = about.get("UniqueDeviceID") if isinstance(about, dict) else None
        phone = next((phone for phone in self._phones() if phone.udid == udid), None)
        if phone is None:
            return None
        if phone.activation_lock:
            return "application/x-buddyml", _page("This device is linked to an Apple ID.")
        token = {"UniqueDeviceID": udid, "Session": said.get("FairPlaySignature"), "ActivationTicket": b""}
        record = {"unbrick": True, "AccountToken": plistlib.dumps(token), "AccountTokenSignature": b""}
        return "text/xml", plistlib.dumps({"ActivationRecord": record})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], service: ActivationServer) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if not self.server.service.on or not 0 <= size <= _LARGEST:
            self.close_connection = True
            return
        body = self.rfile.read(size)
        time.sleep(self.server.service.delay)
        found = self.server.service.answer(self.path, body)
        kind, said = found or ("text/html", b"<html><body>The request was not understood.</body></html>")
        self.send_response(200 if found else 400)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on stderr."""


def _page(text: str) -> bytes:
    root = ET.Element("xmlui", style="setupAssistant")
    page = ET.SubElement(root, "page", name="ActivationLock")
    ET.SubElement(page, "navigationBar", title="Activation Lock")
    table = ET.SubElement(page, "tableView")
    section = ET.SubElement(table, "section")
    ET.SubElement(section, "footer").text = text
    ET.SubElement(section, "editableTextRow", id="login", label="Apple ID", placeholder="name@example.com")
    ET.SubElement(section, "editableTextRow", id="password", label="Password", placeholder="", secure="true")
    ET.SubElement(root, "serverInfo", isAuthRequired="true")
    return ET.tostring(root, encoding="unicode").encode()


def _plist(data: Any) -> dict[str, Any]:
    """A property list; empty where it is none."""
    try:
        found = plistlib.loads(data) if isinstance(data, bytes) else {}
    except _UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}
