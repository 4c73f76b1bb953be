"""The root of every error that a user is told.

SchoolbagError            what went wrong, and what to do next
 ├─ ProfileError          a profile cannot be used (profiles.load)
 ├─ DeviceError           a device did not do it (provision.errors)
 └─ RegistryError         the registry cannot be used (fleet.db)
"""

from __future__ import annotations


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
