"""Text from devices, files and people, made safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

_HARMLESS_SPACES = "\u00a0\u3000"


def printable(text: str) -> str:
    r"""``text`` with everything that a terminal could act on written out (``\x1b``, ``\n``, ``\u202e``).

    Control characters, bidirectional overrides, lone surrogates and unassigned characters are written out as Python
    escapes; letters of every script, the no-break space and the ideographic space stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _HARMLESS_SPACES else _escaped(c) for c in text)


def printable_lines(text: str) -> str:
    """The same, of a text whose line ends are ours."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def sentence(text: str) -> str:
    """``text`` with one full stop at its end."""
    return text.rstrip(". ") + "."


def counted(number: int, what: str) -> str:
    """ "1 step", "2 steps"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def local_time(at: str) -> str:
    """A moment as records have it (UTC, ISO 8601), in the time of this computer: ``2026-03-01 08:00``."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")


def amount(size: int) -> str:
    """A number of bytes, for people: kB below 0.1 MB, then MB, then GB."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def on_the_phone(taps: Sequence[str]) -> str:
    """What to tap, in order, before the next run."""
    return f"On the phone: {'; '.join(taps)}; then run again." if taps else "Mend that on the phone, then run again."
