from __future__ import annotations

import pytest

from provision.errors import Refused
from tests.provision.adb.conftest import Attach
from tests.provision.adb.scripted import Handler, Talk, text_with_length


def answering(asked: list[str], answer: bytes) -> Handler:
    def service(talk: Talk) -> None:
        asked.append(talk.request())
        talk.okay()
        talk.drip(answer)

    return service


def test_reverse_separates_both_ends_by_a_semicolon(attach: Attach) -> None:
    asked: list[str] = []
    link = attach(answering(asked, b"OKAY"))
    link.reverse("tcp:8080", "tcp:9090")
    link.reverse_remove("tcp:8080")
    assert asked == ["reverse:forward:tcp:8080;tcp:9090", "reverse:killforward:tcp:8080"]


def test_the_second_answer_is_the_phones(attach: Attach) -> None:
    link = attach(answering([], b"FAIL" + text_with_length(b"cannot bind listener: Address already in use")))
    with pytest.raises(Refused, match="Address already in use"):
        link.reverse("tcp:8080", "tcp:9090")
    link = attach(answering([], b"FAIL" + text_with_length(b"listener 'tcp:8080' not found")))
    with pytest.raises(Refused, match="listener 'tcp:8080' not found"):
        link.reverse_remove("tcp:8080")


def test_the_list_is_read_by_its_last_two_words(attach: Attach) -> None:
    lines = b"UsbFfs tcp:1 tcp:2\n\n(reverse) localabstract:x tcp:3\nodd\ntcp:5 tcp:6\n"
    link = attach(answering([], text_with_length(lines)))
    assert link.reverse_list() == (("tcp:1", "tcp:2"), ("localabstract:x", "tcp:3"), ("tcp:5", "tcp:6"))
    assert attach(answering([], text_with_length(b""))).reverse_list() == ()
