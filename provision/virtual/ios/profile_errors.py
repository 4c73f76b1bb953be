"""What a phone says when it refuses a profile: chains of errors, the outermost first (facts, iOS §4).

The numbers are those of Apple's reference of error codes and of error chains in public reports; the words are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PROFILE, PAYLOAD, INSTALLATION = "MCProfileErrorDomain", "MCPayloadErrorDomain", "MCInstallationErrorDomain"
CHAPERONE, CLOUD = "MCChaperoneErrorDomain", "MCCloudConfigErrorDomain"


@dataclass(frozen=True)
class Cause:
    """One error of a chain."""

    domain: str
    code: int
    text: str

    def shown(self) -> dict[str, Any]:
        return {
            "ErrorCode": self.code,
            "ErrorDomain": self.domain,
            "LocalizedDescription": self.text,
            "USEnglishDescription": self.text,
        }


class Refused(Exception):
    """The phone does not do it; ``causes`` are its error chain."""

    def __init__(self, *causes: Cause) -> None:
        super().__init__(": ".join(cause.text for cause in causes))
        self.causes = causes

    def below(self, *outer: Cause) -> Refused:
        """The same refusal as the reason of another."""
        return Refused(*outer, *self.causes)

    def answer(self) -> dict[str, Any]:
        """The reply of MCInstall."""
        return {"Status": "Error", "ErrorChain": [cause.shown() for cause in self.causes]}


def missing(domain: str, field: str) -> Refused:
    return Refused(Cause(domain, 1002 if domain == PROFILE else 2002, f"The required field “{field}” is missing."))


def bad_type(domain: str, field: str) -> Refused:
    return Refused(Cause(domain, 1003 if domain == PROFILE else 2003, f"The field “{field}” is invalid."))


def bad_value(field: str) -> Refused:
    return Refused(Cause(PAYLOAD, 2004, f"The field “{field}” contains an invalid value."))


def malformed_payload(name: str) -> Cause:
    return Cause(PAYLOAD, 2000, f"The payload “{name}” is malformed.")


def unreadable() -> Cause:
    return Cause(INSTALLATION, 4000, "Invalid Profile")


def failed(name: str) -> Iterable[Cause]:
    """What stands around the reason when a readable profile cannot be installed."""
    return (
        Cause(INSTALLATION, 4001, "Profile Installation Failed"),
        Cause(PROFILE, 1009, f"The profile “{name}” could not be installed."),
    )
