"""The owner of the phone: the app that enforces what shell may not set (facts, Android §3).

agent   its APK is installed as any app is.
owner   ``dpm set-device-owner``, read back by the reader ``locks``. Android takes an owner only while nobody is signed
        in and there is one user; what stands in the way is named before anything is tried.
sync    headwind only: it is enrolled with the bench's server over USB, which answers it with the profile. What it then
        enforces is read back by the reader ``enforced``, here and rule by rule in ``restrictions``. The answer also
        tells it its address on the internet; from when it asks there, its rules come from there only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from profiles.schema import Owner, Profile
from provision.agents import headwind, testdpc
from provision.android import ruled
from provision.android.actions import CLEAR, ELSEWHERE, VERIFIER, Enrol, Run
from provision.android.app_install import Installed, Now, Wanted, installed, installing_forbidden, look
from provision.android.command import Command, command, script
from provision.android.reading import text
from provision.android.refusals import NO, unreadable
from provision.android.table import get, value
from provision.model import Cannot, Facts, Identity, Item, Met, Quirk, Step, Unit
from provision.owned import Agent, BenchServer, Number
from provision.setting import Answer
from provision.text import on_the_phone

_ADMINS = {headwind.PACKAGE: headwind.ADMIN, testdpc.PACKAGE: testdpc.ADMIN}
_RIGHTS = "android.permission."
"""In the words of a refusal that come while a switch of the maker stands wrong: it takes rights from the shell."""

_NOT_YET = "it is enrolled once it owns the phone"
_ITS_LAST_NUMBER = Cannot(
    "its agent keeps the number that ended with its last loan, and takes no other",
    "Erase it by the keys of its recovery menu (next time by fleet unit wipe, before it is returned), then run again.",
    in_the_way=True,
)
_LEFT = '[ ! -e "$1" ] && [ ! -e "$2" ] || echo left'


@dataclass(frozen=True)
class Found:
    """``verifier``: whether apps that come over USB are checked. ``set_up``: the first setup is done; None unread.

    ``started``: the agent was started on this phone since it was installed, so that it may have a number.
    ``left``: the file with its number is still there.
    """

    agent: Installed = field(default_factory=Installed)
    verifier: bool = True
    set_up: bool | None = None
    started: bool = False
    left: bool = False


def probes(profile: Profile, _identity: Identity, deep: bool) -> Mapping[str, Command]:
    if profile.owner is None:
        return {}
    asked = {
        "agent": look(profile.owner.package, deep=deep),
        "verifier": get("global", VERIFIER),
        "set_up": get("secure", "user_setup_complete"),
    }
    if profile.owner.agent == "headwind":
        asked["started"] = script('[ ! -d "$1" ] || echo started', headwind.FOLDER)
        asked["left"] = script(_LEFT, headwind.ENROLMENT, ELSEWHERE)
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    return Found(
        agent=installed(text(answers, "agent")),
        verifier=value(answers, "verifier") != "0",
        set_up={"1": True, "0": False}.get(value(answers, "set_up") or ""),
        started=text(answers, "started").strip() == "started",
        left=text(answers, "left").strip() == "left",
    )


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``agent``, ``owner`` and, of headwind, ``sync``."""
    owner = profile.owner
    if owner is None:
        return
    source = profile.where("owner")
    for key, want, state in _items(owner, profile, found, facts, unit):
        holds = ruled.strength(owner) if key == "owner" and not isinstance(state, Cannot) else None
        yield Item("owner", key, want, state, source, holds, owner.required)


def _items(
    owner: Owner, profile: Profile, found: Found, facts: Facts, unit: Unit
) -> Iterator[tuple[str, str, Met | Step | Cannot]]:
    wanted = Wanted.of(owner.app, facts.identity)
    if isinstance(wanted, Cannot):
        yield "agent", owner.package, wanted
    else:
        forbidden = ruled.ALLOW_FIRST if installing_forbidden(profile, facts) else ""
        now = Now("owner.agent", unit, found.verifier, facts.health.storage_free, forbidden)
        yield "agent", wanted.name, wanted.state(found.agent, now)
    yield "owner", f"{owner.package} owns the phone", _owner(owner, found, facts)
    if owner.agent == "headwind":
        yield "sync", "it has its rules from our server", _sync(profile, found, facts, unit)


def _owner(owner: Owner, found: Found, facts: Facts) -> Met | Step | Cannot:
    who, locks = facts.identity, facts.locks
    if locks.owner_package == owner.package:
        return Met("it owns the phone")
    if who.api < ruled.FIRST_API[owner.package]:
        return _too_old(owner, who)
    if locks.owner:
        barred = "no_factory_reset" in (facts.enforced.keys or ())
        reset = "erase it by the keys of its recovery menu" if barred else "reset it from Settings"
        release = f"Have its organisation release it, or {reset}, then run again."
        return Cannot(f"{locks.owner} owns the phone", release, in_the_way=True)
    if not locks.owner_known:
        return unreadable("whether it has an owner")
    if found.set_up is not False and (no := _held(facts)):
        return no
    if switch := next((quirk for quirk in facts.quirks if _takes_rights(quirk)), None):
        why = f"“{switch.switch['en']}” is {switch.state} on the phone, so the computer may not name an owner"
        return Cannot(why, on_the_phone(switch.taps.get("en", ())), in_the_way=True)
    name = command("dpm", "set-device-owner", "--user", 0, _ADMINS[owner.package])
    return Step("nobody owns the phone", (Run(name, refused=NO, expect="Success: Device owner set"),))


def _held(facts: Facts) -> Cannot | None:
    """Who keeps Android from taking an owner, once the phone is set up, and what to tap."""
    locks = facts.locks
    if locks.accounts:
        kinds = ", ".join(f"{count} × {kind}" for kind, count in sorted(locks.accounts.items()))
        taps = on_the_phone(facts.makers.taps("remove_accounts"))
        return Cannot(f"somebody is signed in ({kinds}), and Android then takes no owner", taps, in_the_way=True)
    if locks.users is not None and locks.users > 1:
        taps = on_the_phone(facts.makers.taps("remove_users"))
        return Cannot(f"it has {locks.users} users, and Android then takes no owner", taps, in_the_way=True)
    return None


def _takes_rights(quirk: Quirk) -> bool:
    return quirk.stands_right is False and any(_RIGHTS in words for words in quirk.failures)


def _sync(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Met | Step | Cannot:
    if not ruled.owned(profile, facts):
        old = facts.identity.api < headwind.FIRST_API
        assert profile.owner is not None
        return _too_old(profile.owner, facts.identity) if old else Step(_NOT_YET, ())
    state = _synced(profile, found, facts, unit)
    if found.left and not isinstance(state, Step):
        return Step("the file with its number is still on the phone", (CLEAR,))
    return state


def _synced(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Met | Step | Cannot:
    agent, differ = unit.agent, ruled.differing(profile, facts)
    if agent is None:
        return Cannot("nothing is known here of how it was enrolled", "Look with fleet verify, or run fleet provision.")
    if found.started and agent.number is Number.ENDED:
        return _ITS_LAST_NUMBER
    fetched = agent.fetched == profile.digest
    if agent.home and found.started:
        return _at_home(differ, fetched=fetched)
    if agent.synced and found.started and fetched and not differ:
        return Met("it has asked this bench's server, and has told how it is")
    why = _why(agent, differ, fetched=fetched) if found.started else "it was never started on this phone"
    return Step(why, (_enrol(agent, agent.server, found),) if agent.server else ())


def _enrol(agent: Agent, server: BenchServer, found: Found) -> Enrol:
    known = found.started and agent.number in (Number.GIVEN, Number.HEARD)
    return Enrol(agent, server, known=known, kept=known and agent.number is Number.HEARD)


def _at_home(differ: list[str], *, fetched: bool) -> Met | Cannot:
    if fetched and not differ:
        return Met("it has this profile from its server at home")
    lacks = "it does not have this profile yet" if not fetched else f"{', '.join(differ)} differ"
    return Cannot(f"it takes its rules from its server at home by now, and {lacks}", ruled.PUSH, in_the_way=True)


def _why(agent: Agent, differ: list[str], *, fetched: bool) -> str:
    if not agent.synced:
        return "it has not told how it is since it was answered" if agent.fetched else "it has not asked our server yet"
    return f"{', '.join(differ)} differ" if fetched else "it was answered with another profile"


def _too_old(owner: Owner, who: Identity) -> Cannot:
    return Cannot(f"{owner.agent} takes Android 8, this is {who.version}", "Leave the owner out for phones like this.")
