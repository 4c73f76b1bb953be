"""Faults of virtual devices: how one is written, when it strikes. Which kinds there are is each platform's table."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TRIGGERS = ("after_bytes", "at", "at_service")
_WORDS = ("at", "text", "service", "when", "with")


@dataclass
class Fault:
    """One fault. ``shown`` are the fields that its kind has, as they are written; see the platform's table."""

    kind: str
    shown: tuple[str, ...]
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
        values = {key: getattr(self, "with_" if key == "with" else key) for key in self.shown}
        return {"kind": self.kind} | values | {"fired": self.fired}


@dataclass(frozen=True)
class Kinds:
    """The faults that a platform has: kind to its fields, the fields that it needs, what ``with`` may be."""

    fields: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, tuple[str, ...]]
    noises: Iterable[str] = ()

    def parse(self, tree: Mapping[str, Any]) -> Fault:
        """A fault as it is written in a spec. ValueError says what is wrong with it."""
        kind = str(tree.get("kind"))
        if kind not in self.fields:
            raise ValueError(f"fault kind {tree.get('kind')!r} is not one of {', '.join(self.fields)}")
        values = {key: value for key, value in tree.items() if key != "kind"}
        for key in values:
            if key not in self.fields[kind]:
                raise ValueError(f"fault {kind}: {key!r} is not one of {', '.join(self.fields[kind]) or 'nothing'}")
        for key in self.needs.get(kind, ()):
            if key not in values:
                raise ValueError(f"fault {kind}: {key} is missing")
        triggers = [key for key in _TRIGGERS if key in self.fields[kind]]
        given = [key for key in triggers if values.get(key) is not None]
        if len(given) > 1 or (kind == "unplug" and not given):
            raise ValueError(f"fault {kind}: give one of {', '.join(triggers)}")
        self._check(kind, values)
        return Fault(kind, self.fields[kind], **{"with_" if key == "with" else key: values[key] for key in values})

    def _check(self, kind: str, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key in _WORDS:
                if not isinstance(value, str):
                    raise ValueError(f"fault {kind}: {key} must be text")
            elif value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ValueError(f"fault {kind}: {key} must be a number, 0 or more")
        if values.get("when", "before") not in ("before", "after"):
            raise ValueError(f"fault {kind}: when must be before or after")
        if "with" in values and values["with"] not in self.noises:
            raise ValueError(f"fault {kind}: with must be one of {', '.join(self.noises)}")
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

    def on_service(self, service: str) -> Fault | None:
        """The fault that strikes as a service is opened."""
        with self._lock:
            for fault in self.all:
                if fault.at_service is None or fault.spent or fault.service not in ("", service):
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
