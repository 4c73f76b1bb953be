"""The identity by which this organisation supervises iPhones and iPads: a certificate and its private key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Keybag:
    """``certificate`` is DER, ``key`` the PEM of the private key, ``ends`` the last moment of its validity (UTC)."""

    organisation: str
    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    ends: datetime
