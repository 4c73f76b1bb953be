"""Profiles of all kinds, for iPhones and iPads: what a technician may write that is not refused."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from profiles.restrictions import table

APPS = ("reader", "maths", "page", "titled")
_SECTIONS: dict[str, Any] = {
    "reader": {"id": "reader", "ios": {"bundle": "org.example.reader"}},
    "maths": {"id": "maths", "ios": {"bundle": "org.example.maths"}, "android": {"package": "org.example.maths"}},
    "page": {"id": "page", "ios": {"web": "https://learn.example.org/?a=1&b=<2>"}, "required": True},
    "titled": {"id": "titled", "ios": {"web": "https://titled.example", "title": 'Học "&"'}},
}
_BUNDLES = ("com.apple.tv", "com.apple.podcasts", "com.example.game")
# Safari is never denied here: with a page among the apps that is refused, which has a case of its own.
_RULES = sorted(set(table()) - {"web_browser"})

words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=10)
secret = st.sampled_from(["!secret wifi"])
switch = st.booleans()
pages = st.lists(st.sampled_from([f"https://{n}.example/a?b=c&d" for n in range(9)]), unique=True, max_size=4)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def wifi() -> st.SearchStrategy[list[dict[str, Any]]]:
    protected = st.fixed_dictionaries(
        {"ssid": words, "password": secret, "security": st.sampled_from(["wpa2", "wpa3"])}, optional={"hidden": switch}
    )
    free = st.fixed_dictionaries({"ssid": words, "security": st.just("open")})
    entries = st.lists(st.one_of(protected, free), max_size=3, unique_by=lambda entry: str(entry["ssid"]))
    return entries.filter(lambda found: all(len(str(entry["ssid"]).encode()) <= 32 for entry in found))


def web_filter() -> st.SearchStrategy[dict[str, Any]]:
    bookmarks = pages.map(lambda urls: [{"url": url, "title": "Trang <1>"} for url in urls])
    return optional(auto=st.just(True), deny=pages, allow_only=bookmarks).filter(lambda found: any(found.values()))


def restrictions() -> st.SearchStrategy[dict[str, Any]]:
    listed = st.lists(st.sampled_from(_BUNDLES), unique=True, max_size=3).map(lambda names: [{"ios": n} for n in names])
    ages = optional(
        region=st.sampled_from(["us", "au", "vn"]),
        apps=st.sampled_from(["none", "4+", "9+", "12+", "13+", "16+", "17+", "18+", "all"]),
        movies=st.integers(0, 1000),
        tv=st.integers(0, 1000),
    ).filter(lambda found: bool(found.keys() - {"region"}))
    rules = st.dictionaries(st.sampled_from(_RULES), st.sampled_from(["deny", "allow"]), max_size=12)
    lists = st.one_of(optional(remove=listed, block=listed, ratings=ages), optional(ratings=ages))
    return st.builds(lambda one, other: {**one, **other}, rules, lists)


def home_screen(apps: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Every app once: some in the dock, some on a page, some in a folder."""

    def placed(order: list[str], first: int, second: int) -> dict[str, Any]:
        dock, page, folder = order[:first], order[first : first + second], order[first + second :]
        return {"dock": dock, "pages": [[*page, {"folder": "Học", "apps": [*folder, {"ios": "com.apple.camera"}]}], []]}

    return st.builds(placed, st.permutations(apps), st.integers(0, 4), st.integers(0, 4))


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    apps = draw(st.lists(st.sampled_from(APPS), unique=True))
    tree: dict[str, Any] = {"profile": "any"}
    if apps:
        tree["apps"] = [_SECTIONS[name] for name in apps]
    sections = {
        "sim": optional(
            carrier=st.just("viettel"),
            apn=st.one_of(
                st.just("automatic"), st.just({"name": "v-internet", "user": "a", "password": "!secret wifi"})
            ),
        ),
        "network": optional(wifi=wifi(), filter_dns=st.just("family.example"), web_filter=web_filter()),
        "restrictions": restrictions(),
        "home_screen": home_screen(apps),
    }
    return {**tree, **draw(optional(**sections))}


VERSIONS = ("12.0", "12.5.7", "13.7", "14.4", "14.8.1", "15.0", "16.7", "17.5.1", "18.2", "26.0")

devices = st.fixed_dictionaries(
    {"version": st.sampled_from(VERSIONS), "supervised": st.booleans(), "ours": st.booleans()}
)
