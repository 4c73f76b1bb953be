"""A full bench: 24 phones on one USB 2 bus, 12 apps each, against the lower bound and against a shell script.

    .venv/bin/python -m bench.thirty [--scale N] [--install SECONDS] [--at-once P] [--adb PROGRAM]

The phones share one throttled link, and each takes its time per MB to install, the slowest ``--install`` seconds for a
real MB. On a real bench that would be 600 MB per phone over 36 MB/s; here the link carries a tenth of that, and the
apps are a tenth times ``--scale`` (60 MB per phone at 1), so that the times of a real bench shrink by ``--scale``.
Three things are timed on fresh phones, in one run:

- ``fleet provision --all`` on all phones, and on eight of them on a fast bus, for what a phone costs this computer;
- ``adb devices | xargs -P … adb install …``, one app after another, which is what people use, all phones at once.

It fails when ours takes more than 1.10 times the lower bound (the bytes over the bus, or what the slowest phone takes
to install, whichever is more), or is less than 1.5 times as fast as the script. The share of the time in which this
computer's processors were busy is printed: near 100 %, they were the limit and not the link. What comes before the
first byte and after the last one is mostly 24 virtual phones answering questions on this computer's processors; it does
not shrink with ``--scale``, so that a smaller scale looks worse than a real bench.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from provision.android.server import find_adb, start_private
from tests.benches import Bench

ROOT = Path(__file__).parent.parent
FLEET = Path(sys.executable).with_name("fleet")
SAMPLE = ROOT / "examples" / "apps"
FRAMEWORK = "/usr/share/android-framework-res/framework-res.apk"

PHONES = 24
RATE = 3_600_000
"""Bytes per second of the bus: a tenth of what USB 2 carries (facts/android.md §7.5)."""
APPS = (1.0, 1.5, 0.5, 0.7, 1.2, 0.3, 1.1, 0.4, 0.8, 1.3, 0.3, 0.9)
"""Tenths of what a phone gets: the sizes of the apps, in the order of the profile and of the script."""
PHONE = 60_000_000
"""Bytes for a phone at scale 1: a tenth of 600 MB."""
MIX = ("pixel-15", "pixel-13", "samsung-13", "pixel-11", "samsung-9", "pixel-7")

SCRIPT = """\
export ANDROID_ADB_SERVER_PORT={port}
for apk in {apps}/*.apk; do
    {adb} devices | sed -n 's/\tdevice$//p' | xargs -P {at_once} -I % {adb} -s % install -r "$apk" || exit 1
done
"""


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds by the clock, its own processor seconds and memory (MB), and how busy (0 to 1) all
    processors of this computer were meanwhile; ``sending``: seconds from the first byte to the last."""

    seconds: float
    cpu: float
    memory: float
    busy: float
    sending: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.3, help="of the apps' size; 1 takes 20 minutes")
    parser.add_argument("--install", type=float, default=0.5, help="seconds per MB of a real bench, the slowest phone")
    parser.add_argument("--at-once", type=int, default=PHONES, help="phones that the script works on at once")
    parser.add_argument("--adb", type=Path, default=find_adb(), help="for the server and the script")
    wanted = parser.parse_args()
    if wanted.adb is None:
        parser.error("no adb program is found: pass --adb PROGRAM")
    with tempfile.TemporaryDirectory(prefix="schoolbag-thirty-") as folder:
        home = Path(folder)
        profile = make_apps(home, wanted.scale)
        size = sum(path.stat().st_size for path in home.glob("apps/*.apk"))
        bound = max(PHONES * size / RATE, size / 1e6 * wanted.install * 10)
        eight = ours(wanted.adb, home, spec(8, 0.01, RATE * 10), profile)
        all_of_them = ours(wanted.adb, home, spec(PHONES, wanted.install), profile)
        script = theirs(wanted.adb, home, spec(PHONES, wanted.install), wanted.at_once)
    print(
        f"{PHONES} phones, {len(APPS)} apps, {size / 1e6:.1f} MB per phone, {RATE / 1e6} MB/s for all of them together;"
    )
    print(f"the slowest phone installs for {size / 1e6 * wanted.install * 10:.1f} s; lower bound {bound:.1f} s")
    print(told("fleet", all_of_them) + f", {all_of_them.sending:.1f} s from the first byte to the last")
    print(told(f"adb install, {wanted.at_once} at once", script))
    to_bound, to_script = all_of_them.seconds / bound, script.seconds / all_of_them.seconds
    print(f"ratio to the lower bound {to_bound:.2f} (at most 1.10)")
    print(f"ratio of the script to ours {to_script:.2f} (at least 1.5)")
    for number, cost in ((8, eight), (PHONES, all_of_them)):
        per_phone = f"{cost.cpu / number:.2f} s of processor and {cost.memory / number:.1f} MB per phone"
        print(f"cost of {number} phones: {per_phone} ({cost.cpu:.1f} s, {cost.memory:.0f} MB)")
    return 0 if to_bound <= 1.10 and to_script >= 1.5 else 1


def told(name: str, cost: Cost) -> str:
    return f"{name}: {cost.seconds:.1f} s, processors {cost.busy:.0%} busy"


def spec(number: int, install: float, rate: int = RATE) -> Mapping[str, Any]:
    """So many phones of one bus; they install at speeds spread evenly between the slowest and one twice as fast."""
    slowest = install * 10
    return {
        "bus": {"usb2": {"rate": rate}},
        "devices": [
            {
                "preset": MIX[at % len(MIX)],
                "link": "usb2",
                "faults": [{"kind": "slow_install", "seconds_per_mb": slowest * (1 - at / number / 2)}],
            }
            for at in range(number)
        ],
    }


def ours(adb: Path, home: Path, phones: Mapping[str, Any], profile: Path) -> Cost:
    """The whole process, from its start to its last line."""
    with bench(adb, phones) as (port, folder):
        env = {**os.environ, "FLEET_HOME": str(folder), "ANDROID_ADB_SERVER_PORT": str(port)}
        with (home / "fleet.jsonl").open("w+b") as out:
            cost = timed([FLEET, "provision", "--all", "--json", "--profile", profile], env, out)
            out.seek(0)
            lines = out.read().splitlines()
        assert json.loads(lines[-1])["verified"] == len(phones["devices"]), b"\n".join(lines[-40:])
        return replace(cost, sending=sending(lines))


def sending(lines: list[bytes]) -> float:
    events = [json.loads(line) for line in lines if b'"event": "bytes"' in line]
    first, *_, last = sorted(datetime.fromisoformat(event["at"]) for event in events)
    return (last - first).total_seconds()


def theirs(adb: Path, home: Path, phones: Mapping[str, Any], at_once: int) -> Cost:
    with bench(adb, phones) as (port, _), (home / "script.log").open("w+b") as out:
        script = SCRIPT.format(port=port, adb=adb, at_once=at_once, apps=home / "apps")
        cost = timed(["sh", "-c", script], dict(os.environ), out)
        out.seek(0)
        assert out.read().count(b"Success") == len(APPS) * len(phones["devices"]), "the script failed"
        return cost


def timed(command: list[str | Path], env: Mapping[str, str], out: Any) -> Cost:
    """Run to the end; processor seconds include those of its children."""
    busy, idle = ticks()
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    busy_now, idle_now = ticks()
    share = (busy_now - busy) / max(1, busy_now - busy + idle_now - idle)
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, share)


def ticks() -> tuple[int, int]:
    """Of all processors together since the start: at work, and idle."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = numbers[3] + numbers[4]
    return sum(numbers) - idle, idle


@contextmanager
def bench(adb: Path, phones: Mapping[str, Any]) -> Iterator[tuple[int, Path]]:
    """Fresh phones behind a server of their own; gives its port and an empty folder."""
    with tempfile.TemporaryDirectory(prefix="schoolbag-bench-") as folder, start_private(adb) as server:
        running = Bench(server.port, phones, Path(folder))
        try:
            home = Path(folder) / "home"
            home.mkdir()
            yield server.port, home
        finally:
            running.close()


def make_apps(home: Path, scale: float) -> Path:
    """Signed APKs that do not compress, in ``home/apps``; gives the profile that wants them."""
    (home / "apps").mkdir()
    res = home / "res.zip"
    run("aapt2", "compile", "--dir", SAMPLE / "src/reader/res", "-o", res)
    names = [f"org.schoolbag.sample.measure{number:02}" for number in range(len(APPS))]
    for number, name in enumerate(names):
        make_app(home, name, round(PHONE * scale * APPS[number] / sum(APPS)), res, random.Random(number))
    profile = home / "thirty.yaml"
    entries = [
        {"id": f"app-{at}", "android": {"package": name, "file": f"apps/{name}.apk"}} for at, name in enumerate(names)
    ]
    profile.write_text(json.dumps({"profile": "thirty", "apps": entries}))
    return profile


def make_app(home: Path, name: str, size: int, res: Path, content: random.Random) -> None:
    """As examples/apps/build.sh makes the reader, under another name and with an asset."""
    work = home / name
    (work / "assets").mkdir(parents=True)
    (work / "assets" / "content.bin").write_bytes(content.randbytes(size))
    manifest = (SAMPLE / "src/reader/AndroidManifest.xml").read_text()
    (work / "AndroidManifest.xml").write_text(re.sub('package="[^"]+"', f'package="{name}"', manifest))
    words = ["--min-sdk-version", "21", "--target-sdk-version", "34", "--version-code", "1", "--version-name", "1.0"]
    plain: list[str | Path] = ["-A", work / "assets", "-0", "bin", "--manifest", work / "AndroidManifest.xml", res]
    run("aapt2", "link", "-o", work / "linked.apk", "-I", FRAMEWORK, *words, *plain)
    run("zipalign", "-f", "4", work / "linked.apk", work / "aligned.apk")
    key: list[str | Path] = [
        "--ks",
        SAMPLE / "keys/schoolbag-sample.p12",
        "--ks-type",
        "PKCS12",
        "--ks-key-alias",
        "sample",
    ]
    schemes = ["--min-sdk-version", "24", "--v1-signing-enabled", "true", "--v4-signing-enabled", "false"]
    run(
        "apksigner", "sign", *key, "--ks-pass", "pass:schoolbag", *schemes,
        "--out", home / "apps" / f"{name}.apk", work / "aligned.apk",
    )  # fmt: skip


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
