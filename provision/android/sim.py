"""The SIM: present and ready, of the right operator, its access point, roaming and background data (facts §4).

Card and operator are read by the reader ``cellular`` and cannot be changed from here: they hold, or a person is told
what to do. The data plan is the registry's matter, so it is no item. The rest is in apn.py and mobile_data.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from profiles.carriers import find
from profiles.schema import BackgroundData, Profile, Sim
from provision.android import apn, mobile_data, ruled
from provision.android.command import Command
from provision.android.reading import text
from provision.model import Cannot, Cellular, Facts, Identity, Item, Met, SimCard, Step, Strength, Unit
from provision.setting import Answer

_ROAMING_RULE = "no_data_roaming"
_READY = ("READY", "LOADED")
_NO_CARD = ("", "ABSENT", "UNKNOWN")
_WAITING: Mapping[str, tuple[str, str]] = {
    "PIN_REQUIRED": ("the SIM asks for its PIN", "Type the PIN on the phone and switch the SIM lock off; run again."),
    "PUK_REQUIRED": ("the SIM is blocked and asks for its PUK", "Type the PUK on the phone, or take another SIM."),
    "NETWORK_LOCKED": ("the phone is locked to another operator", "Have it unlocked, or take a SIM of that operator."),
    "NOT_READY": ("the SIM is not ready", "Switch flight mode off, wait a minute, run again."),
    "PERM_DISABLED": ("the SIM is blocked for good", "Take another SIM."),
    "CARD_IO_ERROR": ("the phone cannot read the SIM", "Take it out, clean it, put it in again, run again."),
    "CARD_RESTRICTED": ("the operator does not allow this SIM in this phone", "Take another SIM."),
}
_CARD_FIRST = Cannot("no SIM card is ready", "Put the SIM in, wait for its signal, run again.")


@dataclass(frozen=True)
class Found:
    """What the phone has set for mobile data."""

    preferred: apn.Preferred
    roaming: mobile_data.Roaming
    background: mobile_data.Background


def probes(profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Only what the profile names is asked."""
    wanted = profile.sim or Sim()
    asked: dict[str, Command] = {}
    if wanted.apn is not None:
        asked["apn"] = apn.probe(identity)
    if wanted.roaming is not None:
        asked |= mobile_data.roaming_probes()
    if wanted.background_data is not None:
        asked |= mobile_data.background_probes(dict(_exempt(profile)).values(), identity)
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    return Found(apn.parse(text(answers, "apn")), mobile_data.roaming(answers), mobile_data.background(answers))


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``card``, ``carrier``, ``apn``, ``roaming``, ``background_data`` and ``background_data.<app>``."""
    sim = profile.sim
    if sim is None:
        return
    card = _meant(sim, facts.cellular)

    def item(key: str, want: str, state: Met | Step | Cannot, strength: Strength | None = None) -> Item:
        return Item("sim", key, want, state, profile.where("sim", *key.split(".")), strength, sim.required)

    yield item("card", "a SIM card that is ready", _card(facts.cellular))
    if sim.carrier or sim.mccmnc:
        yield item("carrier", f"a SIM of {sim.carrier or sim.mccmnc}", _carrier(sim, card))
    if sim.apn is not None:
        yield item("apn", *apn.plan(sim, card, found.preferred, facts.identity, unit))
    if sim.roaming is not None:
        want = f"roaming {'on' if sim.roaming else 'off'}"
        yield item("roaming", want, *_roaming(sim.roaming, found, profile, facts))
    if sim.background_data is not None:
        denied = sim.background_data.default == "deny"
        state = mobile_data.plan_background(denied, found.background, facts.identity)
        yield item("background_data", f"background data {'denied' if denied else 'allowed'}", state, Strength.C)
    coming = {app.id for app in profile.apps if app.android and app.android.file}
    for name, package in _exempt(profile):
        state = mobile_data.plan_exemption(package, found.background, facts.identity, name in coming)
        yield item(f"background_data.{name}", f"{name} may use data in the background", state, Strength.C)


def _roaming(wanted: bool, found: Found, profile: Profile, facts: Facts) -> tuple[Met | Step | Cannot, Strength]:
    state = mobile_data.plan_roaming(wanted, found.roaming)
    if not wanted and _ROAMING_RULE in (facts.enforced.keys or ()):
        state = Met(f"{_ROAMING_RULE} is in force, whatever is set")
    return ruled.guarded(state, _ROAMING_RULE, profile, facts)


def _exempt(profile: Profile) -> Iterator[tuple[str, str]]:
    """Id and package of the apps that are exempt: none unless background data is denied to the others."""
    wanted = (profile.sim or Sim()).background_data or BackgroundData()
    if wanted.default == "deny":
        packages = {app.id: app.android.package for app in profile.apps if app.android}
        yield from ((name, packages[name]) for name in wanted.allow if name in packages)


def _meant(sim: Sim, cellular: Cellular) -> SimCard | None:
    """The ready card of the profile's operator, else the first that is ready."""
    ready = [card for card in cellular.cards if card.state in _READY]
    return next((card for card in ready if _is_of(sim, card)), ready[0] if ready else None)


def _is_of(sim: Sim, card: SimCard) -> bool:
    if sim.mccmnc:
        return card.operator == sim.mccmnc
    wanted, carrier = find(sim.carrier) if sim.carrier else None, apn.carrier_of(card)
    return wanted is not None and carrier is not None and wanted.id == carrier.id


def _card(cellular: Cellular) -> Met | Cannot:
    ready = [card for card in cellular.cards if card.state in _READY]
    if ready:
        return Met(f"the card in slot {ready[0].slot + 1} is ready")
    if not cellular.cards:
        return Cannot("the device tells of no SIM slot", "Take a device with a SIM slot, or another profile.")
    waiting = [card.state for card in cellular.cards if card.state not in _NO_CARD]
    if not waiting:
        return Cannot("no SIM card is in it", "Put the SIM in and run again.")
    known = _WAITING.get(waiting[0])
    return Cannot(*known) if known else Cannot(f"the SIM is in the state {waiting[0]}", "Look at it on the phone.")


def _carrier(sim: Sim, card: SimCard | None) -> Met | Cannot:
    if card is None:
        return _CARD_FIRST
    if not card.operator:
        return Cannot("the SIM does not tell its operator yet", "Wait a minute and run again.")
    carrier = apn.carrier_of(card)
    whose = f"{carrier.name if carrier else card.operator_name or 'an unknown operator'} ({card.operator})"
    if _is_of(sim, card):
        return Met(f"the SIM is of {whose}")
    return Cannot(f"the SIM is of {whose}", f"Put in a SIM of {sim.carrier or sim.mccmnc}, or take another profile.")
