"""What is done to an iPhone or iPad, as values: each has a printable form without secrets and a size in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

PART = ".schoolbag-part"
"""How the temporary name of a file that is being sent ends."""


@dataclass(frozen=True)
class _Small:
    """An action that sends next to nothing and switches nothing on."""

    leaves: ClassVar[str] = ""

    @property
    def size(self) -> int:
        return 0


@dataclass(frozen=True)
class SetValue(_Small):
    """``SetValue`` of lockdownd."""

    domain: str
    key: str
    value: Any

    @property
    def masked(self) -> str:
        return f"set {self.domain + ' ' if self.domain else ''}{self.key} to {self.value!r}"


@dataclass(frozen=True)
class InstallApp:
    """Send an IPA in pieces and have it installed; progress counts what was sent."""

    bundle: str
    ipa: Path
    size: int
    leaves: ClassVar[str] = ""

    @property
    def masked(self) -> str:
        return f"install {self.bundle} ({self.size} bytes)"


@dataclass(frozen=True)
class RemoveApp(_Small):
    bundle: str

    @property
    def masked(self) -> str:
        return f"remove {self.bundle}"


@dataclass(frozen=True)
class Sent:
    """One file to send: a file here or its very bytes, its path below the app's documents, its size and its time
    (whole seconds since 1970; ``None``: as it comes)."""

    source: Path | bytes
    remote: str
    size: int
    time: int | None = None


@dataclass(frozen=True)
class SendFiles:
    """Send files into the documents of ``bundle``, in order: each under a temporary name, then renamed."""

    bundle: str
    files: tuple[Sent, ...]
    leaves: ClassVar[str] = ""

    @property
    def masked(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"send {self.files[0].remote!r}{more} to {self.bundle} ({self.size} bytes)"

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class RemoveFiles(_Small):
    """Remove files from the documents of ``bundle``; one that is not there is no error."""

    bundle: str
    paths: tuple[str, ...]

    @property
    def masked(self) -> str:
        return f"remove {len(self.paths)} files of {self.bundle}"


@dataclass(frozen=True)
class InstallProfile(_Small):
    """Install a configuration profile. Not ``silent`` it is only queued, and a person has ``seconds`` to install it in
    Settings; the action ends when the device lists ``identifier`` with ``uuid``, or when the time is over."""

    identifier: str
    uuid: str
    data: bytes = field(repr=False)
    silent: bool = False
    seconds: float = 480

    @property
    def masked(self) -> str:
        return f"install the configuration {self.identifier} ({len(self.data)} bytes)"


@dataclass(frozen=True)
class RemoveProfile(_Small):
    identifier: str

    @property
    def masked(self) -> str:
        return f"remove the configuration {self.identifier}"


@dataclass(frozen=True)
class AskActivation(_Small):
    """Ask Apple's activation server whether it answers for this device; it changes nothing. Refused where not."""

    @property
    def masked(self) -> str:
        return "ask the activation server"


@dataclass(frozen=True)
class AskOwner(_Small):
    """Ask the activation server within seconds whose a device is that is not activated; it changes nothing. Refused
    where it does not answer, NeedsOwner where it is locked to an Apple Account."""

    @property
    def masked(self) -> str:
        return "ask the activation server whose it is"


@dataclass(frozen=True)
class Erase(_Small):
    """Erase the device with the data plan of its eSIM kept, and wait until it is back."""

    @property
    def masked(self) -> str:
        return "erase everything, keep the data plan of the eSIM"


@dataclass(frozen=True)
class Activate(_Small):
    """Activate it through Apple's server. Refused where the server does not answer, or asks for its owner."""

    @property
    def masked(self) -> str:
        return "activate"


@dataclass(frozen=True)
class Supervise(_Small):
    """Write the cloud configuration that puts a freshly erased device under supervision by our own keybag.

    ``skip`` are the panes of the Setup Assistant that are not shown.
    """

    skip: tuple[str, ...] = ()

    @property
    def masked(self) -> str:
        return "supervise"


IosAction = (
    SetValue
    | InstallApp
    | RemoveApp
    | SendFiles
    | RemoveFiles
    | InstallProfile
    | RemoveProfile
    | AskActivation
    | AskOwner
    | Erase
    | Activate
    | Supervise
)
