"""The shape of a profile: one class per section, frozen, unknown keys refused.

A profile is loaded by :func:`profiles.load.load`, never built by hand outside tests. Paths in it are absolute,
secrets are :class:`profiles.secrets.Secret` values, and ``profile.where("apps", "kolibri")`` says which file and
line a value came from.

Descriptions are the help texts of editors. Booleans take ``true``, ``false``, ``on`` and ``off``; ``roaming`` also
``allow`` and ``deny``. A class with a ``KEY`` is an entry of a keyed list: entries of one key are one entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from profiles.rules import (
    apk_files,
    device_name,
    known_zone,
    network_name,
    relative_place,
    rule_word,
    signer_digits,
    switch,
    wrong,
)
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
}
_ID, _PACKAGE, _BUNDLE, _SHA256, _HOST, _MCCMNC, _PERMISSION, _WEB, _QUOTA, _APN = PATTERNS

Id = Annotated[str, StringConstraints(pattern=_ID, max_length=64)]
Package = Annotated[str, StringConstraints(pattern=_PACKAGE, max_length=223)]
Bundle = Annotated[str, StringConstraints(pattern=_BUNDLE, max_length=155)]
Sha256 = Annotated[str, BeforeValidator(signer_digits), StringConstraints(pattern=_SHA256)]
Host = Annotated[str, StringConstraints(pattern=_HOST, max_length=253)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]

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


class AndroidApp(Section):
    """``file``: one APK, a bundle (.apks, .xapk, .apkm) or a list of APKs; without it the app must be on the phone."""

    package: Package = Field(description="The app's package name.")
    file: ApkFiles = Field(
        default=(),
        description="One APK, a bundle (.apks, .xapk, .apkm), or the list of one app's APKs. The path starts at this "
        "profile's folder. Without it the app must be on the device already.",
    )
    signer: Sha256 | None = Field(
        default=None, description="SHA-256 of the certificate that the app must be signed with, in hexadecimal."
    )
    grant: tuple[Annotated[str, StringConstraints(pattern=_PERMISSION, max_length=200)], ...] = Field(
        default=(), description="Permissions that the app gets: short (camera) or in full (android.permission.CAMERA)."
    )


class IosApp(Section):
    """An app on the device (``bundle``), one to install (``file``), or a page on the home screen (``web``)."""

    bundle: Bundle | None = Field(default=None, description="The app's bundle identifier.")
    file: Path | None = Field(default=None, description="An .ipa file that is signed for these devices.")
    web: Annotated[str, StringConstraints(pattern=_WEB, max_length=2000)] | None = Field(
        default=None, description="A web page that becomes an icon on the home screen."
    )
    title: Text | None = Field(default=None, description="The name under the icon of the web page.")


class App(Section):
    KEY = ("id",)

    id: Id = Field(description="What other sections call this app.")
    android: AndroidApp | None = Field(default=None, description="The app on Android.")
    ios: IosApp | None = Field(default=None, description="The app on iPhone and iPad.")
    required: Required = False

    @model_validator(mode="after")
    def _somewhere(self) -> App:
        if self.android is None and self.ios is None:
            raise wrong('say what this app is: "android:", "ios:" or both')
        return self


class Content(Section):
    """A file or a tree of files. ``to`` is relative to the shared storage of the device."""

    KEY = ("id",)

    id: Id = Field(description="The name of this content in reports.")
    from_: Path = Field(alias="from", description="A file or a folder. The path starts at this profile's folder.")
    to: Annotated[str, AfterValidator(relative_place)] = Field(
        description="Where it goes on the device, below its shared storage, such as Learning/grade-3."
    )
    required: Required = False


class Apn(Section):
    name: Annotated[str, StringConstraints(pattern=_APN, max_length=100)] = Field(
        description="The access point name itself, such as v-internet."
    )
    user: Text | None = Field(default=None, description="The user name, where the operator wants one.")
    password: SecretText | None = Field(default=None, description="The password: !secret name.")


class BackgroundData(Section):
    default: Literal["allow", "deny"] = Field(
        default="allow", description="Whether apps may use mobile data in the background."
    )
    allow: tuple[Id, ...] = Field(default=(), description="Apps (by id) that may, when others may not.")


class DataPlan(Section):
    """What the operator sold. The registry counts it; the phone cannot."""

    quota: Annotated[str, StringConstraints(pattern=_QUOTA)] = Field(
        description="How much: 4 GB/day, 30 GB/month, 10 GB."
    )
    days: Annotated[int, Field(ge=1, le=3660)] = Field(description="For how many days from the hand-over.")


class Sim(Section):
    carrier: Text | None = Field(
        default=None, description="The operator, by its name in carriers.yaml, such as viettel."
    )
    mccmnc: Annotated[str, StringConstraints(pattern=_MCCMNC)] | None = Field(
        default=None, description='The operator by number, in quotes: "45204".'
    )
    apn: Literal["automatic"] | Apn | None = Field(
        default=None, description="The access point: automatic (by operator), or name, user and password."
    )
    roaming: Roaming | None = Field(default=None, description="Mobile data abroad: on or off.")
    background_data: BackgroundData | None = Field(default=None, description="Mobile data of apps in the background.")
    data_plan: DataPlan | None = Field(default=None, description="What the operator gives; counted by the registry.")
    required: Required = False


class Wifi(Section):
    KEY = ("ssid",)

    ssid: Annotated[str, AfterValidator(network_name)] = Field(description="The network's name.")
    security: Literal["open", "wpa2", "wpa3"] = Field(default="wpa2", description="How the network is protected.")
    password: SecretText | None = Field(default=None, description="The password: !secret name.")
    hidden: Switch = Field(default=False, description="The network does not show its name.")

    @model_validator(mode="after")
    def _password_fits(self) -> Wifi:
        if self.security == "open" and self.password is not None:
            raise wrong('an open network has no password: take "password" out, or name its "security"')
        if self.security != "open" and self.password is None:
            raise wrong(f'{self.security} needs a password: add "password: !secret name"')
        return self


class Network(Section):
    wifi: tuple[Wifi, ...] = Field(default=(), description="Wi-Fi networks that the device knows.")
    filter_dns: Host | None = Field(
        default=None, description="Host name of a filtering DNS server that speaks DNS over TLS."
    )
    required: Required = False


class AppRef(Section):
    """An app that is on the device already, by its name on each platform."""

    KEY = ("android", "ios")

    android: Package | None = Field(default=None, description="Its package name on Android.")
    ios: Bundle | None = Field(default=None, description="Its bundle identifier on iPhone and iPad.")

    @model_validator(mode="after")
    def _named(self) -> AppRef:
        if self.android is None and self.ios is None:
            raise wrong('name the app: "android:", "ios:" or both')
        return self


class Rule(Section):
    """In the file: ``deny``, ``allow``, or a map."""

    deny: Switch = Field(description="true: the user of the device may not. false: they may.")
    required: Required = False

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return rule_word(value)


class Restrictions(Section):
    """``rules``: what is denied, by its name in restrictions.yaml. In the file the names stand beside the lists."""

    rules: Mapping[str, Rule] = Field(default_factory=dict)
    remove: tuple[AppRef, ...] = Field(default=(), description="Apps that are uninstalled.")
    block: tuple[AppRef, ...] = Field(default=(), description="Apps that stay, but cannot be opened.")


class ScreenLock(Section):
    pin: Literal["none", "per_unit"] | SecretText = Field(
        description="none, per_unit (random, kept in the vault), or one for all: !secret name."
    )


class Identity(Section):
    name: Annotated[str, AfterValidator(device_name)] | None = Field(
        default=None, description="The device's name; {tag} stands for the tag of the unit."
    )
    time_zone: Annotated[str, AfterValidator(known_zone)] | None = Field(
        default=None, description="The time zone, such as Asia/Ho_Chi_Minh."
    )
    automatic_time: Switch | None = Field(default=None, description="Clock set by the network: on or off.")


class BenchEnd(Section):
    """How the device leaves the bench."""

    debugging: Literal["keep", "off"] = Field(default="keep", description="USB debugging when the device leaves.")


class Profile(Section):
    profile: Id = Field(description="The name of this profile.")
    apps: tuple[App, ...] = Field(default=(), description="Apps that the device has.")
    content: tuple[Content, ...] = Field(default=(), description="Files that the device has.")
    sim: Sim | None = Field(default=None, description="SIM and mobile data.")
    network: Network | None = Field(default=None, description="Wi-Fi and filtering.")
    restrictions: Restrictions = Field(
        default=Restrictions(), description="What the user may not do, and apps that are removed or blocked."
    )
    screen_lock: ScreenLock | None = Field(default=None, description="How the screen is locked.")
    identity: Identity | None = Field(default=None, description="Name, time zone and clock.")
    bench: BenchEnd = Field(default=BenchEnd(), description="In what state the device leaves.")

    _sources: Mapping[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    def where(self, *path: str | int) -> str:
        """``file:line`` of the value at ``path`` (list entries by their id), or of its nearest parent; "" if none."""
        for end in range(len(path), -1, -1):
            if path[:end] in self._sources:
                return self._sources[path[:end]]
        return ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the resolved content and of every file that it names; secrets count by name only.

        Reads all those files the first time it is asked for. Raises ProfileError when one cannot be read.
        """
        from profiles.digest import digest_of

        return digest_of(self)
