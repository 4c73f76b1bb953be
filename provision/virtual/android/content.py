"""``content`` (§2.3, §4.1, §4.2): the telephony and settings providers, asked in SQL as they are on a phone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from provision.virtual.android.envelope import JavaError, denied, illegal, illegal_state
from provision.virtual.android.phone import Phone
from provision.virtual.android.presets import Tree
from provision.virtual.android.process import Process

Row = dict[str, Any]

_CARRIERS = """
_id name numeric mcc mnc carrier_id apn user server password proxy port mmsproxy mmsport mmsc authtype type current
protocol roaming_protocol carrier_enabled bearer bearer_bitmask network_type_bitmask mvno_type mvno_match_data sub_id
profile_id modem_cognitive max_conns wait_time max_conns_time mtu edited user_visible user_editable owned_by apn_set_id
skip_464xlat
"""
CARRIER_COLUMNS = _CARRIERS.split()
SIM_COLUMNS = ["_id", "icc_id", "sim_id", "display_name", "carrier_name", "mcc", "mnc", "data_roaming"]
CARRIER_EDITED = 4
USAGE = "usage: adb shell content [subcommand] [options]\n"
CONVERT: dict[str, Callable[[str], Any]] = {
    "s": str,
    "b": lambda word: word.lower() == "true",
    "i": int,
    "l": int,
    "f": float,
    "d": float,
}


@dataclass
class Asked:
    """A command line of ``content``, taken apart."""

    verb: str
    uri: str = ""
    projection: list[str] | None = None
    where: str = ""
    sort: str = ""
    values: Row = field(default_factory=dict)

    @property
    def authority(self) -> str:
        return self.uri.removeprefix("content://").partition("/")[0]

    @property
    def path(self) -> list[str]:
        return [part for part in self.uri.removeprefix("content://").partition("/")[2].split("/") if part]


def content(process: Process) -> int:
    """The status is 0 whatever happens: errors are told by their text alone."""
    try:
        asked = _parse(process.phone, process.argv[1:])
    except JavaError as error:
        process.say(f"{USAGE}[ERROR] {error.message}\n")
        return 0
    try:
        rows = _run(process.phone, asked)
    except JavaError as error:
        process.complain(f"Error while accessing provider:{asked.authority}\n{error.trace()}")
        return 0
    if rows is not None:
        process.say(_shown(rows))
    return 0


def _parse(phone: Phone, words: list[str]) -> Asked:
    left = list(words)
    asked = Asked(left.pop(0) if left else "")
    if asked.verb not in {"insert", "update", "delete", "query"}:
        raise illegal(f"Unsupported operation: {asked.verb}")
    while left:
        option = left.pop(0)
        if option not in {"--uri", "--user", "--projection", "--where", "--sort", "--bind"}:
            raise illegal(f"Unsupported argument: {option}")
        value = left.pop(0) if left else ""
        if not value or value.startswith("--"):
            raise illegal(f"No value for argument: {option}")
        _take(phone, asked, option, value)
    if not asked.uri:
        raise illegal("Content provider URI not specified. Did you specify --uri argument?")
    return asked


def _take(phone: Phone, asked: Asked, option: str, value: str) -> None:
    if option == "--uri":
        asked.uri = value
    elif option == "--projection":
        asked.projection = re.split(r"\s*:\s*", value)
    elif option == "--where":
        asked.where = value
    elif option == "--sort":
        asked.sort = value
    elif option == "--bind":
        column, bound = _bind(phone, value)
        asked.values[column] = bound


def _bind(phone: Phone, text: str) -> tuple[str, Any]:
    """``column:type:value``. From 11 on a backslash keeps the next character, and so colons in the value [inferred]."""
    parts = _split(text) if phone.api >= 30 else text.split(":", 2)
    if len(parts) != 3:
        raise illegal(f"Binding not well formed: {text}")
    column, kind, value = parts
    if kind == "n":
        return column, None
    if kind not in CONVERT:
        raise illegal(f"Unsupported type: {kind}")
    try:
        return column, CONVERT[kind](value)
    except ValueError:
        raise JavaError("java.lang.NumberFormatException", f'For input string: "{value}"') from None


def _split(text: str) -> list[str]:
    parts, kept = [""], False
    for character in text:
        if kept or character not in "\\:":
            parts[-1] += character
            kept = False
        elif character == "\\":
            kept = True
        else:
            parts.append("")
    return parts


def _run(phone: Phone, asked: Asked) -> list[Row] | None:
    """Rows for a query, None otherwise."""
    if asked.authority == "telephony" and phone.tree["phone_slots"] and asked.path:
        if asked.path[0] == "siminfo":
            return _siminfo(phone, asked)
        if asked.path[0] == "carriers":
            return _carriers(phone, asked)
    if asked.authority == "settings" and asked.path and asked.path[0] in phone.settings:
        return _settings(phone, asked)
    raise illegal_state(f"Could not find provider: {asked.authority}")


def _may_touch_apns(phone: Phone, asked: Asked) -> None:
    free = asked.verb == "query" and phone.api <= 29
    if not free and not phone.holds("WRITE_APN_SETTINGS"):
        raise denied(f"No permission to {'write' if phone.api <= 29 else 'access'} APN settings")


def _siminfo(phone: Phone, asked: Asked) -> list[Row]:
    if phone.api >= 33:
        raise denied("Access SIMINFO table from not phone/system UID")
    if phone.api >= 30:
        _may_touch_apns(phone, asked)
    rows = [
        {
            "_id": sim["sub_id"],
            "icc_id": sim["iccid"],
            "sim_id": sim["slot"],
            "display_name": sim["name"],
            "carrier_name": sim["name"],
            "mcc": int(sim["operator"][:3]),
            "mnc": int(sim["operator"][3:]),
            "data_roaming": int(phone.settings["global"].get("data_roaming", "0")),
        }
        for sim in phone.sims
        if sim["sub_id"] > 0
    ]
    return _select(asked, SIM_COLUMNS, rows)


def _carriers(phone: Phone, asked: Asked) -> list[Row] | None:
    _may_touch_apns(phone, asked)
    if asked.path[1:2] == ["preferapn"]:
        return _preferred(phone, asked)
    if asked.verb == "query":
        return _select(asked, CARRIER_COLUMNS, phone.apns)
    if asked.verb == "insert":
        number = max((row["_id"] for row in phone.apns), default=0) + 1
        row: Row = dict.fromkeys(CARRIER_COLUMNS, "")
        row |= {"carrier_enabled": 1, "edited": CARRIER_EDITED, "owned_by": 1, "user_visible": 1, "user_editable": 1}
        phone.apns.append(row | asked.values | {"_id": number})
        return None
    hit = {row["_id"] for row in _select(asked, CARRIER_COLUMNS, phone.apns)}
    for row in phone.apns:
        if row["_id"] in hit and asked.verb == "update":
            row.update(asked.values)
    if asked.verb == "delete":
        phone.apns = [row for row in phone.apns if row["_id"] not in hit]
    return None


def _preferred(phone: Phone, asked: Asked) -> list[Row] | None:
    """The APN in use, of the first subscription or of ``subId/N``."""
    words = asked.path[2:]
    sub_id = int(words[1]) if words[:1] == ["subId"] and words[1:] else (phone.sim() or {"sub_id": -1})["sub_id"]
    if asked.verb == "query":
        chosen = phone.preferred_apn.get(sub_id)
        return _select(asked, CARRIER_COLUMNS, [row for row in phone.apns if row["_id"] == chosen])
    if asked.verb == "delete":
        phone.preferred_apn.pop(sub_id, None)
    elif "apn_id" in asked.values:
        phone.preferred_apn[sub_id] = int(asked.values["apn_id"])
    return None


def _settings(phone: Phone, asked: Asked) -> list[Row] | None:
    table = phone.settings[asked.path[0]]
    if asked.verb == "query":
        rows: list[Row] = [
            {"_id": number, "name": name, "value": value} for number, (name, value) in enumerate(table.items(), 1)
        ]
        return _select(asked, ["_id", "name", "value"], rows)
    needed = "WRITE_SETTINGS" if asked.path[0] == "system" else "WRITE_SECURE_SETTINGS"
    if not phone.holds(needed):
        raise denied(f"Permission denial: writing to settings requires:android.permission.{needed}")
    if asked.verb == "insert":
        table[str(asked.values.get("name"))] = str(asked.values.get("value"))
    return None


def _select(asked: Asked, columns: list[str], rows: list[Tree]) -> list[Row]:
    """The rows that the command's where, sort and projection choose."""
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        named = ", ".join(f'"{column}"' for column in columns)
        database.execute(f"CREATE TABLE t ({named})")
        marks = ", ".join("?" for _ in columns)
        database.executemany(f"INSERT INTO t VALUES ({marks})", [[row.get(name) for name in columns] for row in rows])  # noqa: S608
        wanted = ", ".join(f'"{name}"' for name in asked.projection or columns)
        where = f" WHERE {asked.where}" if asked.where else ""
        order = f" ORDER BY {asked.sort}" if asked.sort else ""
        try:
            found = database.execute(f"SELECT {wanted} FROM t{where}{order}").fetchall()  # noqa: S608  the phone's own
        except sqlite3.Error as error:
            raise JavaError("android.database.sqlite.SQLiteException", f"{error} (code 1)") from None
    database.close()
    return [dict(row) for row in found]


def _shown(rows: list[Row]) -> str:
    if not rows:
        return "No result found.\n"
    lines = []
    for number, row in enumerate(rows):
        columns = ", ".join(f"{name}={'NULL' if value is None else value}" for name, value in row.items())
        lines.append(f"Row: {number} {columns}\n")
    return "".join(lines)
