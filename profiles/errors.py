"""The root of every error that a user is told.

SchoolbagError            what went wrong, and what to do next
 ├─ ProfileError          a profile, or a file that belongs to one, cannot be used
 ├─ DeviceError           a device did not do it (provision.errors)
 └─ …                     those of the registry are in fleet.errors
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class SchoolbagError(Exception):
    """One plain sentence for the user, and the next action.

    ``what`` is the first line that the user sees: what, where. ``next_action`` says what to do; it may be empty
    when there is nothing to be done. ``exit_code`` is 2 for what the user can only mend by another command or file.
    """

    exit_code = 1

    def __init__(self, what: str, next_action: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_action = next_action

    def __str__(self) -> str:
        return f"{self.what} {self.next_action}".strip()


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file. ``line`` and ``column`` start at 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class ProfileError(SchoolbagError):
    """Every problem that was found, one per line, sorted by place. ``problems`` has them as values."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(file: Path) -> str:
    """How a file is named to people: relative to the current directory where it is below that, else in full."""
    try:
        return file.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(file)


def meant(word: str, known: Iterable[str]) -> str:
    """`` (did you mean "x"?)``, or nothing when no known word is near."""
    import difflib

    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f' (did you mean "{by_fold[near[0]]}"?)' if near else ""
