"""The ready profiles and their JSON Schema, and what importing costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from profiles.jsonschema import json_schema
from profiles.library import FOLDER, library, names
from profiles.load import load
from profiles.restrictions import table
from profiles.schema import Profile
from profiles.secrets import Secrets
from profiles.strict_yaml import SecretName, plain, read

GOOD = Path(__file__).parents[1] / "data" / "profiles" / "good"
SCHEMA = json_schema()


def test_the_library_lists_itself() -> None:
    listed = dict(library())
    assert {"base", "primary-cn", "primary-vn"} <= set(listed)
    for name, description in listed.items():
        assert len(description) > 20, f"{name}.yaml starts with a comment line that says what it is for"


@pytest.mark.parametrize("name", names())
def test_a_ready_profile_needs_nothing_and_demands_nothing(name: str) -> None:
    profile = load(name, Secrets({}))
    assert profile.profile == name
    assert not profile.apps
    assert not profile.content
    demanding = [rule for rule, wanted in profile.restrictions.rules.items() if wanted.required]
    sections = [profile.sim, profile.network]
    assert not demanding
    assert not any(section.required for section in sections if section), "a phone without an owner is partial"
    assert profile.sim is not None
    assert profile.sim.roaming is False
    assert profile.network is not None
    assert profile.network.filter_dns
    assert profile.where("sim", "roaming").startswith("base.yaml:")


@pytest.mark.parametrize("path", [*FOLDER.glob("*.yaml"), *GOOD.glob("[!s]*.yaml"), *GOOD.glob("parents/*.yaml")])
def test_the_schema_takes_every_good_profile(path: Path) -> None:
    assert list(mistakes(SCHEMA, plain(read(path)))) == []


@pytest.mark.parametrize(
    "profile",
    [
        {"profile": "p", "colour": "red"},
        {"profile": "P P"},
        {"sim": {}},
        {"profile": "p", "sim": {"roaming": "NO"}},
        {"profile": "p", "restrictions": {"install_app": "deny"}},
        {"profile": "p", "restrictions": {"rules": {}}},
        {"profile": "p", "apps": [{"android": {}}]},
        {"profile": "p", "extends": "base"},
        {"profile": "p", "sim": {"drop": False}},
        {"profile": "p", "sim": None},
    ],
)
def test_the_schema_refuses(profile: dict[str, Any]) -> None:
    assert list(mistakes(SCHEMA, profile))


def test_every_field_has_a_help_text() -> None:
    for name, part in [("Profile", SCHEMA), *SCHEMA["$defs"].items()]:
        for field, schema in part["properties"].items():
            assert schema.get("description") or field == "drop", f"{name}.{field}"
    assert set(table()) < set(SCHEMA["$defs"]["Restrictions"]["properties"])


def mistakes(schema: dict[str, Any], value: Any) -> list[str]:
    """A JSON Schema validator of as much as our schema uses."""
    if "$ref" in schema:
        return mistakes(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value)
    if "anyOf" in schema:
        found = [mistakes(choice, value) for choice in schema["anyOf"]]
        return [] if any(not wrong for wrong in found) else [f"{value!r} is none of {len(found)}"]
    if "enum" in schema or "const" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{value!r} is another word"]
    kinds = {"object": dict, "array": list, "string": (str, SecretName), "boolean": bool, "integer": int}
    if not isinstance(value, kinds[schema["type"]]):  # type: ignore[arg-type]
        return [f"{value!r} is no {schema['type']}"]
    if isinstance(value, dict):
        wrong = [f"{key} is unknown" for key in value if key not in schema["properties"]]
        wrong += [f"{key} is missing" for key in schema.get("required", []) if key not in value]
        return wrong + [
            w for k, v in value.items() if k in schema["properties"] for w in mistakes(schema["properties"][k], v)
        ]
    if isinstance(value, list):
        return [w for item in value for w in mistakes(schema["items"], item)]
    if isinstance(value, str) and "pattern" in schema:
        return [] if re.search(schema["pattern"], value) else [f"{value!r} does not match"]
    return []


def test_the_schema_has_every_section() -> None:
    written = {field.alias or name for name, field in Profile.model_fields.items()}
    assert set(SCHEMA["properties"]) == written | {"extends"}


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_and_listing_is_cheap() -> None:
    cheap = "import profiles, profiles.errors, profiles.secrets, profiles.library; profiles.library.library()"
    assert not {"pydantic", "pydantic_core", "yaml"} & imported_by(cheap)
    tables = "import profiles.restrictions as r, profiles.carriers as c; r.table(); c.find('nobody')"
    assert not {"pydantic", "pydantic_core"} & imported_by(tables)
    assert "pydantic" in imported_by("import profiles.load")
