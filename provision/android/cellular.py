"""SIM slots, operator, ICCID and IMEI (facts §4.2). Reads only.

Slots are the comma-separated properties ``gsm.sim.*``. IMEI and ICCID come from ``service call iphonesubinfo``, whose
codes differ by version and shift on makers' builds. So nothing is believed by its code: an IMEI has 14–16 digits and
a right check digit, an ICCID 18–20 digits that start with 89. The ICCID is let through on the phone itself, by its
length and first digits, so that a shifted code can never bring the subscriber's IMSI (15 digits) or number here.
That call tells of one card only: with two cards in the phone it is not known which, and the ICCID stays "".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from profiles.schema import Profile
from provision.android.command import Command, command, script
from provision.android.reading import plain, text
from provision.model import Cellular, Identity, SimCard
from provision.setting import Answer

_STATE, _NUMERIC, _NAME = "gsm.sim.state", "gsm.sim.operator.numeric", "gsm.sim.operator.alpha"
_NO_CARD = ("", "ABSENT", "UNKNOWN", "NOT_READY")
# The Parcel holds a status word, the length, and the text as UTF-16: "89" is 00390038.
_ICCID = """
for n in "$@"; do
  out=$(service call iphonesubinfo $n s16 com.android.shell 2>&1)
  case "$out" in
    *"00000012 00390038"*|*"00000013 00390038"*|*"00000014 00390038"*) echo "$out"; break ;;
  esac
done"""
_WORD = re.compile(r"\b[0-9a-f]{8}\b(?!:)")


def probes(_profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Whatever the profile, the same is asked; the codes are those of this Android."""
    return {
        "state": command("getprop", _STATE),
        "numeric": command("getprop", _NUMERIC),
        "name": command("getprop", _NAME),
        "imei": command("service", "call", "iphonesubinfo", 1, "s16", "com.android.shell"),
        "iccid": script(_ICCID, *_iccid_codes(identity.api)),
    }


def _iccid_codes(api: int) -> tuple[int, ...]:
    if api >= 36:
        return (13, 12)
    return (12, 13) if api >= 30 else (10, 11, 12)


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Cellular:
    """See :class:`provision.model.Cellular`; no slot where the phone has no radio."""
    states = _split(text(answers, "state"))
    numerics, names = _split(text(answers, "numeric")), _split(text(answers, "name"))
    cards = tuple(
        SimCard(
            slot,
            state,
            operator=_at(numerics, slot) if _at(numerics, slot).isdecimal() else "",
            operator_name=_at(names, slot),
        )
        for slot, state in enumerate(states)
    )
    iccid = decode(text(answers, "iccid"))
    present = [card for card in cards if card.state not in _NO_CARD]
    if len(present) == 1 and re.fullmatch(r"89\d{16,18}", iccid):
        cards = tuple(replace(card, iccid=iccid) if card is present[0] else card for card in cards)
    imei = decode(text(answers, "imei"))
    return Cellular(cards, imei if is_imei(imei) else "")


def decode(parcel: str) -> str:
    """The text in a Parcel as ``service call`` prints it: from the hexadecimal words, never from the quoted column."""
    words = [int(w, 16) for line in parcel.splitlines()[:64] for w in _WORD.findall(line.partition("'")[0])]
    if len(words) < 3 or words[0] != 0 or not 0 < words[1] <= 64:
        return ""
    units = [unit for word in words[2:] for unit in (word & 0xFFFF, word >> 16)][: words[1]]
    return "".join(map(chr, units)) if len(units) == words[1] else ""


def is_imei(digits: str) -> bool:
    """14 to 16 digits, not all the same, whose check digit (Luhn) is right."""
    if not re.fullmatch(r"[0-9]{14,16}", digits) or len(set(digits)) == 1:
        return False
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _split(said: str) -> list[str]:
    line = next((line for line in said.splitlines() if line.strip()), "")
    return [plain(part, 60) for part in line[:600].split(",")[:8]] if line else []


def _at(parts: list[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""
