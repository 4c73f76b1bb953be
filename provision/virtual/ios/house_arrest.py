"""The way into an app's own files: one command, then AFC (facts, iOS §1, §4).

``VendDocuments`` is for apps that share files and shows nothing but ``/Documents`` [inferred], ``VendContainer`` for
those that a developer signed. One refused command ends the connection.
"""

from __future__ import annotations

from typing import Any

from provision.virtual.ios.afc import Session
from provision.virtual.ios.afc_files import Files
from provision.virtual.ios.phone import App, Phone
from provision.virtual.ios.stream import Closed, Stream

_ONLY = {"VendDocuments": "Documents", "VendContainer": ""}


def serve(stream: Stream, phone: Phone) -> None:
    """The service com.apple.mobile.house_arrest."""
    asked = stream.recv_plist()
    asked = asked if isinstance(asked, dict) else {}
    error = _refusal(phone, asked)
    if error:
        stream.send_plist({"Error": error})
        raise Closed("refused")
    stream.send_plist({"Status": "Complete"})
    folder = phone.home / "apps" / asked["Identifier"]
    Session(stream, phone, Files(phone, folder, only=_ONLY[asked["Command"]])).run()


def _refusal(phone: Phone, asked: dict[str, Any]) -> str:
    """The error, "" for none."""
    command, bundle = asked.get("Command"), asked.get("Identifier")
    if not isinstance(command, str):
        return "MissingCommand"
    if not isinstance(bundle, str):
        return "MissingIdentifier"
    if command not in _ONLY:
        return "UnknownCommand"
    with phone.lock:
        app = phone.apps.get(bundle)
    if app is None:
        return "ApplicationLookupFailed"
    if app.kind != "User" or not (app.shares_files if command == "VendDocuments" else _by_developer(app)):
        return "InstallationLookupFailed"
    return ""


def _by_developer(app: App) -> bool:
    """Signed with a profile that names devices: neither the App Store's nor an organisation's own."""
    return app.attributes.get("ProfileValidated") is True and app.attributes.get("UPPValidated") is not True
