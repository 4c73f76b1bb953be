"""docs/bench.md: the command that takes a case gives what the cases are, and the tree shown is a real one."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

from tests.provision.usb.captures import case

PAGE = (Path(__file__).parents[3] / "docs/bench.md").read_text("utf-8")


def test_the_command_of_the_page_takes_a_case(tmp_path: Path) -> None:
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    captured = case("on-the-bus-not-in-adb")
    captured.lay_out(tmp_path)
    script = block.replace("cd /sys", f"cd {tmp_path}").replace("adb devices -l", "")
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=30).stdout

    assert sorted(said.splitlines()) == sorted(captured.sysfs.splitlines())


def test_the_tree_of_the_page_is_that_of_a_case() -> None:
    shown = PAGE.partition("--tree`\n\n")[2].partition("\n- ")[0]
    assert textwrap.dedent(shown).strip() == case("usb-2-and-3").tree.strip()
