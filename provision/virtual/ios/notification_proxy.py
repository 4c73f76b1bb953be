"""What happens on the phone, told to those who asked for it by name (facts, iOS §4)."""

from __future__ import annotations

from contextlib import suppress

from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Closed, Stream


def serve(stream: Stream, phone: Phone) -> None:
    """The service com.apple.mobile.notification_proxy. Shutdown is answered by ProxyDeath and ends it."""
    wanted: set[str] = set()

    def tell(name: str) -> None:
        if name in wanted:
            with suppress(Closed):  # whoever posts does not mind who has gone
                stream.send_plist({"Command": "RelayNotification", "Name": name})

    end = phone.observe(tell)
    try:
        while True:
            asked = stream.recv_plist()
            command, name = (asked.get("Command"), asked.get("Name")) if isinstance(asked, dict) else (None, None)
            if command == "ObserveNotification" and isinstance(name, str):
                wanted.add(name)
            elif command == "PostNotification" and isinstance(name, str):
                phone.post(name)
            elif command == "Shutdown":
                stream.send_plist({"Command": "ProxyDeath"})
                raise Closed("it was told to end")
    finally:
        end()
