"""What an agent posts of its phone every 15 minutes: read with care, and compared with what it should be.

The posts carry no signature (facts, Android 3.5), so all of it is a hint. Whatever else other builds of the agent send
is passed over; a field of the wrong shape counts as not said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.account.filters.leaves import WAITS
from fleet.values import storable
from provision.text import printable

_LONGEST = 1024
_SHOWN = 40
_MOST = 5000
_TEXTS = 20
"""Most texts that are kept of what differs."""

_AND_MORE = re.compile(r"and \d+ more")
_TELLS_SERIAL = 28

_ICCID = re.compile(r"[0-9]{18,22}F?")
_IMEI = re.compile(r"[0-9]{14,16}")
_PERMISSIONS = ("device admin", "drawing over other apps", "usage statistics")
"""In the order in which the agent lists whether it has them."""

_NOBODY = frozenset({"", "unknown", "0", "0123456789abcdef"})
"""Serials that are none."""


class BadReport(ValueError):
    """A post that is no report."""


@dataclass(frozen=True)
class Report:
    """``None`` is not said. ``apps`` are versions by package, ``files`` MD5 (hex, small letters) by path without the
    first slash; ``missing`` the permissions that the agent has not."""

    number: str
    model: str | None
    serial: str | None
    imei: str | None
    iccid: str | None
    owner: bool | None
    battery_level: int | None
    factory_reset: bool
    apps: Mapping[str, str] | None
    files: Mapping[str, str] | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Phone:
    """Who the phone should be, as a bench read it; "" where it did not. ``api`` is 0 where it is not known."""

    api: int
    serial: str
    model: str
    imei: str


def parse(content: bytes) -> Report:
    """The report in the body of a post. BadReport when it is none: no JSON, or without the number of a device."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadReport("no JSON") from error
    if not isinstance(said, dict) or not isinstance(said.get("deviceId"), str):
        raise BadReport("no number")
    level = said.get("batteryLevel")
    owner = said.get("mdmMode")
    return Report(
        number=said["deviceId"],
        model=_text(said.get("model")),
        serial=_text(said.get("serial")),
        imei=_matching(_IMEI, said.get("imei")),
        iccid=_matching(_ICCID, said.get("iccid")),
        owner=owner if isinstance(owner, bool) else None,
        battery_level=level if type(level) is int and 0 <= level <= 100 else None,
        factory_reset=said.get("factoryReset") is True,
        apps=_pairs(said.get("applications"), "pkg", "version"),
        files=_files(said.get("files")),
        missing=_missing(said.get("permissions")),
    )


def differs(
    report: Report, document: Mapping[str, Any], waits: Callable[[int], bool] = lambda _: False
) -> tuple[str, ...] | None:
    """What is not as the document says, as short texts; ``None`` when the report does not say enough to know.

    The agent tells of apps by the digits of their version, and of files by the MD5 that it noted after the download.
    What it never fetches, an app in place of a newer one, comes first. Where one of the others ``waits`` for Wi-Fi (by
    its bytes), all these wait, and say so.
    """
    if (report.apps is None and document["apps"]) or (report.files is None and document["files"]):
        return None
    apps, files = _apps(report.apps or {}, document["apps"]), _contents(report.files or {}, document["files"])
    found = [*apps, *files]
    late = WAITS if any(size is not None and waits(size) for size, _ in found) else ""
    texts = [text for size, text in found if size is None]
    texts += [f"{late}{text}" for size, text in found if size is not None]
    more = len(texts) - _TEXTS
    return tuple(texts if more <= 0 else [*texts[:_TEXTS], f"and {more} more"])


def lacking(texts: Iterable[str], document: Mapping[str, Any]) -> frozenset[str]:
    """The contents (SHA-256) of the document that an agent is still to fetch, by the texts of :func:`differs`."""
    said = {text.removeprefix(WAITS) for text in texts}
    every = [*document["apps"], *document["files"]]
    if not any(map(_AND_MORE.fullmatch, said)):
        packages = {text.split(" ")[1] for text in said if text.startswith("app ") and _NEWER not in text}
        every = [app for app in document["apps"] if app["pkg"] in packages]
        every += [file for file in document["files"] if said & {_gone(file), _another(file)}]
    return frozenset(one["sha256"] for one in every)


def stranger(report: Report, phone: Phone) -> str:
    """Which other phone reports with this number; "" when it is the one that was set up, or does not tell.

    Before Android 9 the agent tells a number of the radio's for the serial where there is one.
    """
    if report.imei and phone.imei:
        return "" if report.imei[:14] == phone.imei[:14] else f"IMEI {report.imei}"
    serial = (report.serial or "")[:_SHOWN]
    if serial.casefold() not in _NOBODY and phone.serial and phone.api >= _TELLS_SERIAL:
        return "" if serial.casefold() == phone.serial.casefold() else f"serial {serial}"
    if report.model and phone.model and report.model.casefold() != phone.model.casefold():
        return f"model {report.model[:_SHOWN]}"
    return ""


_Found = Iterator[tuple[int | None, str]]
"""What the agent is to fetch (bytes, ``None`` nothing), and what differs."""

_NEWER = ", which is newer than "


def _apps(found: Mapping[str, str], wanted: Sequence[Mapping[str, Any]]) -> _Found:
    for app in wanted:
        version = found.get(app["pkg"])
        if version is None:
            yield app["size"], f"app {app['pkg']} is not there"
        elif _digits(version) != _digits(app["version"] or version):
            newer = _parts(version) > _parts(app["version"])
            said = f"app {app['pkg']} is {version or 'of no version'}"
            yield None if newer else app["size"], f"{said}{_NEWER if newer else ', not '}{app['version']}"


def _contents(found: Mapping[str, str], wanted: Sequence[Mapping[str, Any]]) -> _Found:
    for file in wanted:
        md5 = found.get(file["path"])
        if md5 is None:
            yield file["size"], _gone(file)
        elif md5 != file["md5"]:
            yield file["size"], _another(file)


def _gone(file: Mapping[str, Any]) -> str:
    return f"file {printable(file['path'])} is not there"


def _another(file: Mapping[str, Any]) -> str:
    return f"file {printable(file['path'])} is another one"


def _digits(version: str) -> str:
    """As the agent compares them: some phones do not tell the letters."""
    return re.sub(r"[^0-9.]", "", version)


def _parts(version: str) -> list[int]:
    """For comparing: 1.10 is newer than 1.9."""
    return [int(part) for part in re.findall(r"[0-9]{1,18}", version)]


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return None
    return printable(storable(value))


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _pairs(value: object, key: str, said: str) -> dict[str, str] | None:
    if not isinstance(value, list):
        return None
    found: dict[str, str] = {}
    for row in value[:_MOST]:
        if isinstance(row, dict) and (name := _text(row.get(key))):
            found.setdefault(name, _text(row.get(said)) or "")
    return found


def _files(value: object) -> dict[str, str] | None:
    found = _pairs(value, "path", "checksum")
    return None if found is None else {path.lstrip("/"): md5.lower() for path, md5 in found.items()}


def _missing(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(name for name, has in zip(_PERMISSIONS, value, strict=False) if has == 0 and type(has) is int)
