"""Where icons stand on the home screen, as the payload for it has it (facts, iOS §2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiles.schema import App, Folder, HomeScreen, Icon

_FOLDER_PAGE = 9
"""Icons on one page of a folder of an iPhone."""


def layout(wanted: HomeScreen, apps: Mapping[str, App]) -> Mapping[str, Any]:
    return {
        "PayloadType": "com.apple.homescreenlayout",
        "Dock": _icons(wanted.dock, apps),
        "Pages": [_icons(page, apps) for page in wanted.pages],
    }


def _icons(entries: tuple[str | Icon | Folder, ...], apps: Mapping[str, App]) -> list[Mapping[str, Any]]:
    """What is on Android only is left out."""
    placed = (_folder(entry, apps) if isinstance(entry, Folder) else _icon(entry, apps) for entry in entries)
    return [icon for icon in placed if icon]


def _icon(entry: str | Icon, apps: Mapping[str, App]) -> Mapping[str, Any]:
    bundle, page = (entry.ios, None) if isinstance(entry, Icon) else _named(apps[entry])
    if bundle:
        return {"Type": "App", "BundleID": bundle}
    return {"Type": "WebClip", "URL": page} if page else {}


def _named(app: App) -> tuple[str | None, str | None]:
    return (app.ios.bundle, app.ios.web) if app.ios else (None, None)


def _folder(folder: Folder, apps: Mapping[str, App]) -> Mapping[str, Any]:
    icons = [icon for icon in (_icon(entry, apps) for entry in folder.apps) if icon]
    pages = [icons[start : start + _FOLDER_PAGE] for start in range(0, len(icons), _FOLDER_PAGE)]
    return {"Type": "Folder", "DisplayName": folder.folder, "Pages": pages} if pages else {}
