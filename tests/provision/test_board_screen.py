"""The live picture on terminals of every size, fed as a bench feeds it."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from provision.board_screen import Board
from provision.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def console(width: int, height: int) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)


def device(board: Board, number: int) -> None:
    fields = {"maker": "google", "model": "Pixel 6a", "version": "13", "port": f"1-{number}"}
    board.emit(Progress("device", f"a{number}", f"S{number}", f"A-{number:04}", fields))


def say(board: Board, number: int, event: str, **fields: object) -> None:
    board.emit(Progress(event, f"a{number}", f"S{number}", f"A-{number:04}", fields))


def lines(board: Board, out: Console) -> list[str]:
    with out.capture() as capture:
        out.print(board.picture())
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (20, 5), (1, 1)])
def test_the_picture_fits_any_terminal(width: int, height: int) -> None:
    out = console(width, height)
    board = Board(out)
    for number in range(60):
        device(board, number)
        say(board, number, "todo", items=[("apps.a", 5_000_000)])
        say(board, number, "step", item="apps.a", size=5_000_000)
        say(board, number, "bytes", sent=2_000_000)
    shown = lines(board, out)
    assert all(len(line) <= width for line in shown)
    if height >= 24:
        assert len(shown) <= height
        assert "not shown" in shown[-1]


def test_those_that_need_hands_come_before_those_that_may_go() -> None:
    out = console(80, 6)
    board = Board(out)
    for number in range(5):
        device(board, number)
        say(board, number, "report", verdict="partial", error="", next_action="")
    device(board, 9)
    say(board, 9, "waiting", what="Somebody is signed in.", next_action="Remove it.", port="1-9")
    shown = lines(board, out)
    assert "Somebody is signed in." in shown[1]
    assert "5 may be unplugged · 0 at work · 1 need hands" in shown[-1]


def test_what_is_left_is_learnt_from_the_same_item_on_the_same_model() -> None:
    clock = Clock()
    out = console(100, 24)
    board = Board(out, clock)
    device(board, 1)
    say(board, 1, "step", item="apps.a", size=10)
    say(board, 1, "done", item="apps.a", accepted=True, seconds=240.0)
    device(board, 2)
    say(board, 2, "todo", items=[("apps.a", 10)])
    say(board, 2, "step", item="apps.a", size=10)
    assert "4 min" in lines(board, out)[2]
    clock.now += 60
    assert "3 min" in lines(board, out)[2]


def test_pace_and_finish_are_told_after_a_minute() -> None:
    clock = Clock()
    out = console(160, 24)
    board = Board(out, clock, left=10)
    for number in range(3):
        device(board, number)
        say(board, number, "done", item="apps.a", accepted=True, seconds=41.0)
        say(board, number, "report", verdict="verified", error="", next_action="")
        clock.now += 60
    foot = lines(board, out)[-1]
    assert "60 an hour" in foot
    assert "7 left, done at" in foot
    assert "slowest: apps.a on Pixel 6a, 41 s" in foot


def test_a_device_that_has_gone_has_no_row() -> None:
    out = console(80, 24)
    board = Board(out)
    device(board, 1)
    say(board, 1, "gone")
    assert "A-0001" not in "\n".join(lines(board, out))


def test_text_of_devices_is_no_markup_and_no_escape_code() -> None:
    out = console(80, 24)
    board = Board(out)
    fields = {"maker": "[red]x", "model": "\x1b[2J", "version": "1", "port": ""}
    board.emit(Progress("device", "a", "S\x07", None, fields))
    shown = "\n".join(lines(board, out))
    assert "[red]x" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_what_to_tap_and_by_when_is_told_in_full_and_counted_down() -> None:
    clock = Clock()
    out = console(80, 24)
    board = Board(out, clock)
    device(board, 1)
    hands = "Settings › Profile Downloaded › Install, then the passcode, then Install twice more"
    say(board, 1, "step", item="configuration.profile", size=0, hands=hands, seconds=480.0)
    shown = lines(board, out)
    assert "Settings › Profile" in shown[1]
    assert shown[1].rstrip().endswith("8 min")
    full = " ".join(" ".join(shown[2:-1]).split())
    assert full.startswith(f"A-0001: {hands}. By ")
    assert full[-6:-1] == (board._now().astimezone() + timedelta(minutes=8)).strftime("%H:%M")
    assert "1 need hands" in shown[-1]
    clock.now += 450
    assert lines(board, out)[1].rstrip().endswith("30 s")
    say(board, 1, "done", item="configuration.profile", accepted=True, seconds=450.0)
    assert "1 at work · 0 need hands" in lines(board, out)[-1]


def test_full_words_take_no_line_that_a_row_needs() -> None:
    out = console(80, 8)
    board = Board(out)
    for number in range(1, 5):
        say(board, number, "waiting", what="It does not trust this computer.", next_action="Tap Trust.", port="1-1")
    shown = lines(board, out)
    assert len(shown) == 7
    assert sum("A-000" in line for line in shown[1:5]) == 4
    assert shown[5] == "A-0001: It does not trust this computer. Tap Trust."


def test_a_server_that_answers_again_has_no_row() -> None:
    out = console(80, 24)
    board = Board(out)
    for platform in ("android", "ios"):
        board.emit(Progress("server", "", fields={"platform": platform, "what": "It has gone.", "next_action": ""}))
    assert "2 need hands" in lines(board, out)[-1]
    board.emit(Progress("server", "", fields={"platform": "ios", "what": "", "next_action": ""}))
    shown = lines(board, out)
    assert "android" in shown[1]
    assert "1 need hands" in shown[-1]
