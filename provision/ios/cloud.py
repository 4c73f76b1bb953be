"""What an iPhone says of who holds it: supervision, and the cloud configuration that was written to it (facts, iOS §1).

Both are asked, because each alone has been wrong: a configuration was accepted by a device that was never supervised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provision.ios.keybag import Keybag
from provision.ios.questions import CloudConfiguration, Question, Value
from provision.ios.reading import mapping, switch, text
from provision.setting import Answer
from provision.text import printable

QUESTIONS: Mapping[str, Question] = {
    "chaperoned": Value("com.apple.mobile.chaperone", "DeviceIsChaperoned"),
    "configuration": CloudConfiguration(),
}

ACTIVATED = "Activated"
"""The one state of mobileactivationd in which a device can be used."""

UNACTIVATED = "Unactivated"
"""Its state from the erasing to the activation. Of a device in any other word it is not known what befell it."""

_NAMELESS = "an organisation without a name"


@dataclass(frozen=True)
class Holder:
    """``supervised`` is ``None`` where the device does not tell. ``ours``: by the certificate of our keybag.

    ``configured``: somebody wrote a configuration to it since it was erased, and it takes no second one.
    ``managed``: a server for its management was given to it, so that it is enrolled again after every erasing.
    ``known``: both questions were answered.
    """

    supervised: bool | None
    ours: bool
    organisation: str
    configured: bool
    managed: bool
    known: bool

    @property
    def other(self) -> str | None:
        """Whoever else holds it; ``None`` where nobody does, or it is not known."""
        held = self.managed or (bool(self.supervised) and not self.ours)
        return (self.organisation or _NAMELESS) if held else None


def holder(answers: Mapping[str, Answer], keybag: Keybag | None) -> Holder:
    """Read the answers to QUESTIONS."""
    configuration = mapping(answers.get("configuration"))
    readable = (said := answers.get("configuration")) is not None and said.code == 0
    supervised = switch_or_absent(answers.get("chaperoned"))
    certificates = configuration.get("SupervisorHostCertificates")
    known = certificates if isinstance(certificates, list) else []
    organisation = configuration.get("OrganizationName")
    return Holder(
        supervised=supervised,
        ours=supervised is True and keybag is not None and keybag.certificate in known,
        organisation=printable(organisation) if isinstance(organisation, str) else "",
        configured=bool(configuration),
        managed=bool(configuration.get("ConfigurationURL")),
        known=readable and supervised is not None,
    )


def activation(said: Answer | None) -> str:
    """The state that mobileactivationd tells; "" where it tells none."""
    return printable(text(said))


def switch_or_absent(said: Answer | None) -> bool | None:
    """A yes or no of which a device that was never told it has none: then it is no."""
    return False if said is not None and said.code != 0 and said.text == "MissingValue" else switch(said)
