"""Items that overlap: the next is sent while the device is busy with the last, two at most, the largest first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from provision.apply import apply
from provision.errors import Refused, Unplugged
from provision.lanes import Lane
from provision.model import Action, Effect, Identity, Item, Step
from provision.plan import steps
from provision.setting import Answer, Reader, Setting


@dataclass(frozen=True)
class Send:
    size: int
    masked: str = "send"
    leaves: str = ""


@dataclass
class Digesting:
    """A device that is busy with what it was sent for as long as something more comes; it notes what it saw."""

    ends: Mapping[int, Exception] = field(default_factory=dict)
    address: str = "a"
    port: str = ""
    number: int = 1
    away: bool = False
    identity: Identity = field(default_factory=lambda: Identity("test", "S1", "maker", "model", "1", 1))
    readers: Mapping[str, Reader[Any]] = field(default_factory=dict)
    settings: Mapping[str, Setting[Any]] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    sending: int = 0
    busy: int = 0
    most: tuple[int, int] = (0, 0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, questions: Mapping[str, Any], /) -> Mapping[str, Answer]:
        raise AssertionError("nothing is asked while applying")

    def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
        self._count(sending=1, busy=1)
        self.sent.append(action.size)
        self._count(sending=-1)
        progress(action.size)
        threading.Event().wait(0.002)
        self._count(busy=-1)
        if action.size in self.ends:
            raise self.ends[action.size]

    def _count(self, sending: int = 0, busy: int = 0) -> None:
        with self._lock:
            self.sending += sending
            self.busy += busy
            self.most = (max(self.most[0], self.sending), max(self.most[1], self.busy))

    def stop(self) -> None:
        pass


def items(sizes: list[int]) -> list[Item]:
    return [Item("apps", f"app-{size}", "", Step("", (Send(size),), overlaps=True)) for size in sizes]


def quiet(event: str, **fields: object) -> None:
    pass


sizes = st.lists(st.integers(1, 10**9), min_size=1, max_size=8, unique=True)


@settings(max_examples=30)
@given(sizes)
def test_the_largest_first_one_sent_and_two_under_way_at_most(wanted: list[int]) -> None:
    device = Digesting()

    attempts = apply(device, items(wanted), quiet, Lane())

    assert device.sent[0] in sorted(wanted, reverse=True)[:2], "two begin at once, and either may be the first"
    assert sorted(device.sent) == sorted(wanted)
    assert {attempt.item.id for attempt in attempts} == {f"apps.app-{size}" for size in wanted}
    assert device.most[0] == 1
    assert device.most[1] <= 2


def test_the_next_is_sent_while_the_device_is_busy_with_the_last() -> None:
    both_sent = threading.Barrier(2, timeout=60)

    class Slow(Digesting):
        def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
            super().perform(action, progress)
            both_sent.wait()

    assert not any(attempt.error for attempt in apply(Slow(), items([1, 2]), quiet, Lane()))


def test_a_refusal_ends_its_item_alone_and_a_pull_ends_all() -> None:
    refused = apply(Digesting({5: Refused("no")}), items([1, 5, 9]), quiet, Lane())
    pulled = apply(Digesting({9: Unplugged("gone", "")}), items([1, 2, 3, 4, 5, 9]), quiet, Lane())

    assert [attempt.item.key for attempt in refused if attempt.error] == ["app-5"]
    assert len(refused) == 3
    assert pulled[0].lost
    assert len(pulled) < 6


def test_what_was_planned_before_an_erasing_is_not_done_after_it() -> None:
    device = Digesting()
    erase = Item("supervision", "supervised", "", Step("", (Send(1),), effect=Effect.ERASE))
    attempts = apply(device, [*items([9]), erase, *items([8])], quiet, Lane())
    assert device.sent == [9, 1]
    assert attempts[-1].anew


def test_steps_that_wait_for_a_person_come_last() -> None:
    by_hand = Item("configuration", "profile", "", Step("", (Send(1),), hands="Tap Install", seconds=480))
    assert steps((by_hand, *items([9, 8]))) == (*items([9, 8]), by_hand)


def test_a_step_says_what_a_person_has_to_do() -> None:
    said: list[dict[str, object]] = []
    by_hand = Item("configuration", "profile", "", Step("", (Send(1),), hands="Tap Install", seconds=480))
    apply(Digesting(), [by_hand, *items([2])], lambda event, **fields: said.append({"event": event, **fields}), Lane())
    begun = [one for one in said if one["event"] == "step"]
    assert (begun[0]["hands"], begun[0]["seconds"]) == ("Tap Install", 480)
    assert "hands" not in begun[1]
