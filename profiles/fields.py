"""The kinds of value that a profile holds, and the base of all its sections: what profiles.schema is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from profiles.rules import apk_files, server_address, signer_digits, switch
from profiles.secrets import Secret

PACKAGE = re.compile(r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$")

# What a text has to look like, in the words of an error: see profiles.explain
PATTERNS: Mapping[str, str] = {
    r"^[a-z0-9][a-z0-9._-]*$": 'small letters, digits, ".", "_" and "-", such as grade-3',
    PACKAGE.pattern: "a package name, such as org.example.app",
    r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$": "an app's bundle identifier, such as org.example.app",
    r"^[0-9a-f]{64}$": "the SHA-256 of the signer's certificate: 64 hexadecimal digits",
    r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?$": "a host name, such as "
    "family.example (without https:// and without a path)",
    r"^[0-9]{5,6}$": 'five or six digits, country then network, in quotes: "45204"',
    r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$": "a permission, short (camera) or in full (android.permission.CAMERA)",
    r"^https?://[^\s]+$": "a web address that starts with https:// or http://",
    r"^[0-9]+(\.[0-9]+)? ?[MG]B(/(day|month))?$": "an amount such as 4 GB/day, 30 GB/month or 500 MB",
    r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$": "an access point name, such as v-internet",
    r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$": "a language, such as vi, zh-Hans or en-GB",
    r"^[a-z]{2,3}(_[A-Z][a-z]{3})?_[A-Z]{2}$": "a language and a country, such as vi_VN or zh_CN",
    r"^[a-z]{2}$": "a country in two small letters, such as us",
}
_ID, _PACKAGE, _BUNDLE, _SHA256, _HOST, _MCCMNC, _PERMISSION, _WEB, _QUOTA, _APN, _LANGUAGE, _LOCALE, _COUNTRY = (
    PATTERNS
)

Id = Annotated[str, StringConstraints(pattern=_ID, max_length=64)]
Package = Annotated[str, StringConstraints(pattern=_PACKAGE, max_length=223)]
Bundle = Annotated[str, StringConstraints(pattern=_BUNDLE, max_length=155)]
Sha256 = Annotated[str, BeforeValidator(signer_digits), StringConstraints(pattern=_SHA256)]
Host = Annotated[str, StringConstraints(pattern=_HOST, max_length=253)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Permission = Annotated[str, StringConstraints(pattern=_PERMISSION, max_length=200)]
WebAddress = Annotated[str, StringConstraints(pattern=_WEB, max_length=2000)]
Quota = Annotated[str, StringConstraints(pattern=_QUOTA)]
Numeric = Annotated[str, StringConstraints(pattern=_MCCMNC)]
ApnName = Annotated[str, StringConstraints(pattern=_APN, max_length=100)]
Language = Annotated[str, StringConstraints(pattern=_LANGUAGE)]
Locale = Annotated[str, StringConstraints(pattern=_LOCALE)]
Country = Annotated[str, StringConstraints(pattern=_COUNTRY)]
ServerAddress = Annotated[str, AfterValidator(server_address)]

_ON_OFF: dict[str, Any] = {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off"]}]}
_ROAMING: dict[str, Any] = {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off", "allow", "deny"]}]}
_ONE_OR_MORE: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}
_SECRET: dict[str, Any] = {"type": "string", "description": "!secret name: never the secret itself"}

Switch = Annotated[bool, BeforeValidator(switch(on=True, off=False)), WithJsonSchema(_ON_OFF)]
Roaming = Annotated[bool, BeforeValidator(switch(on=True, off=False, allow=True, deny=False)), WithJsonSchema(_ROAMING)]
SecretText = Annotated[
    Secret, PlainSerializer(lambda secret: f"!secret {secret.name}", return_type=str), WithJsonSchema(_SECRET)
]
ApkFiles = Annotated[tuple[Path, ...], BeforeValidator(apk_files), WithJsonSchema(_ONE_OR_MORE)]
Required = Annotated[
    Switch, Field(description="When it is impossible on a device, the device fails instead of being partial.")
]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    KEY: ClassVar[tuple[str, ...]] = ()
