"""What can go wrong far away.

SchoolbagError
 └─ RemoteError
     ├─ OrderError       a unit cannot be ordered that, now
     ├─ ReleaseError     a release, its signature or a file of it is not what it should be
     ├─ SiteError        no such site, or something of it that cannot be
     │   └─ HostKeyChanged   the host is another one than when its key was noted
     ├─ Unreachable      the site does not answer, or the link broke: it is tried again
     │   └─ Busy         somebody there is at work on what we need: it is tried again
     ├─ SiteRefused      the site answered, and says why not
     └─ PushError        no such push, or rules that do not add up
"""

from __future__ import annotations

from profiles.errors import SchoolbagError


class RemoteError(SchoolbagError):
    """Something about a release, a site or a push."""


class OrderError(RemoteError):
    """A unit cannot be ordered that, or not now."""


class ReleaseError(RemoteError):
    """A release, its signature or one of its files is not what it should be."""


class SiteError(RemoteError):
    """No such site, or something that cannot be said of it."""


class HostKeyChanged(SiteError):
    """The key of the host is not the one that was noted."""


class Unreachable(RemoteError):
    """The site does not answer, or the link broke. Trying again may help."""


class Busy(Unreachable):
    """Somebody at the site is at work on what we need. Trying again helps."""


class SiteRefused(RemoteError):
    """The site answered, and says why it did not do it. Trying again without a change does not help."""


class PushError(RemoteError):
    """No such push, or rules of one that do not add up."""
