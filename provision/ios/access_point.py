"""The access point of the SIM that is in the device: a payload of its configuration (facts, iOS §2).

It holds for the SIM that is preferred for data, and is refused while another profile brings one. ``Name`` is the access
point itself. The same is written for attaching to the network, which operators want that know no other [I].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from profiles.carriers import ApnSettings, Carrier, by_numeric, find
from profiles.schema import Profile, Sim
from provision.ios.part import Part, Situation
from provision.model import Cannot, Cellular, SimCard

READY = "READY"
"""The state of a card that can be used."""


def parts(profile: Profile, now: Situation) -> Iterator[Part]:
    """The access point of the card that is in it; ``Name`` is the access point itself (facts, iOS §2)."""
    sim = profile.sim
    if sim is None or sim.apn is None:
        return
    card = meant(sim, now.cellular)
    settings = _access_point(sim, card)
    yield Part(
        setting="sim",
        key="apn",
        want=f"the access point {settings.apn}" if settings else "an access point",
        source=profile.where("sim", "apn"),
        place="apn",
        title="Mobile data",
        content=_cellular(settings, sim) if settings else {},
        cannot=None if settings else _no_access_point(card, now.cellular),
        required=sim.required,
        shown="the device lists the configuration with it; whether its SIM uses it is not told",
    )


def meant(sim: Sim, cellular: Cellular) -> SimCard | None:
    """The ready card of the profile's operator, else the first that is ready."""
    ready = [card for card in cellular.cards if card.state == READY]
    return next((card for card in ready if is_of(sim, card)), ready[0] if ready else None)


def is_of(sim: Sim, card: SimCard) -> bool:
    """Whether the card is of the operator that the profile names."""
    if sim.mccmnc:
        return card.operator == sim.mccmnc
    wanted, carrier = find(sim.carrier) if sim.carrier else None, carrier_of(card)
    return wanted is not None and carrier is not None and wanted.id == carrier.id


def carrier_of(card: SimCard) -> Carrier | None:
    """Whose SIM it is, by all that the device tells of it."""
    return by_numeric(card.operator, spn=card.operator_name, iccid=card.iccid) if card.operator else None


def _access_point(sim: Sim, card: SimCard | None) -> ApnSettings | None:
    """Nothing is written for a device without a card: the access point has to be that of its operator."""
    if card is None:
        return None
    if sim.apn is not None and sim.apn != "automatic":
        return ApnSettings(sim.apn.name, sim.apn.name, sim.apn.user or "")
    carrier = carrier_of(card) or (find(sim.carrier) if sim.carrier else None)
    return carrier.apns[0] if carrier and carrier.apns else None


def no_card(cellular: Cellular) -> Cannot:
    """Why nothing can be said of a card where none is ready."""
    if not cellular.cards:
        return Cannot("the device takes no SIM card", "Take a device with a SIM slot, or another profile.")
    return Cannot("no SIM card is ready", "Put the SIM in, wait for its signal, run again.")


def _no_access_point(card: SimCard | None, cellular: Cellular) -> Cannot:
    if card is None:
        return no_card(cellular)
    return Cannot(
        f"no access point of {card.operator_name or card.operator or 'its operator'} is known",
        "Write it in the profile, as the operator says: apn: {name: …}.",
    )


def _cellular(settings: ApnSettings, sim: Sim) -> Mapping[str, Any]:
    named = sim.apn if sim.apn != "automatic" else None
    password = (named.password if named else None) or settings.password
    login: dict[str, Any] = {"Name": settings.apn}
    if settings.user or password:
        login["AuthenticationType"] = "PAP" if settings.auth == "pap" else "CHAP"
    login |= {"Username": settings.user} if settings.user else {}
    login |= {"Password": password} if password else {}
    return {"PayloadType": "com.apple.cellular", "APNs": [login], "AttachAPN": login}
