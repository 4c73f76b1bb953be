"""What iPhones cost this computer: uploads against ``ideviceinstaller``, 24 at once, first pairings, imports.

    .venv/bin/python -m bench.iphones [--pairs N] [--size MB] [--phones N]

- An app of ``--size`` MB is installed on one virtual iPhone through our device and with ``ideviceinstaller -i``, turn
  by turn in one run; the number is the median of (its time / our time), so 1.0 is as fast and more is faster.
- A program of its own pairs with one virtual iPhone, then with ``--phones``, and installs an app of 50 MB on all of
  them at once. Its memory may be 250 MB more at most.
- How long first pairings keep others waiting is the longest time in which the loop did nothing else. Another program
  pairs with as many as pymobiledevice3 does by itself; ours may keep them waiting half as long at most.
- Listing and watching must not import more of pymobiledevice3 than its usbmux module.

It says all, then which of these were missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from provision.device import Device
from provision.ios.actions import InstallApp
from provision.ios.door import VARIABLE, UsbmuxDoor
from provision.ios.loop import shared
from tests.benches import ROOT, Bench
from tests.ipas import make_ipa

APP = "org.example.filler"
FILLED = 50_000_000
MOST_MEMORY = 250
"""MB that the phones together may cost more than one of them."""
MOST_STALL = 0.5
"""Of what pymobiledevice3 alone takes."""

LISTING = """
import sys
from pathlib import Path
from provision.ios.door import UsbmuxDoor
door = UsbmuxDoor(Path("none"), lambda: None, {}, {})
listed = door.places()
with door.track() as tracker:
    assert listed and next(tracker) == listed
listed = {name for name in sys.modules if name.split(".")[0] == "pymobiledevice3"}
for name in listed: del sys.modules[name]
import pymobiledevice3.usbmux
print(*sorted(listed - {name for name in sys.modules if name.split(".")[0] == "pymobiledevice3"}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--size", type=int, default=200, help="megabytes")
    parser.add_argument("--phones", type=int, default=24)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pair", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.fill or wanted.pair:
        print(json.dumps(fill(wanted.fill) if wanted.fill else asyncio.run(pair_as_it_comes())))
        return 0
    with tempfile.TemporaryDirectory() as directory:
        os.environ["HOME"] = directory  # the tools keep their own things there
        missed = [*uploads(Path(directory), wanted.pairs, wanted.size), *many(Path(directory), wanted.phones)]
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


@contextmanager
def iphones(home: Path, count: int) -> Iterator[Bench]:
    """Virtual iPhones in a process of their own; their users tap Trust at once. Like real ones, they have keys: asked
    for them first when they are paired, 24 of them make theirs at that moment, and leave no processor for us."""
    home.mkdir()
    bench = Bench(None, {"devices": [{"preset": "iphone-17", "state": {"trust": 0}}] * count}, home)
    os.environ[VARIABLE] = bench.usbmuxd
    try:
        for device in bench.devices:
            asking = ["ideviceinfo", "-s", "-u", device.address, "-k", "DevicePublicKey"]
            subprocess.run(asking, check=True, stdout=subprocess.DEVNULL)
        yield bench
    finally:
        bench.close()


def attach_all(records: Path) -> list[Device]:
    door = UsbmuxDoor(records, lambda: None, {}, {})
    places = door.places()
    with ThreadPoolExecutor(len(places)) as pool:
        return list(pool.map(lambda place: door.attach(place, trust=60), places))


# One: uploads -----------------------------------------------------------------------------------------------------


def uploads(home: Path, pairs: int, size: int) -> Iterator[str]:
    """Print the ratio; yield what it misses, and what listing or watching imports too much."""
    ipa = make_ipa(home / "upload.ipa", APP, size=size * 1_000_000)
    with iphones(home / "one", 1) as bench:
        device = attach_all(home / "records")[0]
        ours(device, ipa)
        anchor(bench, ipa)
        times = [measure(bench, device, ipa, ours_first=at % 2 == 0) for at in range(pairs)]
        imported = subprocess.run([sys.executable, "-c", LISTING], cwd=ROOT, check=True, capture_output=True, text=True)
    ratio = statistics.median(theirs / mine for mine, theirs in times)
    rates = [size / statistics.median(column) for column in zip(*times, strict=True)]
    print(f"installing {size} MB, median of {pairs}: {rates[0]:.0f} MB/s, ideviceinstaller {rates[1]:.0f} MB/s")
    print(f"ratio {ratio:.2f} (1.0 is as fast as ideviceinstaller -i)")
    print(f"listing and watching import beside usbmux: {imported.stdout.strip() or 'nothing'}")
    if ratio < 1:
        yield f"uploads are slower than ideviceinstaller's ({ratio:.2f})"
    if imported.stdout.strip():
        yield "listing or watching imports too much"


def measure(bench: Bench, device: Device, ipa: Path, *, ours_first: bool) -> tuple[float, float]:
    """Seconds that we took, seconds that ideviceinstaller took."""
    if ours_first:
        return ours(device, ipa), anchor(bench, ipa)
    theirs = anchor(bench, ipa)
    return ours(device, ipa), theirs


def ours(device: Device, ipa: Path) -> float:
    start = time.perf_counter()
    device.perform(InstallApp(APP, ipa, ipa.stat().st_size), lambda _: None)
    return time.perf_counter() - start


def anchor(bench: Bench, ipa: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        ["ideviceinstaller", "-u", bench.devices[0].address, "-i", ipa],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


# Many at once -----------------------------------------------------------------------------------------------------


def many(home: Path, phones: int) -> Iterator[str]:
    """Print what they cost; yield what is too much."""
    ipa = make_ipa(home / "fill.ipa", APP, size=FILLED)
    alone = child(home / "alone", 1, "--fill", str(ipa))
    together = child(home / "together", phones, "--fill", str(ipa))
    theirs = child(home / "theirs", phones, "--pair")
    more = together["memory"] - alone["memory"]
    share = together["stall"] / theirs["stall"]
    print(
        f"{phones} × {FILLED // 1_000_000} MB: {together['memory']:.0f} MB of memory, {more:.0f} MB more than one"
        f" (at most {MOST_MEMORY}), {together['filled']:.1f} s"
    )
    print(
        f"{phones} first pairings: {together['paired']:.1f} s, others waited {together['stall']:.2f} s at most;"
        f" pymobiledevice3 alone {theirs['paired']:.1f} s and {theirs['stall']:.2f} s"
    )
    print(f"ratio {share:.2f} (at most {MOST_STALL})")
    if more > MOST_MEMORY:
        yield f"{more:.0f} MB more memory than with one"
    if share > MOST_STALL:
        yield f"first pairings keep the others waiting for {together['stall']:.2f} s"


def child(home: Path, count: int, *words: str) -> dict[str, float]:
    """What a program of its own says of ``count`` fresh iPhones."""
    with iphones(home, count):
        argv = [sys.executable, "-m", "bench.iphones", *words]
        said = subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, env={**os.environ, "HOME": str(home)})
    found: dict[str, float] = json.loads(said.stdout)
    return found


def fill(ipa: Path) -> dict[str, float]:
    """Pair with all that are there, then fill all at once: seconds, and the most memory (MB)."""
    start = time.perf_counter()
    watch = shared().begin(longest_stall(stalls := [0.0]))
    devices = attach_all(Path(os.environ["HOME"]) / "records")
    watch.cancel()
    paired = time.perf_counter() - start
    start = time.perf_counter()
    with ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(lambda device: ours(device, ipa), devices))
    filled = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"paired": paired, "stall": max(stalls), "filled": filled, "memory": memory}


async def pair_as_it_comes() -> dict[str, float]:
    """The same first pairings, left to pymobiledevice3."""
    from pymobiledevice3.lockdown import create_using_usbmux
    from pymobiledevice3.usbmux import list_devices

    start = time.perf_counter()
    watch = asyncio.create_task(longest_stall(stalls := [0.0]))
    pairing = [create_using_usbmux(device.serial, pair_timeout=60) for device in await list_devices()]
    clients = await asyncio.gather(*pairing)
    watch.cancel()
    paired = time.perf_counter() - start
    for client in clients:
        await client.close()
    return {"paired": paired, "stall": max(stalls)}


async def longest_stall(stalls: list[float]) -> None:
    """Note for how long the loop does something else."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.01)
        stalls[0] = max(stalls[0], time.perf_counter() - begun - 0.01)


if __name__ == "__main__":
    sys.exit(main())
