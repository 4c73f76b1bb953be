"""The JSON Schema of a profile file, for editors: completion, help texts, and mistakes marked while one types.

It describes a file as it is written, so it also knows ``extends``, ``drop`` and the names of all restrictions, and it
asks for no more than a file has to say when the rest comes from what it extends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiles import library
from profiles.restrictions import Restriction, table
from profiles.schema import App, AppRef, Bookmark, Content, Profile, Wifi

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DROP = {"$ref": "#/$defs/Drop"}
_ENTRIES = {kind.__name__: kind for kind in (App, AppRef, Bookmark, Content, Wifi)}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a profile file. Needs pydantic."""
    generated = Profile.model_json_schema(by_alias=True)
    defs = {name: _section(name, part) for name, part in generated.pop("$defs").items()}
    defs["Restrictions"]["properties"].pop("rules")
    defs["Restrictions"]["properties"].update({name: _droppable(_rule(row)) for name, row in table().items()})
    defs["Drop"] = {
        "type": "object",
        "description": "Takes away what was inherited.",
        "properties": {"drop": {"const": True}},
        "required": ["drop"],
        "additionalProperties": False,
    }
    root = _section("Profile", generated)
    root["properties"] = {"profile": root["properties"].pop("profile"), "extends": _extends(), **root["properties"]}
    return {"$schema": DIALECT, "title": "Profile of a device", **root, "required": ["profile"], "$defs": defs}


def _section(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    key = _ENTRIES[name].KEY if name in _ENTRIES else ()
    fixed = (*key, "profile") if name == "Profile" else key
    properties = {
        field: _tidy(schema) if field in fixed else _droppable(_tidy(schema))
        for field, schema in part["properties"].items()
    }
    section: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if key:
        properties["drop"] = {"const": True, "description": "Takes away this entry, which was inherited."}
    if len(key) == 1:
        section["required"] = list(key)
    return section


def _droppable(schema: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key != "description"}
    choices = rest["anyOf"] if set(rest) == {"anyOf"} else [rest]
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, "anyOf": [*choices, _DROP]}


def _tidy(schema: Any) -> Any:
    """Without titles and defaults, which say nothing new, and without null, which no file may say."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if key not in ("title", "default", "format")}
    if "oneOf" in tidy:
        tidy["anyOf"] = tidy.pop("oneOf")
    choices = tidy.get("anyOf", [])
    return {**choices[0], **{k: v for k, v in tidy.items() if k != "anyOf"}} if len(choices) == 1 else tidy


def _rule(row: Restriction) -> dict[str, Any]:
    text = f"{row.meaning}. {row.limits}".rstrip()
    return {"description": text, "anyOf": [{"enum": ["deny", "allow"]}, {"$ref": "#/$defs/Rule"}]}


def _extends() -> dict[str, Any]:
    return {
        "type": "array",
        "description": "Profiles that this one starts from: names of the library, or paths that start at this "
        f"profile's folder. Later ones win, and this file over all. In the library: {', '.join(library.names())}.",
        "items": {"type": "string", "minLength": 1},
    }
