"""What a run says while it works, for screens and JSON lines. Never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")


def now() -> str:
    """The time as every record of this project writes it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Progress:
    """One thing that happened. ``event`` is device, step, bytes, item or report; the fields are in docs/json.md."""

    event: str
    address: str
    serial: str = ""
    unit: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    at: str = field(default_factory=now)


Emit = Callable[[Progress], None]
Say = Callable[..., None]


def both(one: Callable[[T], None], other: Callable[[T], None]) -> Callable[[T], None]:
    """Tell two listeners."""

    def tell(news: T) -> None:
        one(news)
        other(news)

    return tell


def speaker(emit: Emit, address: str, serial: str, unit: str | None) -> Say:
    """``say("step", item=…)``: emit for one device, its names filled in."""

    def say(event: str, **fields: object) -> None:
        emit(Progress(event, address, serial, unit, fields))

    return say
