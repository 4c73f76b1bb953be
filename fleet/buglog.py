"""What becomes of our own mistakes: a file with the traceback, and an error that names it."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path

from profiles.errors import SchoolbagError


class Bug(SchoolbagError):
    """The program is wrong, not the user and not the device."""

    exit_code = 3


def as_error(error: Exception) -> SchoolbagError:
    """``error`` as a user is told of it: itself, or for what nobody foresaw a :class:`Bug` whose log was written."""
    if isinstance(error, SchoolbagError):
        return error
    return Bug(
        f"This is a bug in fleet ({type(error).__name__}), not your mistake.",
        f"Please send the file {_log(error)} to the people who maintain it.",
    )


def _log(error: Exception) -> Path | str:
    """Versions and traceback, in a file of their own, for the owner only.

    The text of an exception may quote what a device or a file said; nothing else of them is in it.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix="fleet-bug-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"schoolbag {version('schoolbag')}, python {platform.python_version()}, {platform.platform()}\n")
            log.writelines(traceback.format_exception(error))
    except OSError as failure:
        return f"that could not be written ({failure.strerror})"
    return Path(name)
