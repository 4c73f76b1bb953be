#!/usr/bin/env python3
"""Builds the sample app for iPhones and iPads into this folder, or into the folder given as the first argument.

Run it with the project's own Python. Virtual devices take the app; a real one does not, as Apple has not signed it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.ipas import make_ipa  # noqa: E402  (found by the line above)

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    make_ipa(
        folder / "schoolbag-reader.ipa",
        "org.schoolbag.sample.reader",
        version="1",
        short="1.0",
        title="Reader",
        shares_files=True,
        expires=datetime(2046, 1, 1, tzinfo=UTC),
    )
