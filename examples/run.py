"""The main job on virtual phones, with nothing but the public commands: what ``make run`` shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FLEET = Path(sys.executable).with_name("fleet")


def fleet(*words: str, env: dict[str, str]) -> int:
    """Run one command where the user sees it; its exit code."""
    print(f"\n$ fleet {' '.join(words)}", flush=True)
    return subprocess.run([FLEET, *words], env=env, check=False).returncode


def main() -> int:
    """Start four virtual phones, provision them, show the registry; end the phones whatever happens."""
    print("Starting four virtual phones behind an adb server of their own …", flush=True)
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
        env = {**os.environ, "ANDROID_ADB_SERVER_PORT": str(json.loads(line)["adb_port"])}
        profile = os.path.relpath(HERE / "profiles" / "sample.yaml")
        code = fleet("provision", "--all", "--profile", profile, "--tags", "DEMO", env=env)
        return fleet("status", env=env) or code
    except KeyboardInterrupt:
        return 130
    finally:
        bench.send_signal(signal.SIGINT)
        bench.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
