"""Cases of tests/data/usb: what `grep` printed of a computer's sysfs, and what adb listed on it.

How to take one is told in docs/bench.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from provision.android.states import explain_state, parse_listing
from provision.usb.sysfs import read
from provision.usb.tree import Listed, UsbMap, build

CASES = sorted((Path(__file__).parents[2] / "data/usb").glob("*.yaml"))
_LINE = re.compile(r"(?P<path>[\w./:-]+?/[A-Za-z]\w*):(?P<value>.*)")


@dataclass(frozen=True)
class Capture:
    """``adb`` as ``adb devices -l`` prints it, ``sysfs`` as ``grep`` does; what must come of them."""

    about: str
    adb: str
    sysfs: str
    tree: str
    findings: list[str]
    log: str = ""

    def lay_out(self, root: Path) -> Path:
        """The files, below ``root``."""
        for line in self.sysfs.splitlines():
            match = _LINE.fullmatch(line)
            assert match, f"not a line of grep: {line}"
            file = root / match["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{match['value']}\n", "utf-8")
        return root

    def devices(self) -> list[Listed]:
        found = []
        for listed in parse_listing(self.adb):
            problem = explain_state(listed) if listed.state != "device" else None
            words = (problem.what, problem.next_action) if problem else ("", "")
            serial = "" if problem else listed.address
            found.append(Listed(listed.address, listed.usb, listed.state, serial, listed.model, *words))
        return found

    def usb(self, root: Path) -> UsbMap:
        return build(read(self.lay_out(root)), self.devices())


def load(path: Path) -> Capture:
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return Capture(**content)


def case(name: str) -> Capture:
    return load(next(path for path in CASES if path.stem == name))
