"""The ``fleet`` command."""

from __future__ import annotations


def main() -> None: ...
