from __future__ import annotations

import threading
import time

import pytest

from profiles.once import once


def test_threads_that_need_it_at_once_read_it_once() -> None:
    read = []
    ready = threading.Barrier(20)

    @once
    def table() -> object:
        read.append(1)
        time.sleep(0.05)
        return object()

    found: list[object] = []

    def need() -> None:
        ready.wait(60)
        found.append(table())

    threads = [threading.Thread(target=need) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(read) == 1
    assert len(found) == 20
    assert len(set(map(id, found))) == 1


def test_a_failure_is_not_kept() -> None:
    answers = [ValueError("a mistake in the file"), None]

    @once
    def table() -> str:
        if error := answers.pop(0):
            raise error
        return "read"

    with pytest.raises(ValueError, match="mistake"):
        table()

    assert table() == table() == "read"
