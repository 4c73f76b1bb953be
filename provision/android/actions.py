"""What is done to an Android device, as values: each has a printable form without secrets and a size in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from provision.android.command import Command


@dataclass(frozen=True)
class Run:
    """Run a command on the phone.

    ``refused`` are texts in its output that mean "no" even with exit status 0 (facts §0.4), ``expect`` is a text
    that has to be there for a yes; both only give a reason early, since what counts is what is read back.
    ``cuts_link``: the link may end by itself while it runs.
    """

    command: Command
    refused: tuple[str, ...] = ()
    expect: str = ""
    cuts_link: bool = False

    @property
    def masked(self) -> str:
        return self.command.masked

    @property
    def size(self) -> int:
        return 0
