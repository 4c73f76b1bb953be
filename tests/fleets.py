"""The real ``fleet`` as a test uses it: a process of its own, with a home and an adb server of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLEET = Path(sys.executable).with_name("fleet")
ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "examples" / "profiles" / "sample.yaml"


@dataclass
class Done:
    """How a command ended. ``lines`` are its JSON lines."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        last = self.lines[-1]
        assert last["event"] == "summary"
        return {key: last[key] for key in ("devices", "verified", "partial", "failed", "steps")}

    def items(self, serial: str | None = None) -> dict[str, dict[str, Any]]:
        """The outcomes of one device (or of the only one), by item."""
        rows = [row for row in self.lines if row["event"] == "item"]
        return {row["item"]: row for row in rows if serial in (None, row["serial"])}

    def reports(self) -> list[dict[str, Any]]:
        return [row for row in self.lines if row["event"] == "report"]


@dataclass
class Fleet:
    """``fleet("status")`` runs the command to its end."""

    home: Path
    adb_port: int
    env: dict[str, str] = field(default_factory=dict)
    timeout: float = 150

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLEET_", "ADB_", "ANDROID_"))}
        ours = {"FLEET_HOME": str(self.home), "ANDROID_ADB_SERVER_PORT": str(self.adb_port), "LC_ALL": "C.UTF-8"}
        return {**kept, **ours, **self.env}

    def __call__(self, *words: str | Path | int) -> Done:
        done = subprocess.run(
            [FLEET, *map(str, words)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.timeout,
            cwd=ROOT,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """The command, running."""
        return subprocess.Popen(
            [FLEET, *map(str, words)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def provision(self, *words: str | Path, profile: Path | str = SAMPLE) -> Done:
        return self("provision", "--all", "--json", "--profile", profile, *words)
