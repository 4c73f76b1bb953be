"""The shape of a profile: one class per section, frozen, unknown keys refused.

A profile is loaded by :func:`profiles.load.load`, never built by hand outside tests. Paths in it are absolute,
secrets are :class:`profiles.secrets.Secret` values, and ``profile.where("apps", "kolibri")`` says which file and
line a value came from.

Descriptions are the help texts of editors. Booleans take ``true``, ``false``, ``on`` and ``off``; ``roaming`` also
``allow`` and ``deny``. A class with a ``KEY`` is an entry of a keyed list: entries of one key are one entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Tag, model_validator

from profiles.fields import (
    ApkFiles,
    ApnName,
    Bundle,
    Country,
    Host,
    Id,
    Language,
    Locale,
    Numeric,
    Package,
    Permission,
    Quota,
    Required,
    Roaming,
    SecretText,
    Section,
    ServerAddress,
    Sha256,
    Switch,
    Text,
    WebAddress,
)
from profiles.rules import (
    AGENTS,
    device_name,
    few_addresses,
    known_zone,
    network_name,
    pane_names,
    relative_place,
    rule_word,
    wrong,
)
from profiles.secrets import PER_UNIT, UnitPin


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
    grant: tuple[Permission, ...] = Field(
        default=(), description="Permissions that the app gets: short (camera) or in full (android.permission.CAMERA)."
    )


class IosApp(Section):
    """An app on the device (``bundle``), one to install (``file``), or a page on the home screen (``web``)."""

    bundle: Bundle | None = Field(default=None, description="The app's bundle identifier.")
    file: Path | None = Field(default=None, description="An .ipa file that is signed for these devices.")
    web: WebAddress | None = Field(default=None, description="A web page that becomes an icon on the home screen.")
    title: Text | None = Field(default=None, description="The name under the icon of the web page.")

    @model_validator(mode="after")
    def _one_kind(self) -> IosApp:
        if self.web is None and self.bundle is None and self.file is None:
            raise wrong('say what this app is: "file:", "bundle:" or "web:"')
        if self.web is not None and (self.bundle is not None or self.file is not None):
            raise wrong('is a web page or an app, not both: take "web" out, or "bundle" and "file"')
        return self


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
    """A file or a tree of files. ``to`` is relative to the shared storage, or to the documents of the app ``ios``."""

    KEY = ("id",)

    id: Id = Field(description="The name of this content in reports.")
    from_: Path = Field(alias="from", description="A file or a folder. The path starts at this profile's folder.")
    to: Annotated[str, AfterValidator(relative_place)] = Field(
        description="Where it goes on the device, below its shared storage, such as Learning/grade-3."
    )
    ios: Id | None = Field(
        default=None,
        description="The app (by id) among whose documents it goes on iPhone and iPad, which have no shared storage.",
    )
    required: Required = False


class Apn(Section):
    name: ApnName = Field(description="The access point name itself, such as v-internet.")
    user: Text | None = Field(default=None, description="The user name, where the operator wants one.")
    password: SecretText | None = Field(default=None, description="The password: !secret name.")


class BackgroundData(Section):
    default: Literal["allow", "deny"] = Field(
        default="allow", description="Whether apps may use mobile data in the background."
    )
    allow: tuple[Id, ...] = Field(default=(), description="Apps (by id) that may, when others may not.")


class DataPlan(Section):
    """What the operator sold. The registry counts it; the phone cannot."""

    quota: Quota = Field(description="How much: 4 GB/day, 30 GB/month, 10 GB.")
    days: Annotated[int, Field(ge=1, le=3660)] = Field(description="For how many days from the hand-over.")


class Sim(Section):
    carrier: Text | None = Field(
        default=None, description="The operator, by its name in carriers.yaml, such as viettel."
    )
    mccmnc: Numeric | None = Field(default=None, description='The operator by number, in quotes: "45204".')
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


class Bookmark(Section):
    KEY = ("url",)

    url: WebAddress = Field(description="The page, and all below it.")
    title: Text = Field(description="The name of the bookmark.")


class WebFilter(Section):
    """What browsers show on supervised iPhones and iPads. All three hold together."""

    auto: Switch = Field(default=False, description="Apple's own filter of adult pages: on or off.")
    deny: Annotated[tuple[WebAddress, ...], AfterValidator(few_addresses)] = Field(
        default=(), description="Pages that are not shown, with all below them (500 at most)."
    )
    allow_only: tuple[Bookmark, ...] = Field(
        default=(), description="The only pages that are shown; they become the bookmarks."
    )

    @model_validator(mode="after")
    def _says_something(self) -> WebFilter:
        if not (self.auto or self.deny or self.allow_only):
            raise wrong('say what is filtered: "auto: on", "deny:" or "allow_only:"')
        return self


class Network(Section):
    wifi: tuple[Wifi, ...] = Field(default=(), description="Wi-Fi networks that the device knows.")
    filter_dns: Host | None = Field(
        default=None, description="Host name of a filtering DNS server that speaks DNS over TLS."
    )
    web_filter: WebFilter | None = Field(default=None, description="Which pages browsers show; supervised iOS only.")
    required: Required = False


class AppRef(Section):
    """An app that is on the device already, by its name on each platform."""

    KEY: ClassVar[tuple[str, ...]] = ("android", "ios")

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


class Ratings(Section):
    """Age limits of the stores, iOS only. Numbers are Apple's steps, 0 (nothing) to 1000 (everything), by region."""

    region: Country = Field(default="us", description="Whose ratings of movies and shows, such as us or au.")
    apps: Literal["none", "4+", "9+", "12+", "13+", "16+", "17+", "18+", "all"] | None = Field(
        default=None, description="Apps up to this age; 13+, 16+ and 18+ are steps of newer systems."
    )
    movies: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Movies up to Apple's step of that region: 0 none, 1000 all."
    )
    tv: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Television shows up to Apple's step of that region: 0 none, 1000 all."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Ratings:
        if self.apps is None and self.movies is None and self.tv is None:
            raise wrong('say what is limited: "apps:", "movies:" or "tv:"')
        return self


class Restrictions(Section):
    """``rules``: what is denied, by its name in restrictions.yaml. In the file the names stand beside the lists."""

    rules: Mapping[str, Rule] = Field(default_factory=dict)
    remove: tuple[AppRef, ...] = Field(default=(), description="Apps that are uninstalled.")
    block: tuple[AppRef, ...] = Field(default=(), description="Apps that stay, but cannot be opened.")
    allow_only: tuple[AppRef, ...] = Field(
        default=(),
        description="The only apps that can be opened; com.apple.webapp stands for all web pages on the home screen.",
    )
    ratings: Ratings | None = Field(default=None, description="Age limits of the stores; iOS only.")


class Icon(AppRef):
    """An app on the home screen that is on the device anyway. Lists of icons are taken as a whole, never merged."""

    KEY = ()


class Folder(Section):
    """Apps in one place of a page."""

    folder: Text = Field(description="The name under the folder.")
    apps: tuple[Id | Icon, ...] = Field(
        description="What is in it: ids of apps, or an app by its name on each platform."
    )


def _kind(value: object) -> str:
    """Which of the three an entry of a page is meant to be: its own mistakes are told, not those of the others."""
    if isinstance(value, str):
        return "id"
    return "folder" if isinstance(value, Folder) or (isinstance(value, Mapping) and "folder" in value) else "icon"


Placed = Annotated[
    Annotated[Id, Tag("id")] | Annotated[Icon, Tag("icon")] | Annotated[Folder, Tag("folder")], Discriminator(_kind)
]


class HomeScreen(Section):
    """Where icons stand, on supervised iPhones and iPads; the user cannot move them then."""

    dock: tuple[Id | Icon, ...] = Field(default=(), description="The row at the bottom: ids of apps, or apps by name.")
    pages: tuple[tuple[Placed, ...], ...] = Field(
        default=(), description="Page by page: ids of apps, apps by name, or folders."
    )
    required: Required = False


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
    language: Language | None = Field(default=None, description="The language of the device, such as vi or zh-Hans.")
    locale: Locale | None = Field(default=None, description="How dates and numbers are written, such as vi_VN.")
    skip_setup: Literal["all"] | Annotated[tuple[str, ...], AfterValidator(pane_names)] | None = Field(
        default=None, description="Panes of Apple's Setup Assistant that are not shown: all, or a list of their names."
    )


class Owner(Section):
    """The app that becomes the device owner of Android phones: it enforces the rules that shell may not set."""

    agent: Literal["headwind", "testdpc"] = Field(
        description="headwind: asks a server, and reports from home. testdpc: told over USB; its user can undo all."
    )
    file: ApkFiles = Field(description="Its APK.")
    signer: Sha256 | None = Field(default=None, description="SHA-256 of its signer's certificate, in hexadecimal.")
    secret: SecretText | None = Field(default=None, description="What headwind was built to sign with: !secret name.")
    server: ServerAddress | None = Field(
        default=None, description="Where headwind finds us: https://agents.example.org"
    )
    required: Required = False

    @property
    def package(self) -> str:
        return AGENTS[self.agent]

    @property
    def app(self) -> AndroidApp:
        return AndroidApp(package=self.package, file=self.file, signer=self.signer)


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
    home_screen: HomeScreen | None = Field(default=None, description="Where icons stand; supervised iOS only.")
    screen_lock: ScreenLock | None = Field(default=None, description="How the screen is locked.")
    identity: Identity | None = Field(default=None, description="Name, clock, language and first setup.")
    owner: Owner | None = Field(
        default=None, description="The app that enforces rules as the owner of the device; Android only."
    )
    bench: BenchEnd = Field(default=BenchEnd(), description="In what state the device leaves.")

    _sources: Mapping[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    @property
    def wants_unit_pin(self) -> bool:
        """Whether each unit is to have a PIN of its own, and this is not yet the profile :meth:`with_unit_pin`."""
        return self.screen_lock is not None and self.screen_lock.pin == PER_UNIT

    def with_unit_pin(self, pin: UnitPin) -> Profile:
        """The profile for one unit, with its own PIN where it says ``per_unit``. Its digest is the same."""
        return self.model_copy(update={"screen_lock": ScreenLock.model_construct(pin=pin)})

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
