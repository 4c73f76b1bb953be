"""The site's side of a contact: what ``fleet site stdio`` does. It believes nothing that is not signed.

Each request is a message with ``do``; the answer is a message, with ``error`` and ``next`` where it was refused, after
which the site hangs up. Several requests may be sent before their answers are read. ``{"alive": true}`` may come
before any answer that takes long.

    hello     hub, key           v, fleet, bench, name, now, zone, free, release, digest, mark, trusts
    trust     key, hub           {}; the first hub only, another is refused
    offer     size, signature    then the manifest in bytes; missing: [hash, bytes that are here] of each content
    put       sha256, size, offset   then size - offset bytes; no answer: what is wrong with it the next one tells
    activate  older              release, digest; the tree is made, its profiles are read, then it is in force
    ledger    after              size, then in bytes an export of this bench's own chain from there; mark
    bring     profile, only      line: …, many times, then exit, error: how ``fleet provision`` ended, of all that is
                                 attached, or of the devices with these serials only
    bye                          {}

``mark`` changes when the registry changed; null where that cannot be told cheaply.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet import VERSION as VERSION_OF_FLEET
from fleet.home import Home, Options
from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import MOST_BYTES, File, Manifest
from fleet.remote.releases.store import Signed, Store
from fleet.remote.wire.frames import Cut, Malformed, Message, Stream

VERSION = 1
MOST_MISSING = 2**24
"""Bytes of the answer to an offer."""


class Refused(Exception):
    """Why a request was not done, and what to do; for the hub to show."""

    def __init__(self, why: str, next_action: str) -> None:
        super().__init__(why)
        self.next_action = next_action


class Server:
    """One contact, at the site. ``options`` are those of the ``fleet`` that serves it."""

    def __init__(self, stream: Stream, home: Home, options: Options) -> None:
        self._stream = stream
        self._home = home
        self._options = options
        self._store = Store(home)
        self._offered: Signed | None = None
        self._sizes: Mapping[str, int] = {}
        self._came: set[str] = set()

    def run(self) -> int:
        """Serve until the hub says bye or hangs up; 0, or 1 after a refusal."""
        self._stream.greet()
        try:
            while True:
                request = self._stream.receive()
                answer = self._do(request)
                if answer is not None:
                    self._stream.send(answer)
                if request.get("do") == "bye":
                    return 0
        except Refused as refused:
            return self._say(str(refused), refused.next_action)
        except Malformed as error:
            return self._say(f"The site does not understand the hub: {error}.", "Update fleet at the site.")
        except Cut:
            return 1
        except Exception as error:  # noqa: BLE001  # the hub is told, whatever it is: it would only try again
            return self._failed(error)
        finally:
            with contextlib.suppress(ReleaseError):  # then the next contact looks at them again
                self._store.settle(self._came)

    def _failed(self, error: Exception) -> int:
        from fleet.buglog import as_error
        from fleet.remote.errors import RemoteError

        told = as_error(error)
        where = "" if isinstance(told, RemoteError) or not told.next_action else "At the site: "
        return self._say(told.what, f"{where}{told.next_action}")

    def _say(self, why: str, next_action: str) -> int:
        with contextlib.suppress(Cut):
            self._stream.send({"error": why, "next": next_action})
        return 1

    def _do(self, request: Message) -> Message | None:
        does: Mapping[str, Callable[[Message], Message | None]] = {
            "hello": self._hello,
            "trust": self._trust,
            "offer": self._offer,
            "put": self._put,
            "activate": self._activate,
            "ledger": self._ledger,
            "bring": self._bring,
            "bye": lambda _: {},
        }
        do = does.get(str(request.get("do")))
        if do is None:
            raise Refused("This site's fleet does not know what the hub asks.", "Update fleet at the site.")
        try:
            return do(request)
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"{request.get('do')}: {error!r}") from error

    def _hello(self, request: Message) -> Message:
        from fleet.remote.releases import keys

        bench = self._home.bench()
        self._home.make()
        current = self._in_force()
        key = keys.trusted(self._home)
        return {
            "v": VERSION,
            "fleet": VERSION_OF_FLEET,
            "bench": bench.id,
            "name": bench.name,
            "now": int(time.time()),
            "zone": time.localtime().tm_gmtoff // 60,
            "free": shutil.disk_usage(self._home.path).free,
            "release": current.number if current else None,
            "digest": current.digest if current else None,
            "mark": self._mark(),
            "trusts": key is not None and key.text == request["key"],
        }

    def _in_force(self) -> Manifest | None:
        """The release in force; ``None``, too, where not all of it is here any more."""
        from fleet.remote.wire.bring import alive

        if self._store.doubtful():
            with alive(self._stream.send):
                self._store.look_again()
        number = self._store.current()
        manifest = self._store.signed(number).manifest if number else None
        return manifest if manifest and not self._store.missing(manifest) else None

    def _mark(self) -> str | None:
        """SQLite writes to the log beside the file first."""
        if self._options.database or os.environ.get("FLEET_DATABASE_URL"):
            return None
        found = []
        for suffix in ("", "-wal"):
            with contextlib.suppress(OSError):
                state = Path(f"{self._home.database_file}{suffix}").stat()
                found.append(f"{state.st_mtime_ns}.{state.st_size}")
        return "-".join(found)

    def _trust(self, request: Message) -> Message:
        from fleet.remote.releases import keys

        keys.trust(self._home, keys.parse(_text(request["key"]), _text(request["hub"])))
        return {}

    def _offer(self, request: Message) -> Message:
        from fleet.remote.releases import keys

        size = request["size"]
        if type(size) is not int or not 0 < size <= MOST_BYTES:
            raise Malformed(f"a manifest of {size} bytes")
        content = b"".join(self._stream.receive_bytes(size))
        key = keys.trusted(self._home)
        if key is None:
            raise Refused("This site takes no releases yet.", "At the hub: fleet site check; it makes the site ours.")
        signed = Signed(content, bytes.fromhex(request["signature"]))
        key.check(signed.content, signed.signature)
        manifest = signed.manifest
        missing = self._store.missing(manifest)
        self._offered, self._sizes = signed, manifest.blobs
        needed = sum(self._sizes[sha256] - have for sha256, have in missing.items())
        free = shutil.disk_usage(self._home.path).free
        if needed > free:
            raise Refused(
                f"The site has {free // 10**6} MB free, and {needed // 10**6} MB are to come.", "Free some space there."
            )
        return {"missing": [[sha256, have] for sha256, have in missing.items()]}

    def _put(self, request: Message) -> None:
        file = File(request["sha256"], request["size"])
        if self._sizes.get(file.sha256) != file.size:
            raise Malformed("a content that was not offered")
        offset = request["offset"]
        if type(offset) is not int or not 0 <= offset <= file.size:
            raise Malformed(f"a content from {offset}")
        with self._store.receiving(file, offset) as target:
            for piece in self._stream.receive_bytes(file.size - offset):
                target.write(piece)
        self._came.add(file.sha256)

    def _activate(self, request: Message) -> Message:
        from fleet.remote.wire.activate import activate
        from fleet.remote.wire.bring import alive

        if self._offered is None:
            raise Malformed("nothing was offered")
        older = bool(request.get("older"))
        with alive(self._stream.send):
            manifest = activate(self._home, self._options, self._offered, self._came, older=older)
        return {"release": manifest.number, "digest": manifest.digest}

    def _ledger(self, request: Message) -> Message:
        from fleet.remote.wire.chain import own_chain

        mark = self._mark()
        with own_chain(self._home, self._options, request["after"]) as (file, size):
            self._stream.send({"size": size})
            self._stream.send_bytes(file, size)
        return {"mark": mark}

    def _bring(self, request: Message) -> Message:
        from fleet.remote.wire.bring import bring

        only = request["only"]
        serials = None if only is None else [_text(serial) for serial in only]
        code, error = bring(self._home, self._options, _text(request["profile"]), serials, self._stream.send)
        return {"exit": code, "error": error}


def serve(home: Home, options: Options) -> int:
    """Serve one contact over standard input and output. What else would print there goes to standard error."""
    from fleet.remote.wire.frames import Files

    source, target = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Server(Stream(Files(source, target)), home, options).run()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
