"""What the user may not do, as keys of one restrictions payload: rules, lists of apps, age limits (facts, iOS §2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from profiles.restrictions import Restriction, table
from profiles.schema import Profile, Ratings, Rule
from profiles.versions import at_least
from provision.ios.part import Part, Situation, strength
from provision.model import Cannot

_RESTRICTIONS = "com.apple.applicationaccess"


def rules(profile: Profile, now: Situation) -> Iterator[Part]:
    for name, rule in profile.restrictions.rules.items():
        row = table()[name]
        meaning = row.meaning[:1].lower() + row.meaning[1:]
        content, cannot = _rule(profile, row, rule, now)
        yield Part(
            setting="restrictions",
            key=name,
            want=f"{'may not' if rule.deny else 'may'}: {meaning}",
            source=profile.where("restrictions", name),
            place="restrictions",
            title="Restrictions",
            content=content,
            cannot=cannot,
            strength=strength(now, row.strength) if content else None,
            required=rule.required,
        )


_LOCKS_US_OUT = ("allowUIConfigurationProfileInstallation", "allowHostPairing")
"""Where somebody else supervises the device, these would bar our own next configuration, or this very computer."""


def _rule(profile: Profile, row: Restriction, rule: Rule, now: Situation) -> tuple[Mapping[str, Any], Cannot | None]:
    """What is allowed needs no key: nothing of ours forbids it then."""
    if row.ios is None:
        if not rule.deny:
            return {}, None
        return {}, Cannot(_why_not(row.limits))
    if not rule.deny:
        return {}, None
    if row.ios.key == "forceWiFiToAllowedNetworksOnly" and not (profile.network and profile.network.wifi):
        return {}, Cannot(
            "the profile names no Wi-Fi network, so the device could join none", "Name one: network: wifi."
        )
    if row.ios.key in _LOCKS_US_OUT and now.supervised and not now.ours:
        return {}, Cannot("somebody else supervises the device: it would bar us, too", "Have it released there.")
    return {"PayloadType": _RESTRICTIONS, row.ios.key: row.ios.deny}, None


def _why_not(limits: str) -> str:
    """Of what a rule does not do, that which is said of iOS."""
    told = (said.rstrip(".") for said in limits.split(". ") if "iOS" in said)
    why = next(told, "iOS has no such rule")
    return why[:1].lower() + why[1:]


def clock(profile: Profile, _now: Situation) -> Iterator[Part]:
    """The time from the network is forced on supervised devices; that it is set by hand, nobody can force."""
    wanted = profile.identity.automatic_time if profile.identity else None
    if wanted is None:
        return
    yield Part(
        setting="identity",
        key="automatic_time",
        want="time from the network" if wanted else "time set by hand",
        source=profile.where("identity", "automatic_time"),
        place="restrictions",
        title="Restrictions",
        content={"PayloadType": _RESTRICTIONS, "forceAutomaticDateAndTime": True} if wanted else {},
        cannot=None if wanted else _BY_HAND,
    )


_BY_HAND = Cannot(
    "no computer can have an iPhone or iPad keep the time that was set by hand",
    "On the device: Settings › General › Date & Time.",
)


def lists(profile: Profile, now: Situation) -> Iterator[Part]:
    """Apps that cannot be opened, one part each, or the only ones that can."""
    recent = at_least(now.version, "15.0")
    wanted = profile.restrictions
    for section, done in (("remove", "removed"), ("block", "blocked")):
        for name in dict.fromkeys(ref.ios for ref in getattr(wanted, section) if ref.ios):
            key = "blockedAppBundleIDs" if recent else "blacklistedAppBundleIDs"
            source = profile.where("restrictions", section, name)
            yield _restriction(now, f"{section}.{name}", f"{name} {done}", source, {key: [name]})
    only = list(dict.fromkeys(ref.ios for ref in wanted.allow_only if ref.ios))
    if only:
        key = "allowListedAppBundleIDs" if recent else "whitelistedAppBundleIDs"
        source = profile.where("restrictions", "allow_only")
        yield _restriction(now, "allow_only", "no apps but those that are listed", source, {key: only})
    if wanted.ratings:
        source = profile.where("restrictions", "ratings")
        yield _restriction(now, "ratings", "age limits of the stores", source, _ratings(wanted.ratings))


def _restriction(now: Situation, key: str, want: str, source: str, content: Mapping[str, Any]) -> Part:
    return Part(
        setting="restrictions",
        key=key,
        want=want,
        source=source,
        place="restrictions",
        title="Restrictions",
        content={"PayloadType": _RESTRICTIONS, **content},
        strength=strength(now),
    )


_AGES: Mapping[str, int] = {
    "none": 0,
    "4+": 100,
    "9+": 200,
    "12+": 300,
    "13+": 313,
    "16+": 416,
    "17+": 600,
    "18+": 618,
    "all": 1000,
}
"""Apple's steps for apps (facts, iOS §2)."""


def _ratings(wanted: Ratings) -> Mapping[str, Any]:
    steps = {
        "ratingApps": None if wanted.apps is None else _AGES[wanted.apps],
        "ratingMovies": wanted.movies,
        "ratingTVShows": wanted.tv,
    }
    return {"ratingRegion": wanted.region, **{key: step for key, step in steps.items() if step is not None}}
