"""Debian's tools against virtual iPhones, as a technician uses them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from tests.benches import Bench


def tool(*words: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)


def test_list(virtual_iphones: Callable[[Any], Bench]) -> None:
    bench = virtual_iphones({"devices": [{"preset": "iphone-17"}, {"preset": "ipad-nosim"}]})

    assert sorted(tool("idevice_id", "-l").stdout.split()) == sorted(device.address for device in bench.devices)
