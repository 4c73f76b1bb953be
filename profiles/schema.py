"""The shape of a profile: one class per section, frozen, unknown keys refused.

A profile is loaded by :func:`profiles.load.load`, never built by hand outside tests. Paths in it are absolute,
secrets are :class:`profiles.secrets.Secret` values, and ``profile.where("apps", "kolibri")`` says which file and
line a value came from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

from profiles.secrets import Secret

PACKAGE = re.compile(r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$")

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
Package = Annotated[str, StringConstraints(pattern=PACKAGE.pattern, max_length=223)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=253)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class AndroidApp(Section):
    """``file``: one APK, a bundle (.apks, .xapk, .apkm) or a list of APKs; without it the app must be on the phone."""

    package: Package
    file: tuple[Path, ...] = ()
    signer: Sha256 | None = None
    grant: tuple[str, ...] = ()


class IosApp(Section):
    bundle: Package | None = None
    file: Path | None = None
    web: str | None = None
    title: str | None = None


class App(Section):
    id: Id
    android: AndroidApp | None = None
    ios: IosApp | None = None
    required: bool = False


class Content(Section):
    """A file or a tree of files. ``to`` is relative to the shared storage of the device."""

    id: Id
    from_: Path = Field(alias="from")
    to: str
    required: bool = False


class Apn(Section):
    name: str
    user: str | None = None
    password: Secret | str | None = None


class BackgroundData(Section):
    default: Literal["allow", "deny"] = "allow"
    allow: tuple[Id, ...] = ()


class DataPlan(Section):
    """What the operator sold. The registry counts it; the phone cannot."""

    quota: str
    days: int


class Sim(Section):
    carrier: str | None = None
    mccmnc: Annotated[str, StringConstraints(pattern=r"^[0-9]{5,6}$")] | None = None
    apn: Literal["automatic"] | Apn | None = None
    roaming: bool | None = None
    background_data: BackgroundData | None = None
    data_plan: DataPlan | None = None
    required: bool = False


class Wifi(Section):
    ssid: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    security: Literal["open", "wpa2", "wpa3"] = "wpa2"
    password: Secret | str | None = None
    hidden: bool = False


class Network(Section):
    wifi: tuple[Wifi, ...] = ()
    filter_dns: Host | None = None
    required: bool = False


class AppRef(Section):
    """An app that is on the device already, by its name on each platform."""

    android: Package | None = None
    ios: Package | None = None


class Rule(Section):
    deny: bool
    required: bool = False


class Restrictions(Section):
    """``rules``: what is denied, by its name in restrictions.yaml. In the file the names stand beside the lists."""

    rules: Mapping[str, Rule] = Field(default_factory=dict)
    remove: tuple[AppRef, ...] = ()
    block: tuple[AppRef, ...] = ()


class ScreenLock(Section):
    pin: Literal["none", "per_unit"] | Secret


class Identity(Section):
    name: str | None = None
    time_zone: str | None = None
    automatic_time: bool | None = None


class BenchEnd(Section):
    """How the device leaves the bench."""

    debugging: Literal["keep", "off"] = "keep"


class Profile(Section):
    profile: Id
    apps: tuple[App, ...] = ()
    content: tuple[Content, ...] = ()
    sim: Sim | None = None
    network: Network | None = None
    restrictions: Restrictions = Restrictions()
    screen_lock: ScreenLock | None = None
    identity: Identity | None = None
    bench: BenchEnd = BenchEnd()

    _sources: Mapping[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)
    _digest: str = PrivateAttr(default="")

    def where(self, *path: str | int) -> str:
        """``file:line`` of the value at ``path`` (list entries by their id), or of its nearest parent; "" if none."""
        for end in range(len(path), -1, -1):
            if path[:end] in self._sources:
                return self._sources[path[:end]]
        return ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the resolved content and of every file that it names; secrets count by name only."""
        return self._digest
