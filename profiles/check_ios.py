"""What a profile wants of iPhones and iPads that contradicts itself, whatever the device (facts, iOS §0, §2).

Web pages on the home screen are web clips there: without Safari they do not open, and to the list of the only apps that
may be opened they are the app ``com.apple.webapp``.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiles.errors import Problem, meant
from profiles.nodes import at, denied, items, text
from profiles.strict_yaml import Node

WEB_CLIPS = "com.apple.webapp"


def contradictions(root: Node) -> Iterator[Problem]:
    """Every contradiction, at the place that has to give way."""
    apps = {text(app, "id"): app for app in items(root, "apps")}
    restrictions = root.entries.get("restrictions", root)
    yield from _safari(apps, restrictions)
    yield from _only(apps, restrictions)
    yield from _receivers(apps, items(root, "content"))
    yield from _icons(apps, root, {text(entry, "ios"): entry for entry in items(restrictions, "allow_only")})


def _safari(apps: dict[str, Node], restrictions: Node) -> Iterator[Problem]:
    rule = at(restrictions, "rules", "web_browser")
    page = next((app for app in apps.values() if text(app, "ios", "web")), None)
    if rule is not None and page is not None and denied(rule):
        yield rule.place.problem(
            f'without Safari the web page "{text(page, "id")}" (line {page.at.line}) does not open: have it one way'
        )


def _only(apps: dict[str, Node], restrictions: Node) -> Iterator[Problem]:
    """A list of the only apps that can be opened, against all that must be opened, or must not."""
    only = at(restrictions, "allow_only")
    listed = {text(entry, "ios") for entry in items(restrictions, "allow_only")} - {""}
    if only is None or not listed:
        return
    for name, app in apps.items():
        kind, bundle = ("web page", WEB_CLIPS) if text(app, "ios", "web") else ("app", text(app, "ios", "bundle"))
        if bundle and bundle not in listed:
            yield only.place.problem(
                f'the {kind} "{name}" (line {app.at.line}) would vanish: add {{ios: {bundle}}} to the list'
            )
        elif at(app, "ios", "file") is not None and not bundle:
            yield only.place.problem(f'the app "{name}" (line {app.at.line}) needs its "bundle:", to be in the list')
    for section in ("remove", "block"):
        for entry in items(restrictions, section):
            if text(entry, "ios"):
                yield entry.entries["ios"].at.problem(
                    f"allow_only (line {only.place.line}) bars all others already, and a device takes one list only: "
                    "take this out"
                )


def _receivers(apps: dict[str, Node], content: tuple[Node, ...]) -> Iterator[Problem]:
    """The apps that content goes into are apps of this profile, and no pages."""
    for entry in content:
        name = text(entry, "ios")
        if name and name not in apps:
            yield entry.entries["ios"].at.problem(f'there is no app "{name}" under apps{meant(name, apps)}')
        elif name and not (text(apps[name], "ios", "bundle") or at(apps[name], "ios", "file")):
            yield entry.entries["ios"].at.problem(f'"{name}" is no app of iOS that could take files')


def _icons(apps: dict[str, Node], root: Node, only: dict[str, Node]) -> Iterator[Problem]:
    """The layout of the home screen: apps that there are, each once."""
    seen: dict[str, Node] = {}
    for icon in _placed(root):
        if isinstance(icon.value, str) and icon.value not in apps:
            yield icon.at.problem(f'there is no app "{icon.value}" under apps{meant(icon.value, apps)}')
            continue
        name = _shown(apps, icon)
        if name is None:
            yield icon.at.problem(f'the app "{icon.raw}" needs its "bundle:" under ios, to be placed')
        elif name in seen:
            yield icon.at.problem(f'"{name}" is placed twice; the first is on line {seen[name].at.line}')
        elif name:
            seen[name] = icon
            if any(only) and text(icon, "ios") and text(icon, "ios") not in only:
                yield icon.at.problem(f'"{name}" is placed, but allow_only bars it: have it one way')


def _placed(root: Node) -> Iterator[Node]:
    yield from items(root, "home_screen", "dock")
    for page in items(root, "home_screen", "pages"):
        for entry in page.items:
            yield from items(entry, "apps") if "folder" in entry.entries else (entry,)


def _shown(apps: dict[str, Node], icon: Node) -> str | None:
    """What an icon is on iOS: a bundle or a page; "" where it is none there, ``None`` where its bundle is not told."""
    if not isinstance(icon.value, str):
        return text(icon, "ios")
    app = apps[icon.value]
    if at(app, "ios") is None:
        return ""
    return text(app, "ios", "bundle") or text(app, "ios", "web") or None
