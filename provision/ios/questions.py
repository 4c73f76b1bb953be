"""What an iPhone or iPad can be asked, as values; equal questions are asked once.

The answer's text is the value as an XML property list and its code 0. Where the device refuses or has no such thing the
code is 1 and the text the device's own word for it (GetProhibited, MissingValue, PasswordProtected, …), see
:mod:`provision.ios.reading`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """``GetValue`` of lockdownd (facts, iOS §1): the value of ``key``, or without one all of ``domain``."""

    domain: str = ""
    key: str = ""


@dataclass(frozen=True)
class Registry:
    """The first entry of this class, or of this name, in the IORegistry (diagnostics_relay): a dict."""

    entry_class: str = ""
    name: str = ""


@dataclass(frozen=True)
class Apps:
    """What installation_proxy lists: a dict of bundle identifier to its attributes (of user and system apps)."""


@dataclass(frozen=True)
class Profiles:
    """``GetProfileList`` of MCInstall: a dict with OrderedIdentifiers, ProfileManifest and ProfileMetadata."""


@dataclass(frozen=True)
class CloudConfiguration:
    """``GetCloudConfiguration`` of MCInstall: a dict, empty where the device was never set up from outside."""


@dataclass(frozen=True)
class Activation:
    """The state that mobileactivationd tells, such as Activated or Unactivated: a text."""


@dataclass(frozen=True)
class Passcode:
    """``SecurityInfo`` of MCInstall: whether it has a passcode, which it tells only to whom it is supervised by."""


@dataclass(frozen=True)
class Shared:
    """The files that the app ``bundle`` shares, below ``folder`` of its documents: a list of dicts with path (relative
    to ``folder``), size (bytes) and time (whole seconds since 1970); nothing where there is no such folder.

    ``hashed``: each with its sha256 (hex) too, for which all of it is read over the cable.
    """

    bundle: str
    folder: str
    hashed: bool = False


@dataclass(frozen=True)
class SharedFile:
    """The bytes of one small file (1 MB at most) that the app ``bundle`` shares."""

    bundle: str
    path: str


Question = Value | Registry | Apps | Profiles | CloudConfiguration | Activation | Passcode | Shared | SharedFile
