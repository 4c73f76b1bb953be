"""What single values of a profile must be, in words: the validators that profiles.schema hangs on its fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pydantic_core import PydanticCustomError

from profiles.errors import meant

# The type of our own errors: their message is already what the user is told
OURS = "schoolbag"

AGENTS = {"headwind": "com.hmdm.launcher", "testdpc": "com.afwsamples.testdpc"}
"""The agents that may own a phone, and their package names (facts, Android §3.4)."""

_BUNDLES = (".apks", ".xapk", ".apkm")


def wrong(message: str) -> PydanticCustomError:
    """An error whose message is for the user as it is."""
    return PydanticCustomError(OURS, "{message}", {"message": message})


def switch(**words: bool) -> Callable[[object], object]:
    """A validator that takes true, false and these words for a boolean."""
    listed = ", ".join(words)

    def check(value: object) -> object:
        if isinstance(value, str):
            if value not in words:
                raise wrong(f'must be one of true, false, {listed}, not "{value}"')
            return words[value]
        return value

    return check


def rule_word(value: object) -> object:
    """``deny`` and ``allow`` for the map that they are short for."""
    if isinstance(value, str):
        if value not in ("deny", "allow"):
            raise wrong(f'must be deny, allow, or a map such as {{deny: true, required: true}}, not "{value}"')
        return {"deny": value == "deny"}
    return value


def signer_digits(value: object) -> object:
    """Certificates' hashes are printed with colons and capitals by some tools."""
    return value.replace(":", "").lower() if isinstance(value, str) else value


def apk_files(value: object) -> object:
    """One path or several, as a tuple: a single file of any kind, or APKs only."""
    files = (value,) if isinstance(value, Path) else value
    if isinstance(files, tuple) and all(isinstance(file, Path) for file in files):
        suffixes = {file.suffix.lower() for file in files}
        if not suffixes <= {".apk", *_BUNDLES}:
            raise wrong(f"must end in .apk, {', '.join(_BUNDLES)}")
        if not files or (len(files) > 1 and suffixes != {".apk"}):
            raise wrong("must be one file, or a list of .apk files that make one app")
    return files


def relative_place(value: str) -> str:
    """A place below the device's shared storage, with no way out of it."""
    place = PurePosixPath(value)
    if place.is_absolute() or ".." in place.parts or "\\" in value or not place.parts:
        raise wrong('must be a path below the shared storage, such as Learning/grade-3, without a leading "/" or ".."')
    if value.strip() != value or re.search(r'[\n\t:*?"<>|]', value):
        raise wrong('must not hold any of : * ? " < > | or line breaks: phones refuse such names')
    return place.as_posix()


def network_name(value: str) -> str:
    """An SSID: 32 bytes, which is less than 32 letters in most scripts."""
    if not 1 <= len(value.encode()) <= 32:
        raise wrong("must be 1 to 32 bytes long (a Chinese character takes three)")
    return value


def device_name(value: str) -> str:
    """A name with ``{tag}`` in it, or without."""
    rest = value.replace("{tag}", "")
    if "{" in rest or "}" in rest:
        raise wrong("only {tag} is known in braces")
    if not value.strip() or len(value) > 63 or not value.isprintable():
        raise wrong("must be 1 to 63 characters on one line")
    return value


def known_zone(value: str) -> str:
    """A name of the time zone database."""
    from zoneinfo import available_timezones

    zones = available_timezones()
    if value not in zones:
        raise wrong(f'"{value}" is not a time zone{meant(value, zones)}: write it as in Asia/Ho_Chi_Minh')
    return value


MOST_ADDRESSES = 500
"""Apple's limit for a list of denied pages (facts, iOS §2)."""


def few_addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    """No more pages than the device takes."""
    if len(value) > MOST_ADDRESSES:
        raise wrong(f"are {len(value)} pages: a device takes {MOST_ADDRESSES}")
    return value


def pane_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """Names of panes of the Setup Assistant, as setup_panes.yaml has them."""
    from profiles.setup_panes import table

    for name in value:
        if name not in table():
            raise wrong(f'"{name}" is no pane of the Setup Assistant{meant(name, table())}')
    return value


_SERVER = re.compile(r"(https?)://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?/?")
_HERE = ("localhost", "127.0.0.1")


def server_address(value: str) -> str:
    """Scheme, host and port, without the last slash. Plain http only to this computer: the answers hold secrets."""
    found = _SERVER.fullmatch(value)
    if found is None:
        raise wrong(f'must be https:// and a host, such as https://agents.example.org, without a path, not "{value}"')
    if found[1] == "http" and found[2] not in _HERE:
        raise wrong("must start with https://: over http everybody on the way reads along (only localhost may have it)")
    if found[4] and not 1 <= int(found[4][1:]) <= 65535:
        raise wrong(f"must have a port from 1 to 65535, not {found[4][1:]}")
    return value.rstrip("/")
