"""Make a large programme: its files, and on request the weeks that lie behind it.

    python examples/programmes/generate.py lanling-2020 DIR --scale 0.05 --record

The files of DIR are what a school, a donor and an operator would send, and ``students.csv`` and ``story.csv``: who they
are, and what happened in the weeks before today. With ``--record`` that is recorded in the registry of FLEET_HOME. The
same programme and scale give the same files.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="lanling-2020, ca-mau-2021 or hai-phong-2021")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the real size")
    parser.add_argument("--record", action="store_true", help="record the weeks before today, too")
    said = parser.parse_args()
    sys.path.insert(0, str(HERE.parents[1]))  # the examples are no installed package

    from examples.programmes.files import write
    from examples.programmes.history import record
    from examples.programmes.world import draw
    from fleet.home import Home

    world = draw(said.name, said.scale)
    write(world, said.folder)
    if said.record:
        record(world, said.folder, HERE / said.name / "programme.yaml", Home(Path(os.environ["FLEET_HOME"])))


if __name__ == "__main__":
    main()
