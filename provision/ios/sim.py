"""The SIM: present and ready, of the right operator, its access point (facts, iOS §1, §2).

Card and operator are read by the reader ``cellular``. The access point is a part of the configuration; what it is on
the device otherwise is not told over USB. Roaming and the mobile data of apps take a management server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile, Sim
from provision.ios import access_point, wanted
from provision.ios.questions import Question
from provision.model import Cannot, Cellular, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from provision.text import printable

_NO_CARD = ("", "ABSENT", "UNKNOWN")
_WAITING: Mapping[str, tuple[str, str]] = {
    "PIN_REQUIRED": ("the SIM asks for its PIN", "Type the PIN on the device and switch the SIM lock off; run again."),
    "PUK_REQUIRED": ("the SIM is blocked and asks for its PUK", "Type the PUK on the device, or take another SIM."),
    "NETWORK_LOCKED": ("the SIM is refused: the device is locked to another operator", "Have it unlocked there."),
    "NOT_READY": ("the SIM is not ready", "Switch flight mode off, wait a minute, run again."),
}
_ROAMING = Cannot(
    "only a management server (MDM) may switch roaming on iOS",
    "On the device: Settings › Mobile Data › Mobile Data Options › Data Roaming.",
)
_BACKGROUND = Cannot(
    "only a management server (MDM) may rule which apps use mobile data on iOS",
    "On the device: Settings › Mobile Data; deny change_app_data, so that it stays so on a supervised one.",
)


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Nothing: the cards are read by the reader ``cellular``."""
    return {}


def parse(_answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> None:
    """Nothing of its own."""


def plan(profile: Profile, _found: None, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``card``, ``carrier``, ``apn``, ``roaming`` and ``background_data``."""
    sim = profile.sim
    if sim is None:
        return

    def item(key: str, want: str, state: Met | Step | Cannot) -> Item:
        return Item("sim", key, want, state, profile.where("sim", key), required=sim.required)

    yield item("card", "a SIM card that is ready", _card(facts.cellular))
    if sim.carrier or sim.mccmnc:
        state = _carrier(sim, facts.cellular)
        yield item("carrier", f"a SIM of {sim.carrier or sim.mccmnc}", state)
    yield from wanted.items("sim", profile, facts, unit)
    if sim.roaming is not None:
        yield item("roaming", f"roaming {'on' if sim.roaming else 'off'}", _ROAMING)
    if sim.background_data is not None:
        denied = sim.background_data.default == "deny"
        yield item("background_data", f"background data {'denied' if denied else 'allowed'}", _BACKGROUND)


def _card(cellular: Cellular) -> Met | Cannot:
    ready = [card for card in cellular.cards if card.state == access_point.READY]
    if ready:
        return Met(f"the card in slot {ready[0].slot + 1} is ready")
    if not cellular.cards:
        return access_point.no_card(cellular)
    waiting = [card.state for card in cellular.cards if card.state not in _NO_CARD]
    if not waiting:
        return Cannot("no SIM card is in it", "Put the SIM in and run again.")
    known = _WAITING.get(waiting[0])
    return Cannot(*known) if known else Cannot(f"the SIM is in the state {waiting[0]}", "Look at it on the device.")


def _carrier(sim: Sim, cellular: Cellular) -> Met | Cannot:
    card = access_point.meant(sim, cellular)
    if card is None:
        return access_point.no_card(cellular)
    if not card.operator:
        return Cannot("the SIM does not tell its operator yet", "Wait a minute and run again.")
    carrier = access_point.carrier_of(card)
    named = carrier.name if carrier else printable(card.operator_name) or "an unknown operator"
    whose = f"{named} ({card.operator})"
    if access_point.is_of(sim, card):
        return Met(f"the SIM is of {whose}")
    return Cannot(f"the SIM is of {whose}", f"Put in a SIM of {sim.carrier or sim.mccmnc}, or take another profile.")
