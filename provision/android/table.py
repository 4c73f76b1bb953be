"""The settings tables of a phone: how one value is asked, read and put (facts §2.3).

``put`` prints nothing when it works, and nothing when a restriction guards the key: only reading back tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from provision.android.actions import Run
from provision.android.command import Command, command
from provision.android.reading import text
from provision.android.refusals import NO
from provision.setting import Answer

_DENIED = re.compile(r"\b\w*(Exception|Error)\b|Permission den|^cmd: |not found|Bad arguments", re.MULTILINE)

_LONGEST = 20_000
"""Characters of a value that are read: no setting or property of ours is nearly as long."""


def get(namespace: str, key: str) -> Command:
    """The question for one value of the table ``global``, ``secure`` or ``system``."""
    return command("settings", "get", namespace, key)


def put(namespace: str, key: str, wanted: str) -> Run:
    """The action that sets one value."""
    return Run(command("settings", "put", namespace, key, wanted), refused=(*NO, "Bad arguments"))


def value(answers: Mapping[str, Answer], name: str) -> str | None:
    """The value that ``settings get`` or ``getprop`` printed: "" when unset (``null``), ``None`` when refused."""
    answer = answers.get(name)
    if answer is None:
        return None
    lines = [line.strip() for line in text(answers, name)[:_LONGEST].splitlines() if line.strip()]
    if not lines:
        return None if answer.code else ""
    if answer.code or _DENIED.search("\n".join(lines)):
        return None
    return "" if lines[-1] == "null" else lines[-1]
