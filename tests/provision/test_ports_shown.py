"""Where a technician reads of a bad port: under the live table, and in lines where there is no terminal."""

from __future__ import annotations

import io

from rich.console import Console

from provision.board_screen import Board
from provision.ports import PortVerdict
from provision.progress import Progress

_WHAT = "port 1-2.3: 3.1 MB/s, its neighbours 28.0 MB/s in the same seconds, with A-0007 only."
_VERDICT = PortVerdict("1-2.3", "slow", "", _WHAT, "Try another cable.")


def _told(*, terminal: bool) -> tuple[Board, Console, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, height=6, color_system=None)
    board = Board(console)
    for number in range(9):
        board.emit(
            Progress("waiting", f"a{number}", fields={"port": f"1-{number}", "what": "Locked.", "next_action": ""})
        )
    for _ in range(2):
        board.emit(Progress("port", "", fields=_VERDICT.fields()))
    return board, console, out


def test_under_the_table_in_one_line_and_no_row_of_its_own() -> None:
    board, console, out = _told(terminal=True)

    console.print(board.picture())

    shown = out.getvalue().splitlines()
    assert [line.rstrip() for line in shown if "neighbours" in line] == [_WHAT[:79] + "…"]
    assert shown[-1].startswith("0 may be unplugged · 0 at work · 9 need hands")
    assert len(shown) <= 6


def test_in_full_where_there_is_no_terminal() -> None:
    _, _, out = _told(terminal=False)

    assert f"{_WHAT} Try another cable.\n" in out.getvalue()
