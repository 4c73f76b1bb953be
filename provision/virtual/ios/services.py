"""The services that lockdownd starts: name to what serves one connection until it ends or Closed is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from provision.virtual.ios import diagnostics, mcinstall, mobileactivation
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Stream

SERVICES: Mapping[str, Callable[[Stream, Phone], None]] = {
    "com.apple.mobile.MCInstall": mcinstall.serve,
    "com.apple.mobile.diagnostics_relay": diagnostics.serve,
    "com.apple.mobileactivationd": mobileactivation.serve,
}
