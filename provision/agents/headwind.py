"""Headwind's agent: its parts, how it is enrolled by a file, and how it signs what it asks (facts, Android §3.5)."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

from profiles.rules import AGENTS

PACKAGE = AGENTS["headwind"]
ADMIN = f"{PACKAGE}/.AdminReceiver"
SCREEN = f"{PACKAGE}/.ui.MainActivity"
FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"
"""Its own folder on the phone, which the system makes when it is first started."""

ENROLMENT = f"{FOLDER}/init.json"
FIRST_API = 26

BENCH_PORT = 8765
BENCH = f"http://localhost:{BENCH_PORT}"
"""The bench's server as phones see it, through USB: on all benches the same, so that an agent finds it again."""

CONFIGURATION = "rest/public/sync/configuration"
"""Below the server's address, a slash and the number after it: what the phone should be (GET; POST the first time)."""

INFO = "rest/public/sync/info"
"""Below the server's address: where it posts how the phone is."""

FILES = "files"
"""Below the server's address: what of an address comes after this is signed."""


def signature(secret: str, text: str) -> str:
    """The header ``X-Request-Signature`` of a request: SHA-1 in capital hex, of the secret and ``text``.

    ``text`` is the number (configuration), :func:`polled` (notifications), or what comes after ``/files/`` (files).
    """
    return hashlib.sha1((secret + text).encode(), usedforsecurity=False).hexdigest().upper()


def polled(number: str, *, long: bool) -> str:
    """What is signed when notifications are asked for, at once or by a long poll; also the path that is asked."""
    path = "rest/notification/polling" if long else "rest/notifications/device"
    return f"/{path}/{quote(number, safe='')}"


def enrolment(number: str, server: str) -> str:
    """What stands in :data:`ENROLMENT`: a map of texts. ``server`` is its address, without a slash at the end.

    Both addresses are given: where the second is not, the agent would turn to its maker's server.
    """
    said = {"DEVICE_ID": number, "BASE_URL": server, "SECONDARY_BASE_URL": server, "SERVER_PROJECT": ""}
    return json.dumps({f"com.hmdm.{key}": value for key, value in said.items()})
