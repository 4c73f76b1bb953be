"""The operators of the whole world, from Debian's mobile-broadband-provider-info, where that is installed.

The file is read as a stream of tags. Entities are refused and nothing is fetched, whatever the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from profiles.carriers import ApnSettings, Auth, Carrier
from profiles.once import once

FILE = Path("/usr/share/mobile-broadband-provider-info/serviceproviders.xml")

_MAX_BYTES = 32 << 20
_FOR_DATA = ("internet", "mms-internet-hipri", "mms-internet-hipri-fota")
_AUTH: Mapping[str, Auth] = {"pap": "pap", "chap": "chap"}


@dataclass(frozen=True)
class Database:
    """``primary``: of the operators that share a number, those that own the network, as (country, name)."""

    carriers: tuple[Carrier, ...] = ()
    primary: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)


def installed() -> tuple[Carrier, ...]:
    """Every operator of the database; none where it is not installed or cannot be read."""
    return _database().carriers


def primary(numeric: str) -> frozenset[tuple[str, str]]:
    """Country and name of the operators that the database marks as the owners of this number."""
    return _database().primary.get(numeric, frozenset())


@once
def _database() -> Database:
    return parse(FILE)


def parse(file: Path) -> Database:
    """What a serviceproviders.xml holds. A file that is not there or broken holds nothing."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError:
        return Database()
    collector = _Collector()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, _EntityError):
        return Database()
    return collector.database()


class _EntityError(Exception):
    """The file declares an entity: no honest edition of it does."""


def _refuse(*_declaration: object) -> None:
    raise _EntityError


class _Collector:
    """Gathers operators from the stream: country > provider > gsm > network-id and apn."""

    def __init__(self) -> None:
        self._carriers: list[Carrier] = []
        self._primary: dict[str, set[tuple[str, str]]] = {}
        self._path: list[str] = []
        self._country = ""
        self._text = ""
        self._provider: dict[str, str] = {}
        self._numerics: list[str] = []
        self._apns: list[ApnSettings] = []
        self._apn: dict[str, str] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._path.append(tag)
        self._text = ""
        if tag == "country":
            self._country = attributes.get("code", "")
        elif tag == "provider":
            self._provider = {"name": "", "primary": attributes.get("primary", "")}
            self._numerics, self._apns = [], []
        elif tag == "network-id":
            self._numerics.append(attributes.get("mcc", "") + attributes.get("mnc", ""))
        elif tag == "apn":
            self._apn = {"apn": attributes.get("value", "")}
        elif tag in ("usage", "authentication"):
            self._apn[tag] = attributes.get("type", "") or attributes.get("method", "")

    def text(self, data: str) -> None:
        self._text += data

    def end(self, tag: str) -> None:
        self._path.pop()
        parent = self._path[-1] if self._path else ""
        if parent == "provider" and tag == "name" and not self._provider["name"]:
            self._provider["name"] = self._text.strip()
        elif parent == "apn" and tag in ("name", "username", "password"):
            self._apn.setdefault(tag, self._text.strip())
        elif tag == "apn" and self._apn.get("usage", "internet") in _FOR_DATA and self._apn["apn"]:
            self._apns.append(self._settings())
        elif tag == "provider" and self._numerics:
            self._add()

    def _settings(self) -> ApnSettings:
        apn = self._apn
        auth = _AUTH.get(apn.get("authentication", ""), "either" if apn.get("username") else "none")
        name = apn.get("name") or self._provider["name"]
        return ApnSettings(name, apn["apn"], apn.get("username", ""), apn.get("password", ""), auth)

    def _add(self) -> None:
        name = self._provider["name"]
        self._carriers.append(Carrier(name, name, self._country, tuple(self._numerics), tuple(self._apns)))
        if self._provider["primary"] == "true":
            for numeric in self._numerics:
                self._primary.setdefault(numeric, set()).add((self._country, name))

    def database(self) -> Database:
        primary = {numeric: frozenset(owners) for numeric, owners in self._primary.items()}
        return Database(tuple(self._carriers), primary)
