"""The services that lockdownd starts: name to what serves one connection until it ends or Closed is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from provision.virtual.ios import (
    afc,
    diagnostics,
    house_arrest,
    installation_proxy,
    mcinstall,
    mobileactivation,
    notification_proxy,
    springboard,
)
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Stream

SERVICES: Mapping[str, Callable[[Stream, Phone], None]] = {
    "com.apple.afc": afc.serve,
    "com.apple.mobile.MCInstall": mcinstall.serve,
    "com.apple.mobile.diagnostics_relay": diagnostics.serve,
    "com.apple.mobile.house_arrest": house_arrest.serve,
    "com.apple.mobile.insecure_notification_proxy": notification_proxy.serve,
    "com.apple.mobile.installation_proxy": installation_proxy.serve,
    "com.apple.mobile.notification_proxy": notification_proxy.serve,
    "com.apple.mobileactivationd": mobileactivation.serve,
    "com.apple.springboardservices": springboard.serve,
}
