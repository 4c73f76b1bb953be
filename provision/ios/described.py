"""The plan for a kind of iPhone with none at hand: the real settings, over what one says that was just set up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from profiles.carriers import find
from profiles.errors import SchoolbagError
from profiles.schema import Profile
from profiles.secrets import MASK
from provision.ios import erased
from provision.ios.keybag import Keybag
from provision.ios.part import Situation
from provision.ios.reading import answer
from provision.ios.settings import settings
from provision.ios.wanted import wanted
from provision.model import Cellular, Facts, Identity, Item, Setup, SimCard, Unit
from provision.plan import plan
from provision.setting import Answer

VERSIONS = tuple(str(version) for version in (*range(12, 19), 26))
"""The versions that are offered: 19 to 25 were never made. Any x.y of these is taken."""

_ANY_CARRIER = "viettel"
_KEYBAG = Keybag("us", b"our certificate", b"", datetime.max.replace(tzinfo=UTC))
_UNIT = Unit(tag="TAG")


class NoSuchDevice(SchoolbagError):
    """The device that a command describes is of no kind that we know."""

    exit_code = 2


@dataclass(frozen=True)
class Described:
    """A kind of iPhone: its iOS, and whether we supervise it. It has a SIM of the profile's carrier (of any, when it
    names none), every app that the profile wants removed, and a tag."""

    version: str
    supervised: bool

    def plan(self, profile: Profile) -> tuple[Item, ...]:
        """The plan of ``profile`` for it."""
        who = self._identity()
        asked = settings(_KEYBAG if self.supervised else None)
        facts = Facts(
            who,
            cellular=Cellular((_card(profile),)),
            setup=Setup(screen_locked=False),
            found=erased.found(asked, profile, who, lambda setting, question: self._says(setting, question, profile)),
        )
        return plan(asked, profile, facts, _UNIT)

    def mobileconfig(self, profile: Profile) -> bytes:
        """The configuration that it would be given, secrets masked; b"" where it takes nothing of ``profile``."""
        now = Situation(self.version, self.supervised, self.supervised, Cellular((_card(profile),)))
        configuration = wanted(profile, now, _UNIT, lambda _: MASK).configuration
        return configuration.data if configuration else b""

    def _identity(self) -> Identity:
        return Identity(
            "ios", "", "Apple", "iPhone", self.version, int(self.version.partition(".")[0]),
            properties={"DeviceClass": "iPhone"},
        )  # fmt: skip

    def _says(self, setting: str, question: str, profile: Profile) -> Answer:
        if question == "apps":
            names = [ref.ios for ref in profile.restrictions.remove if ref.ios]
            return answer({name: {"ApplicationType": "User"} for name in names})
        if self.supervised and (setting, question) == ("supervision", "chaperoned"):
            return answer(True)
        if self.supervised and (setting, question) == ("supervision", "configuration"):
            return answer({"IsSupervised": True, "SupervisorHostCertificates": [_KEYBAG.certificate]})
        return erased.says(setting, question)


def described(device_os: str, supervised: bool) -> Described:
    """``device_os`` as in ``ios-16`` or ``ios-15.4``. Raises NoSuchDevice."""
    found = re.fullmatch(r"ios-([0-9]+)((?:\.[0-9]+){0,2})", device_os)
    if found is None or found[1] not in VERSIONS:
        raise NoSuchDevice(f"{device_os} is no device that fleet knows.", f"Say ios-{', ios-'.join(VERSIONS)}.")
    return Described(found[1] + found[2], supervised)


def _card(profile: Profile) -> SimCard:
    sim = profile.sim
    if sim and sim.mccmnc:
        return SimCard(slot=0, state="READY", operator=sim.mccmnc)
    carrier = find(sim.carrier if sim and sim.carrier else _ANY_CARRIER)
    assert carrier is not None, "a loaded profile names a carrier that there is"
    numeric = carrier.numerics[0] if carrier.numerics else ""
    return SimCard(slot=0, state="READY", operator=numeric, operator_name=carrier.name)
