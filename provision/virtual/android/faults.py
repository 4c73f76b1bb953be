"""What goes wrong on a virtual phone, and when. Written in a spec as ``{kind: unplug, after_bytes: 4096}``.

``unplug``       the cable is pulled: ``after_bytes`` N (of ``service``, else of all), ``at`` a command (``when`` before
                 or after it), or ``at_service`` n, the n-th service opened from now; ``replug_after`` seconds, or never
``offline``      the phone hangs up and does not answer any more, and the adb server lists it ``offline``
``silent``       the phone stays listed and answers nothing: at all, or ``at`` a command
``noise``        ``at`` a command: instead of its answer ``with`` escapes, invalid_utf8, megabytes, newlines or nothing
``unauthorized`` nobody has allowed this computer on the phone
``slow_link``    ``rate`` in bytes per second; ``latency`` of ``seconds`` for each service opened
``slow_install`` ``seconds_per_mb``; ``install_refused`` with ``text``; ``storage_full``

``offline`` and ``silent`` also take ``at``, ``at_service`` and ``after_bytes``; without any they hold from the start.
What strikes at a moment strikes ``times`` times (1; 0: always). The others hold until they are cleared.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

KINDS = {
    "unplug": ("after_bytes", "service", "at", "when", "at_service", "replug_after", "times"),
    "offline": ("after_bytes", "service", "at", "when", "at_service", "times"),
    "silent": ("after_bytes", "service", "at", "when", "at_service", "times"),
    "noise": ("at", "with", "times"),
    "unauthorized": (),
    "slow_link": ("rate",),
    "latency": ("seconds",),
    "slow_install": ("seconds_per_mb",),
    "install_refused": ("text",),
    "storage_full": (),
}
_NEEDS = {
    "noise": ("at", "with"),
    "slow_link": ("rate",),
    "latency": ("seconds",),
    "slow_install": ("seconds_per_mb",),
    "install_refused": ("text",),
}
NOISE = {
    "escapes": b"\x1b[2J\x1b[31;1mWARNING\x1b[0m \x1b]0;title\x07\r\x1b[A linker: unused DT entry\x08\x9b1m\n",
    "invalid_utf8": b"\xff\xfe\x80 \xc3( \xed\xa0\x80 \xf5\x90 not text \xe2\x82\n",
    "megabytes": b"W/linker  ( 4711): /vendor/lib64/libnoise.so has text relocations, wasting memory\n" * 52_000,
    "newlines": b"\n" * 300_000,
    "nothing": b"",
}
_TRIGGERS = ("after_bytes", "at", "at_service")


@dataclass
class Fault:
    """One fault; see the module's text for the fields."""

    kind: str
    after_bytes: int | None = None
    service: str = ""
    at: str = ""
    when: str = "before"
    at_service: int | None = None
    replug_after: float | None = None
    times: int = 1
    with_: str = ""
    rate: float = 0.0
    seconds: float = 0.0
    seconds_per_mb: float = 0.0
    text: str = ""
    seen: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        return self.times > 0 and self.fired >= self.times

    @property
    def at_once(self) -> bool:
        """It waits for no moment."""
        return self.after_bytes is None and not self.at and self.at_service is None

    def to_dict(self) -> dict[str, Any]:
        plain = {item.name.rstrip("_"): getattr(self, item.name) for item in fields(self)}
        return {"kind": self.kind} | {key: plain[key] for key in KINDS[self.kind]} | {"fired": self.fired}


def parse(tree: Mapping[str, Any]) -> Fault:
    """A fault as it is written in a spec. ValueError says what is wrong with it."""
    kind = tree.get("kind")
    if kind not in KINDS:
        raise ValueError(f"fault kind {kind!r} is not one of {', '.join(KINDS)}")
    values = {key: value for key, value in tree.items() if key != "kind"}
    for key in values:
        if key not in KINDS[kind]:
            raise ValueError(f"fault {kind}: {key!r} is not one of {', '.join(KINDS[kind]) or 'nothing'}")
    for key in _NEEDS.get(kind, ()):
        if key not in values:
            raise ValueError(f"fault {kind}: {key} is missing")
    given = [key for key in _TRIGGERS if values.get(key) is not None]
    if len(given) > 1 or (kind == "unplug" and not given):
        raise ValueError(f"fault {kind}: give one of {', '.join(_TRIGGERS)}")
    _check(kind, values)
    return Fault(kind, **{"with_" if key == "with" else key: value for key, value in values.items()})


def _check(kind: str, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if key in ("at", "text", "service", "when", "with"):
            if not isinstance(value, str):
                raise ValueError(f"fault {kind}: {key} must be text")
        elif value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise ValueError(f"fault {kind}: {key} must be a number, 0 or more")
    if values.get("when", "before") not in ("before", "after"):
        raise ValueError(f"fault {kind}: when must be before or after")
    if values.get("with", "nothing") not in NOISE:
        raise ValueError(f"fault {kind}: with must be one of {', '.join(NOISE)}")
    if kind == "slow_link" and not values["rate"]:
        raise ValueError("fault slow_link: rate must be more than 0")
    try:
        re.compile(values.get("at", ""))
    except re.error as error:
        raise ValueError(f"fault {kind}: at is no regular expression: {error}") from None


class Faults:
    """The faults of one phone. Asked at every service, packet and command whether one strikes there."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self.all: list[Fault] = list(faults)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self.all.append(fault)

    def clear(self) -> None:
        with self._lock:
            self.all.clear()

    def held(self, kind: str) -> Fault | None:
        """A fault of that kind that holds without waiting for a moment."""
        with self._lock:
            return next((fault for fault in self.all if fault.kind == kind and fault.at_once), None)

    def on_bytes(self, service: str, size: int) -> tuple[Fault, int] | None:
        """The fault that strikes among ``size`` bytes of a service, and after how many of them."""
        with self._lock:
            for fault in self.all:
                if fault.after_bytes is None or fault.spent or fault.service not in ("", service):
                    continue
                left = fault.after_bytes - fault.seen
                if size < left:
                    fault.seen += size
                    continue
                fault.fired += 1
                fault.seen = 0
                return fault, left
        return None

    def on_service(self) -> Fault | None:
        """The fault that strikes as a service is opened."""
        with self._lock:
            for fault in self.all:
                if fault.at_service is None or fault.spent:
                    continue
                fault.seen += 1
                if fault.seen == fault.at_service:
                    fault.fired += 1
                    fault.seen = 0
                    return fault
        return None

    def on_command(self, text: str, when: str) -> Fault | None:
        """The fault that strikes ``before`` or ``after`` a command with that text."""
        with self._lock:
            for fault in self.all:
                if fault.at and not fault.spent and fault.when == when and re.search(fault.at, text):
                    fault.fired += 1
                    return fault
        return None
