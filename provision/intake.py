"""The verdict on a device that came in, before anything is written to it: facts and rules in, findings out. Pure.

In this order: who it is, who else holds it, battery, storage, patch (of an iPhone: its iOS) and screen lock, apps known
to be bad, the maker's switches. Every finding leads to what the rules say; the worst one is the verdict, so that a
finding more never makes it better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from provision.intake_rules import Lead, Rules
from provision.intake_words import Texts, say, words
from provision.model import Facts, Locks, Quirk, Taps


class IntakeVerdict(StrEnum):
    ACCEPT = "accept"
    HANDS = "needs hands"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Known:
    """What the registry knows of the device. Times are UTC, ISO 8601; "" is never.

    ``owners``: the packages that we ourselves made owner of it, ``owners_here`` those since when it was in no hands but
    ours.
    """

    tag: str | None = None
    label: str = ""
    ignored: bool = False
    first_seen: str = ""
    refused_since: str = ""
    provisioned: bool = False
    owners: frozenset[str] = frozenset()
    owners_here: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    """One thing that was found. ``task`` is what a person has to do (a key of the ways, ``switch``, or "")."""

    key: str
    lead: Lead
    what: Texts
    task: str = ""
    taps: Taps = field(default_factory=dict)


@dataclass(frozen=True)
class Letter:
    """The facts for the letter to the donor of a refused device. ``since`` is UTC; "" is now."""

    serial: str
    maker: str
    model: str
    imei: str
    label: str
    locks: tuple[Texts, ...]
    since: str
    donor_does: tuple[Texts, ...]


@dataclass(frozen=True)
class Intake:
    """``letter`` is there when the verdict is refuse."""

    verdict: IntakeVerdict
    findings: tuple[Finding, ...]
    letter: Letter | None = None


_VERDICTS = {Lead.HANDS: IntakeVerdict.HANDS, Lead.REFUSE: IntakeVerdict.REFUSE}
_Raw = tuple[str, Mapping[str, object], str, Taps]
"""Key, what its words are filled with, task, and taps where they are not those of the task."""


def judge(facts: Facts, rules: Rules, known: Known, today: date, *, erases: bool = False) -> Intake:
    """All findings in order, and the verdict that the worst of them leads to.

    ``erases``: it is about to be erased, so that what this mends is left out.
    """
    mended = rules.mended_by_erasing if erases else ()
    before = (_led(raw, facts, rules.leads[raw[0]]) for raw in _before_packages(facts, rules, known, today))
    kept = [finding for finding in _kept([*before, *_packages(facts, rules)]) if finding.key not in mended]
    if any(finding.key in rules.reset_after and finding.lead is Lead.HANDS for finding in kept):
        kept.append(_led(_finding("reset", "reset"), facts, Lead.HANDS))
    # A reset puts the maker's switches back, so they come after it.
    switches = (_led(raw, facts, rules.leads[raw[0]]) for quirk in facts.quirks for raw in _switch(quirk))
    kept += _kept(switches)
    worst = max((finding.lead for finding in kept), default=Lead.IGNORE)
    verdict = _VERDICTS.get(worst, IntakeVerdict.ACCEPT)
    letter = _letter(facts, known, kept) if verdict is IntakeVerdict.REFUSE else None
    return Intake(verdict, tuple(kept), letter)


def _kept(found: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.lead is not Lead.IGNORE]


def _is_ios(facts: Facts) -> bool:
    return facts.identity.platform == "ios"


def _finding(key: str, task: str = "", taps: Taps | None = None, **fills: object) -> _Raw:
    return key, fills, task, taps or {}


def _led(raw: _Raw, facts: Facts, lead: Lead) -> Finding:
    key, fills, task, taps = raw
    own = facts.identity.platform
    group = own if key in words().get(own, {}) else "findings"
    return Finding(key, lead, say(group, key, **fills), task, taps or facts.makers.ways.get(task, {}))


def _before_packages(facts: Facts, rules: Rules, known: Known, today: date) -> Iterator[_Raw]:
    yield from _identity(facts, known)
    yield from _locks(facts, rules, known)
    yield from _battery(facts, rules)
    yield from _storage_and_patch(facts, rules, today)
    yield from _left(facts, known)


def _identity(facts: Facts, known: Known) -> Iterator[_Raw]:
    if known.ignored:
        yield _finding("ignored", serial=facts.identity.serial)
    if not facts.cellular.imei and not known.label and _should_have_imei(facts):
        yield _finding("no_imei")
    if known.first_seen:
        tag: object = say("parts", "as_tag", tag=known.tag) if known.tag else ""
        yield _finding("seen_before", first_seen=known.first_seen[:10], tag=tag)


def _should_have_imei(facts: Facts) -> bool:
    """An iPad without cellular has none."""
    return not _is_ios(facts) or facts.identity.properties.get("DeviceClass") == "iPhone"


def _whose(package: str | None, known: Known) -> str:
    if package in known.owners_here:
        return "owner_here"
    return "owner_of_ours" if package in known.owners else "owner"


def _locks(facts: Facts, rules: Rules, known: Known) -> Iterator[_Raw]:
    locks = facts.locks
    yield from (_find_my if _is_ios(facts) else _accounts)(locks)
    if locks.at_frp:
        yield _finding("frp")
    if locks.owner:
        yield _finding(_whose(locks.owner_package, known), owner=locks.owner)
    elif not locks.owner_known:
        yield _finding("owner_unread", "unlock")
    if locks.bootloader_locked is False:
        yield _finding("bootloader_open")
    if locks.verified_boot in ("yellow", "orange", "red"):
        yield _finding("boot_changed", state=locks.verified_boot)
    if locks.users is None:
        yield _finding("users_unread")
    elif locks.users > rules.limits["users"]:
        yield _finding("users", "remove_users", users=locks.users)


def _accounts(locks: Locks) -> Iterator[_Raw]:
    if locks.accounts is None:
        yield _finding("accounts_unread", "unlock")
    elif locks.accounts:
        kinds = ", ".join(f"{count} × {kind}" for kind, count in sorted(locks.accounts.items()))
        yield _finding("account", "remove_accounts", accounts=kinds)


_NOT_ACTIVATED = {True: "activation_locked", False: "not_activated", None: "activation_unasked"}
"""By what the activation server says."""


def _find_my(locks: Locks) -> Iterator[_Raw]:
    """What stands for the accounts of an iPhone, which cannot be read (facts, iOS §1)."""
    if locks.find_my:
        yield _finding("find_my", "find_my_off")
    elif locks.accounts is None:
        yield _finding("find_my_unread", "unlock")
    if locks.activation is None:
        yield _finding("activation_unread", "unlock")
    elif locks.activation != "Activated":
        yield _finding(_NOT_ACTIVATED[locks.activation_lock], state=locks.activation)


def _battery(facts: Facts, rules: Rules) -> Iterator[_Raw]:
    health, limits = facts.health, rules.limits
    if health.battery_faked:
        yield _finding("battery_faked")
    elif health.battery_worn is None:
        yield _finding("battery_unknown")
    elif health.battery_worn > limits["battery_worn"]:
        yield _finding("battery_worn", worn=health.battery_worn, limit=limits["battery_worn"])
    if health.battery_temperature is not None and health.battery_temperature > limits["battery_temperature"]:
        yield _finding("battery_hot", temperature=health.battery_temperature, limit=limits["battery_temperature"])


def _storage_and_patch(facts: Facts, rules: Rules, today: date) -> Iterator[_Raw]:
    health, limits = facts.health, rules.limits
    if health.storage_free is None:
        yield _finding("storage_unknown")
    elif health.storage_free < limits["storage_free"] * 1_000_000:
        free = health.storage_free // 1_000_000
        yield _finding("storage_low", "free_storage", free=free, limit=limits["storage_free"])
    yield from _ios_age(facts, rules) if _is_ios(facts) else _patch(facts, rules, today)
    if health.encrypted is False:
        yield _finding("not_encrypted")


def _patch(facts: Facts, rules: Rules, today: date) -> Iterator[_Raw]:
    patch, limit = _day(facts.health.patch), rules.limits["patch_age"]
    if patch is None:
        yield _finding("patch_unknown")
    elif (days := (today - patch).days) > limit:
        yield _finding("patch_old", "update", patch=facts.health.patch, days=days, limit=limit)


def _ios_age(facts: Facts, rules: Rules) -> Iterator[_Raw]:
    """iPhones tell no date of a patch; Apple patches the newest versions of iOS."""
    if facts.identity.api < rules.limits["ios"]:
        yield _finding("ios_old", "update", version=facts.identity.version, limit=rules.limits["ios"])


def _day(said: str | None) -> date | None:
    try:
        return date.fromisoformat(said or "")
    except ValueError:
        return None


def _left(facts: Facts, known: Known) -> Iterator[_Raw]:
    setup = facts.setup
    if setup.screen_locked is None:
        yield _finding("screen_lock_unknown")
    elif setup.screen_locked:
        yield _finding("locked", "unlock") if _is_ios(facts) else _finding("screen_lock", "remove_screen_lock")
    if setup.own_apps and not known.provisioned:
        yield _finding("own_apps", count=setup.own_apps)
    if setup.packages is None:
        yield _finding("packages_unread")


def _packages(facts: Facts, rules: Rules) -> Iterator[Finding]:
    for name in sorted(facts.setup.packages or ()):
        if bad := rules.packages.get(name):
            yield Finding("package", bad.lead, say("findings", "package", package=name, why=bad.why))


def _switch(quirk: Quirk) -> Iterator[_Raw]:
    if not quirk.wanted:
        yield _finding("lacks", switch=quirk.switch)
    elif not quirk.stands_right:
        key = "switch" if quirk.stands_right is False else "switch_unknown"
        otherwise: object = say("parts", "otherwise", failures=", ".join(quirk.failures)) if quirk.failures else ""
        yield _finding(
            key,
            "switch",
            quirk.taps,
            system=quirk.name,
            switch=quirk.switch,
            wanted=say("parts", quirk.wanted),
            otherwise=otherwise,
        )


def _letter(facts: Facts, known: Known, findings: list[Finding]) -> Letter:
    """The locks are all that refused it, and an account, which the donor alone can remove without a trace."""
    locks = [finding for finding in findings if finding.lead is Lead.REFUSE or finding.key in ("account", "find_my")]
    does: Mapping[str, Texts] = words()["donor"]
    asked = dict.fromkeys(finding.key if finding.key in does else "other" for finding in locks)
    who = facts.identity
    return Letter(
        serial=who.serial,
        maker=who.maker,
        model=who.model,
        imei=facts.cellular.imei,
        label=known.label,
        locks=tuple(finding.what for finding in locks),
        since=known.refused_since,
        donor_does=tuple(does[key] for key in asked),
    )
