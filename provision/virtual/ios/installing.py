"""How profiles come onto the phone and go: waiting in Settings for the person, at once, or silently (facts, iOS §1).

Only one profile waits: a second one takes its place, and after eight minutes by the phone's clock it is deleted. What
is wrong with it as a whole is said when it is handed over; whether this device may have it shows when it is installed.
Callers hold the phone's lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from provision.virtual.ios import profile_check
from provision.virtual.ios.phone import Phone, Profile, nothing_waits
from provision.virtual.ios.profile_check import Read
from provision.virtual.ios.profile_effects import restrictions
from provision.virtual.ios.profile_errors import INSTALLATION, Cause, Refused, failed

WAITS_SECONDS = 480.0


@dataclass(frozen=True)
class Waiting:
    """A profile that was downloaded and waits in Settings; called, the person installs it.

    ValueError when it was deleted meanwhile, or when the phone refuses it: then it is gone, too.
    """

    phone: Phone = field(repr=False)
    profile: Read
    since: float

    @property
    def deleted(self) -> bool:
        return self.phone.clock() - self.since >= WAITS_SECONDS

    def __call__(self) -> None:
        with self.phone.lock:
            self.phone.tap_install = nothing_waits
            if self.deleted:
                raise ValueError("the profile that waited in Settings was deleted after eight minutes")
            try:
                install(self.phone, self.profile)
            except Refused as refused:
                raise ValueError(str(refused)) from None


def waiting(phone: Phone) -> Waiting | None:
    """The profile that waits in Settings."""
    found = phone.tap_install
    return found if isinstance(found, Waiting) and not found.deleted else None


def hand_over(phone: Phone, data: bytes) -> None:
    """``InstallProfile``: it waits in Settings, or is installed at once in the Setup Assistant. Raises Refused."""
    profile = profile_check.read(data, phone.version)
    if phone.restrictions.get("allowUIConfigurationProfileInstallation", True) in (False, 0):
        domain = "DMCInstallationErrorDomain" if phone.major >= 13 else INSTALLATION
        raise Refused(Cause(domain, 4020, "The profile must be installed using a device management tool."))
    if phone.set_up:
        phone.tap_install = Waiting(phone, profile, phone.clock())
        phone.on_waiting()
    else:
        install(phone, profile)


def install_silently(phone: Phone, data: bytes) -> None:
    """``InstallProfileSilent``. Raises Refused."""
    profile = profile_check.read(data, phone.version)
    if phone.locked:
        raise Refused(*failed(profile.name), Cause(INSTALLATION, 4009, "The device is locked."))
    install(phone, profile, silent=True)


def install(phone: Phone, profile: Read, *, silent: bool = False) -> None:
    """Have it, in place of the one with its identifier. Raises Refused."""
    there = [Read(other.content, other.signer) for other in phone.profiles.values()]
    profile_check.admit(profile, there, phone.version, supervised=phone.supervised)
    phone.profiles[profile.identifier] = Profile(
        profile.identifier, profile.uuid, profile.name, profile.content, silent, profile.signer
    )
    phone.restrictions = restrictions(phone)


def remove(phone: Phone, named: object) -> None:
    """``RemoveProfile``, by identifier or by a profile that has it; one that is not there is no error. Raises Refused.

    That a profile may not be removed binds the person. It binds the computer only if it is signed: then the request
    must be signed by the same.
    """
    signer = None
    if isinstance(named, bytes):
        asked = profile_check.read(named, phone.version, named_only=True)
        named, signer = asked.identifier, asked.signer
    if not isinstance(named, str):
        raise Refused(Cause(INSTALLATION, 4000, "No profile is named."))
    found = phone.profiles.get(named)
    if found is None:
        return
    if found.content.get("PayloadRemovalDisallowed") and found.signer not in (None, signer):
        raise Refused(Cause(INSTALLATION, 4008, f"The profile “{found.name}” was signed by somebody else."))
    del phone.profiles[named]
    phone.restrictions = restrictions(phone)
