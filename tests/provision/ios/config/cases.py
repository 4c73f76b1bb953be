"""A device as a case file describes it, and the items and payloads that come of a profile on it.

profile    its text, without the name; secrets are those of ``SECRETS``
device     version, supervised, ours, ended (by a keybag that has; all no unless said)
cards      slots with their SIM (one of Viettel unless said); an empty list: no slot
apps       installed apps: bundle identifier and User or System
installed  what the device lists of ours: nothing (unless said), "wanted", "older", or "untold"
items      every item that must come of it; actions are compared where a case names them
payloads   what must be in the configuration, without the keys of the frame; compared where a case names them
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import MASK, Secrets
from provision.ios import apps, configuration, home_screen, network, restrictions, sim
from provision.ios.mobileconfig import IDENTIFIER
from provision.ios.reading import answer, refusal
from provision.ios.supervision import Supervision
from provision.ios.wanted import situation, wanted
from provision.model import Cannot, Cellular, Facts, Identity, Item, Met, SimCard, Step, Unit
from provision.setting import Answer

SECRETS = {"FLEET_SECRET_WIFI": "hoc-tap-tot", "FLEET_SECRET_APN": "s3cret"}
UNIT = Unit(tag="SB-1", seal_key=b"key of this registry")
FRAME = ("PayloadIdentifier", "PayloadUUID", "PayloadVersion", "PayloadDisplayName")
MODULES: Mapping[str, Any] = {
    "apps": apps,
    "network": network,
    "sim": sim,
    "restrictions": restrictions,
    "home_screen": home_screen,
    "configuration": configuration,
}
_VIETTEL = {"slot": 0, "state": "READY", "operator": "45204", "operator_name": "Viettel"}


def profile_of(text: str, folder: Path) -> Profile:
    file = folder / "case.yaml"
    file.write_text(f"profile: case\n{text}", encoding="utf-8")
    return load(str(file), Secrets(SECRETS))


def facts_of(case: Mapping[str, Any], profile: Profile) -> Facts:
    about = {"version": "16.1", **case.get("device", {})}
    who = Identity("ios", "F1", "Apple", "iPhone", about["version"], int(about["version"].split(".")[0]))
    cards = tuple(SimCard(**{"slot": 0, **card}) for card in case.get("cards", [_VIETTEL]))
    supervised, ours = about.get("supervised", False), about.get("ours", False)
    valid = ours and not about.get("ended", False)
    found: dict[str, Any] = {"supervision": Supervision(supervised=supervised or ours, ours=valid, known=ours)}
    facts = Facts(who, cellular=Cellular(cards), found=found)
    for name, module in MODULES.items():
        asked = module.probes(profile, who, False)
        found[name] = module.parse({key: _said(key, case, profile, facts) for key in asked}, profile, who)
    return facts


def _said(question: str, case: Mapping[str, Any], profile: Profile, facts: Facts) -> Answer:
    if question == "apps":
        return answer(
            {name: {"ApplicationType": kind, "CFBundleVersion": "7"} for name, kind in case.get("apps", {}).items()}
        )
    listed: dict[str, Any] = {"com.example.other": {"PayloadUUID": "OTHER", "PayloadDisplayName": "of the school"}}
    match case.get("installed"):
        case "untold":
            return refusal("PasswordProtected")
        case "wanted":
            configured = wanted(profile, situation(facts), UNIT).configuration
            assert configured, "nothing of this case goes into a configuration"
            listed[IDENTIFIER] = {"PayloadUUID": configured.uuid}
        case "older":
            listed[IDENTIFIER] = {"PayloadUUID": "5D0F44B8-3A6C-4C0A-9C52-2D1F6F1E6C11"}
    return answer({"OrderedIdentifiers": [*listed], "ProfileManifest": {}, "ProfileMetadata": listed})


def planned(profile: Profile, facts: Facts, unit: Unit = UNIT) -> list[Item]:
    """The items of all settings that have to do with the configuration, in their order."""
    return [item for name, module in MODULES.items() for item in module.plan(profile, facts.found[name], facts, unit)]


def told(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Items in the words of a case; what is empty is left out there, too."""
    return [{key: value for key, value in _row(item).items() if value} for item in items]


def _row(item: Item) -> dict[str, Any]:
    state = item.state
    return {
        "id": item.id,
        "want": item.want,
        "state": {Met: "met", Step: "step", Cannot: "cannot"}[type(state)],
        "why": state.why,
        "next": state.next_action if isinstance(state, Cannot) else "",
        "actions": [action.masked for action in state.actions] if isinstance(state, Step) else [],
        "hands": state.hands if isinstance(state, Step) else "",
        "strength": str(item.strength) if item.strength else "",
        "required": item.required,
    }


def payloads_of(profile: Profile, facts: Facts) -> list[dict[str, Any]]:
    """What is in the configuration, secrets masked and without the frame."""
    configured = wanted(profile, situation(facts), UNIT, lambda _: MASK).configuration
    content = plistlib.loads(configured.data)["PayloadContent"] if configured else []
    return [{key: value for key, value in payload.items() if key not in FRAME} for payload in content]
