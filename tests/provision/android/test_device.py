"""What a phone says reaches people and the registry without our secrets, and without anything a terminal acts on."""

from __future__ import annotations

from typing import Any, cast

import pytest

from profiles.secrets import MASK, Secret
from provision.android.actions import Run
from provision.android.adb import Link
from provision.android.command import Command, command, script
from provision.android.device import AndroidDevice
from provision.android.shell import ShellResult
from provision.errors import Refused
from provision.model import Identity

PHONE = Identity("android", "S1", "google", "Pixel", "13", 33)
SECRET = Secret("wifi", "it's hush: 1")


class Line:
    """A link to a phone that answers every script with what ``says`` makes of it."""

    def __init__(self, says: Any, code: int = 0) -> None:
        self.says, self.code = says, code

    def shell(self, text: str, _seconds: float) -> ShellResult:
        return ShellResult(self.says(text).encode(), b"", self.code)


def _device(says: Any, code: int = 0) -> AndroidDevice:
    return AndroidDevice(cast("Link", Line(says, code)), PHONE, {}, {})


@pytest.mark.parametrize("how", [lambda text: text, lambda text: f"Error: {SECRET.reveal()} is no password"])
def test_a_phone_that_repeats_a_secret_does_not_bring_it_into_a_refusal(how: Any) -> None:
    action = Run(command("cmd", "wifi", "add-network", "A", "wpa2", SECRET), refused=("Error",))
    with pytest.raises(Refused) as refused:
        _device(how, 1).perform(action, lambda _: None)
    told = refused.value.what + refused.value.next_action + refused.value.evidence
    assert "hush" not in told
    assert MASK in told


def test_an_answer_that_repeats_the_secret_of_its_question_is_masked() -> None:
    def answers(text: str) -> str:
        mark = text.rpartition("echo ")[2].split()[0]
        return "".join(f"{SECRET.reveal()} at {n}\n\n{mark} {n} 0\n" for n in range(2))

    questions = {"keeps": script('verify "$1"', SECRET), "other": command("getprop")}
    said = _device(answers).ask(questions)
    assert said["keeps"].text == f"{MASK} at 0"
    assert said["other"].text == f"{SECRET.reveal()} at 1", "what was not asked with a secret stays as it came"


def test_a_question_without_an_answer_keeps_its_secret_too() -> None:
    with pytest.raises(Refused) as refused:
        _device(lambda _: SECRET.reveal()).ask({"pin": script("verify", SECRET)})
    assert "hush" not in refused.value.evidence


def test_an_exit_status_that_is_none_is_unknown() -> None:
    def answers(text: str) -> str:
        return f"x\n\n{text.rpartition('echo ')[2].split()[0]} 0 {'1' * 5000}\n"

    assert _device(answers).ask({"a": Command("id")})["a"].code is None


def test_a_refusal_in_the_phones_words_is_harmless_on_a_terminal() -> None:
    with pytest.raises(Refused) as refused:
        _device(lambda _: "\x1b]0;mine\x07no\u202e \x9b31m", 1).perform(Run(command("reboot")), lambda _: None)
    assert refused.value.what.isprintable()
    assert r"\x1b]0;mine\x07no" in refused.value.what
