"""Secrets that a profile names and never holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from profiles.errors import SchoolbagError, shown

MASK = "•••"
PER_UNIT = "per_unit"


class Secret:
    """A value that must not be printed: every text form of it is the mask. ``reveal()`` is the only way to it."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.name, self._value) == (other.name, other._value)

    def __hash__(self) -> int:
        return hash((self.name, self._value))


class UnitPin(Secret):
    """The PIN of one unit's own screen lock, which stands where its profile says ``per_unit``."""

    __slots__ = ()

    def __init__(self, value: str) -> None:
        super().__init__(PER_UNIT, value)


class NoSecret(SchoolbagError):
    """A secret that a profile names is nowhere to be had."""


class Secrets:
    """Where secrets come from: ``FLEET_SECRET_<NAME>`` in ``environ`` first, then ``file``.

    The file is a YAML map of names to texts (numbers are taken as they are written: ``pin: 0042`` is "0042"), and
    on POSIX nobody but its owner may read it. It is read when the first secret is asked of it.
    """

    def __init__(self, environ: Mapping[str, str], file: Path | None = None) -> None:
        self._environ = environ
        self._file = file
        self._stored: Mapping[str, str] | None = None

    def get(self, name: str) -> Secret:
        """The secret called ``name``. Raises NoSecret, which says both ways to give it."""
        variable = f"FLEET_SECRET_{name.upper().replace('-', '_')}"
        value = self._environ.get(variable)
        source = variable
        if value is None:
            value = self._from_file().get(name)
            source = f'"{name}" in {shown(self._file)}' if self._file else ""
        if value is None:
            raise NoSecret(f'the secret "{name}" is not known.', self._how(name, variable))
        if not value or not value.isprintable():
            raise NoSecret(f'the secret "{name}" is empty or holds a line break.', f"Correct {source}.")
        return Secret(name, value)

    def _how(self, name: str, variable: str) -> str:
        if self._file is None:
            return f"Set {variable}."
        return f'Set {variable}, or write "{name}: …" into {shown(self._file)}.'

    def _from_file(self) -> Mapping[str, str]:
        if self._stored is None:
            self._stored = _read(self._file) if self._file is not None else {}
        return self._stored


class AnySecret(Secrets):
    """For who need not know what only the user of a profile has to: each has a value that suits every place."""

    def __init__(self) -> None:
        super().__init__({})

    def get(self, name: str) -> Secret:
        return Secret(name, "00000000")


def _read(file: Path) -> Mapping[str, str]:
    from profiles.strict_yaml import Node, read  # YAML is for those who name a secret

    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NoSecret(f"the secrets file {shown(file)} cannot be read: {error.strerror}.") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise NoSecret(f"the secrets file {shown(file)} can be read by others.", f"Run: chmod 600 {shown(file)}")
    root: Node = read(file)
    if not root.entries:
        raise NoSecret(
            f"the secrets file {shown(file)} is not a map of names to texts.", 'Write lines of "name: text".'
        )
    for name, node in root.entries.items():
        if node.entries or node.items or not node.raw:
            raise NoSecret(f'"{name}" in the secrets file {shown(file)} is no text.', 'Write lines of "name: text".')
    return {name: node.raw for name, node in root.entries.items()}
