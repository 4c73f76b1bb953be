"""SIM slots, operator, ICCID and IMEI (facts, iOS §1). Reads only.

``SIMStatus`` is that of the card, so whether the phone is locked to a carrier cannot be read. An iPad with an embedded
SIM reports Ready with no card in it: a card is believed where the device also tells an ICCID or an operator of it.
Values are asked one by one, never the whole domain, which also holds the subscriber's number and IMSI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from profiles.carriers import by_numeric
from profiles.schema import Profile
from provision.ios.questions import Question, Value
from provision.ios.reading import switch, text, value
from provision.model import Cellular, Identity, SimCard
from provision.setting import Answer

_PROBES: Mapping[str, Question] = MappingProxyType(
    {
        "telephony": Value(key="TelephonyCapability"),
        "status": Value(key="SIMStatus"),
        "bundles": Value(key="CarrierBundleInfoArray"),
        "iccid": Value(key="IntegratedCircuitCardIdentity"),
        "imei": Value(key="InternationalMobileEquipmentIdentity"),
    }
)
_PREFIX = "kCTSIMSupportSIMStatus"
_STATES = {
    "Ready": "READY",
    "NotInserted": "ABSENT",
    "NotReady": "NOT_READY",
    "PINLocked": "PIN_REQUIRED",
    "PUKLocked": "PUK_REQUIRED",
    "OperatorLocked": "NETWORK_LOCKED",
}
_SLOTS = ("kOne", "kTwo")


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Whatever the profile, the same is asked."""
    return _PROBES


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Cellular:
    """See :class:`provision.model.Cellular`; no slot where the device has no radio."""
    status, bundles = text(answers.get("status")), _bundles(value(answers.get("bundles")))
    imei = text(answers.get("imei"))
    if not status and not bundles and not switch(answers.get("telephony")):
        return Cellular(imei=_digits(imei, 14, 16))
    state = _STATES.get(status.removeprefix(_PREFIX), "UNKNOWN")
    iccid = _digits(text(answers.get("iccid")), 18, 20)
    cards = tuple(_card(slot, state, bundle, iccid if slot == 0 else "") for slot, bundle in bundles.items())
    return Cellular(cards or (_card(0, state, {}, iccid),), _digits(imei, 14, 16))


def _bundles(said: Any) -> Mapping[int, Mapping[str, Any]]:
    """What the device tells of its cards, by slot."""
    listed = [entry for entry in said if isinstance(entry, dict)] if isinstance(said, list) else []
    found = {_slot(entry, at): entry for at, entry in enumerate(listed[: len(_SLOTS)])}
    return dict(sorted(found.items()))


def _slot(entry: Mapping[str, Any], at: int) -> int:
    named = entry.get("Slot")
    return _SLOTS.index(named) if named in _SLOTS else at


def _card(slot: int, state: str, bundle: Mapping[str, Any], iccid: str) -> SimCard:
    """The status is the first slot's; what is told of a card in the second one says that it is there."""
    own = _digits(bundle.get("IntegratedCircuitCardIdentity"), 18, 20) or iccid
    country, network = _digits(bundle.get("MCC"), 3, 3), _digits(bundle.get("MNC"), 2, 3)
    operator = country + network if country and network else ""
    if slot > 0:
        state = "READY" if own or operator else "UNKNOWN"
    elif state == "READY" and not own and not operator:
        state = "ABSENT"
    known = by_numeric(operator, iccid=own) if operator else None
    return SimCard(slot, state, operator, known.name if known else "", own)


def _digits(said: Any, least: int, most: int) -> str:
    """Digits of such a length, else ""."""
    return said if isinstance(said, str) and re.fullmatch(rf"[0-9]{{{least},{most}}}", said) else ""
