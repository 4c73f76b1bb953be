"""The main job on virtual devices, with nothing but the public commands: what ``make run`` shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FLEET = Path(sys.executable).with_name("fleet")


def fleet(*words: str, env: Mapping[str, str]) -> int:
    """Run one command where the user sees it; its exit code."""
    print(f"\n$ fleet {' '.join(words)}", flush=True)
    return subprocess.run([FLEET, *words], env=env, check=False).returncode


def main() -> int:
    """Start the devices of bench.yaml, provision them, show the registry; end the devices whatever happens."""
    print("Starting four virtual Android devices, an iPhone and an iPad …", flush=True)
    bench = subprocess.Popen(
        [FLEET, "virtual", "up", "--spec", str(HERE / "bench.yaml")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert bench.stdout is not None
        line = bench.stdout.readline()
        if not line:
            return 1
        return commands(json.loads(line))
    except KeyboardInterrupt:
        return 130
    finally:
        bench.send_signal(signal.SIGINT)
        bench.wait(timeout=30)


def commands(ready: Mapping[str, Any]) -> int:
    """What a technician types."""
    env = {
        **os.environ,
        "ANDROID_ADB_SERVER_PORT": str(ready["adb_port"]),
        "USBMUXD_SOCKET_ADDRESS": ready["usbmuxd"],
        "FLEET_ACTIVATION_SERVER": ready["activation_server"],
    }
    profile = os.path.relpath(HERE / "profiles" / "sample.yaml")
    code = fleet("provision", "--all", "--profile", profile, "--tags", "DEMO", env=env)
    return fleet("status", env=env) or code


if __name__ == "__main__":
    sys.exit(main())
