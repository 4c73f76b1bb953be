"""What the agent keeps on the phone: who it is, where its server is, the configuration that it fetched last."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from provision.virtual.android.files import Files
from provision.virtual.android.packages import SYSTEM, Package
from provision.virtual.android.paths import SHARED

PACKAGE = "com.hmdm.launcher"
HOME = f"{SHARED}/Android/data/{PACKAGE}/files"
DEFAULT_SECRET = "changeme-C3z9vi54"  # noqa: S105  (what everybody builds it with)
_BUILD = "assets/agent.json"
_INIT = {
    "com.hmdm.DEVICE_ID": "number",
    "com.hmdm.BASE_URL": "base",
    "com.hmdm.SECONDARY_BASE_URL": "secondary",
    "com.hmdm.SERVER_PROJECT": "project",
    "com.hmdm.CUSTOMER": "customer",
    "com.hmdm.CONFIG": "configuration",
    "com.hmdm.GROUP": "groups",
}
_DEFAULT_SERVER = "https://app.h-mdm.com"

Config = dict[str, Any]


@dataclass
class Memory:
    """Its settings. ``files`` are those that it brought, path to what the configuration said of them."""

    number: str = ""
    base: str = _DEFAULT_SERVER
    secondary: str = _DEFAULT_SERVER
    project: str = ""
    customer: str | None = None
    configuration: str | None = None
    groups: str | None = None
    config: Config | None = None
    files: dict[str, Config] = field(default_factory=dict)

    def read_enrolment(self, files: Files) -> None:
        """``init.json``, a flat map of text. What cannot be read is passed over without a word."""
        try:
            found = json.loads(files.read_bytes(f"{HOME}/init.json", uid=SYSTEM))
        except (OSError, ValueError):
            return
        if not isinstance(found, dict):
            return
        given = {name: found[key] for key, name in _INIT.items() if isinstance(found.get(key), str)}
        if "base" in given:
            # Else the secondary one would stay that of the agent's makers.
            given.setdefault("secondary", given["base"])
        for name, value in given.items():
            setattr(self, name, value)

    def enrol_options(self) -> Config:
        """The body of the first request of all."""
        groups = [word for word in (self.groups or "").split(",") if word]
        return {"customer": self.customer, "configuration": self.configuration, "groups": groups or None}

    def keep(self, config: Config) -> None:
        """Takes over a configuration that came. A number in it is the one from now on."""
        if config.get("newNumber"):
            self.number = str(config["newNumber"])
        self.config = {key: value for key, value in config.items() if key != "newNumber"}
        for key, (texts, _) in _ROWS.items():
            self.config[key] = [_with_texts(row, texts) for row in config.get(key) or []]
        self.customer = self.configuration = self.groups = None


_TEXTS: tuple[str, ...] = ("restrictions", "newServerUrl", "lockMessage", "timeZone", "passwordReset", "newNumber")
_TEXTS += ("pushOptions", "downloadUpdates")
_FLAGS = ("lock", "reboot", "factoryReset", "showWifi", "runDefaultLauncher")
_ROWS = {
    "applications": (("pkg", "name", "type", "version", "url"), ("code",)),
    "files": (("path", "url", "checksum"), ("lastUpdate",)),
}
"""Lists of the configuration to what is text and what is a number in their entries."""


def readable(answer: Config) -> bool:
    """Whether the agent's parser takes an answer: it knows the type of each field, and one that is wrong spoils all."""
    config = answer.get("data")
    if not answer or not isinstance(answer.get("status"), str | None):
        return False
    if not isinstance(config, dict):
        return config is None
    if not _are(config, _TEXTS, str, int, float) or not _are(config, _FLAGS, bool):
        return False
    return all(_are_rows(config.get(key), texts, numbers) for key, (texts, numbers) in _ROWS.items())


def _are_rows(rows: object, texts: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    if rows is None:
        return True
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return False
    return all(
        _are(row, texts, str, int, float) and _are(row, numbers, int) and _are(row, ("remove", "skipVersion"), bool)
        for row in rows
    )


def _with_texts(row: Config, keys: tuple[str, ...]) -> Config:
    """Numbers where texts belong are taken as texts."""
    return row | {key: str(row[key]) for key in keys if row.get(key) is not None}


def _are(tree: Config, keys: tuple[str, ...], *types: type) -> bool:
    """Each of them is not there, null, or of one of these types."""
    return all(tree.get(key) is None or type(tree[key]) in types for key in keys)


@dataclass(frozen=True)
class Build:
    """What is compiled into the agent. ``checks`` is whether it looks at the signatures of the server's answers."""

    secret: str = DEFAULT_SECRET
    checks: bool = False


def build_of(package: Package, files: Files) -> Build:
    """From ``assets/agent.json`` of its APK (``secret``, ``check_signature``), where that has one."""
    try:
        with zipfile.ZipFile(io.BytesIO(files.read_bytes(package.parts["base"].path, uid=SYSTEM))) as archive:
            given = json.loads(archive.read(_BUILD))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return Build()
    return Build(str(given.get("secret", DEFAULT_SECRET)), bool(given.get("check_signature", False)))


def server_of(url: str) -> tuple[str, str]:
    """``(base, project)`` of a server's address. ValueError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"malformed URL {url!r}")
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
