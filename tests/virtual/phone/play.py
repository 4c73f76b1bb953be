"""A virtual phone without a cable: its shell, called directly."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.virtual.android import presets
from provision.virtual.android.files import Files
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process, Program, Reader
from provision.virtual.android.shell.main import sh
from provision.virtual.android.toybox import applets

APPS = Path(__file__).parents[3] / "examples" / "apps"


def _real_app() -> Path:
    """An APK that others made, found without importing the package that carries it."""
    spec = importlib.util.find_spec("uiautomator2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets" / "app-uiautomator.apk"


REAL_APP = _real_app()


@dataclass(frozen=True)
class Answer:
    out: str
    err: str
    code: int


def make(root: Path, preset: str, overrides: Mapping[str, Any] | None = None, capacity: int = 32 << 30) -> Phone:
    """A phone of this preset with its files in ``root``."""
    api = presets.resolve(preset, overrides or {})["api"]
    return Phone(preset, overrides or {}, Files(root, api, capacity))


def shell(phone: Phone, line: str, stdin: Reader | bytes = b"") -> Answer:
    """What the phone's shell answers to the line."""
    out, err = io.BytesIO(), io.BytesIO()
    source = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
    programs = {**applets(phone.api), **phone.programs}
    code = sh(Process(phone, ["sh", "-c", line], source, out, err, programs=programs, launch=_launch))
    return Answer(out.getvalue().decode(), err.getvalue().decode(), code)


def _launch(process: Process, program: Program | None = None) -> int:
    found = program or process.programs.get(process.argv[0])
    if found is None:
        process.complain(f"/system/bin/sh: {process.argv[0]}: not found\n")
        return 127
    return found(process)


def install(phone: Phone, apk: bytes, *options: str) -> Answer:
    """``cmd package install`` with the APK on the standard input."""
    return shell(phone, f"cmd package install {' '.join(options)} -S {len(apk)}", apk)
