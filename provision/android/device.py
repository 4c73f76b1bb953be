"""An Android device on an adb server: asks all questions in one script, and carries out actions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from provision.android import identity
from provision.android.actions import Enrol, Install, Run, Send
from provision.android.adb import Link, Listed, Server, ShellResult
from provision.android.command import Command
from provision.android.enrolling import enrol
from provision.android.install_errors import explain as explain_install
from provision.android.reading import number as whole
from provision.android.refusals import explain as explain_refusal
from provision.errors import NoAnswer, NotReady, Refused, Unplugged
from provision.model import Action, Identity
from provision.setting import Answer, Reader, Setting
from provision.text import printable

_ASK_SECONDS = 120.0
"""For all questions together: a slow phone with many apps takes some 10 s, hashing a few GB of content a minute."""

_RUN_SECONDS = 120.0

_GOING_SECONDS = 10.0
"""How long a device may take to close a link that it was told to close (inferred: about one second)."""

_IDENTIFY_SECONDS = 10.0
"""For one ``getprop``: a phone that takes longer does not answer, and others wait for it."""


class AndroidDevice:
    """One phone or tablet, identified. Satisfies :class:`provision.device.Device`."""

    def __init__(
        self,
        link: Link,
        who: Identity,
        readers: Mapping[str, Reader[Command]],
        settings: Mapping[str, Setting[Command]],
    ) -> None:
        self.link = link
        self.identity = who
        self.readers: Mapping[str, Reader[Any]] = readers
        self.settings: Mapping[str, Setting[Any]] = settings

    @property
    def address(self) -> str:
        return self.link.listed.address

    @property
    def port(self) -> str:
        return self.link.listed.usb

    @property
    def number(self) -> int:
        return self.link.listed.transport_id

    @property
    def away(self) -> bool:
        return False  # nothing that we do to an Android device sends it away

    def ask(self, questions: Mapping[str, Command], /) -> Mapping[str, Answer]:
        """See :meth:`provision.device.Device.ask`; one shell script, one round trip."""
        return ask(self.link, questions)

    def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
        """See :meth:`provision.device.Device.perform`."""
        match action:
            case Run():
                self._run(action)
            case Install():
                self._install(action, progress)
            case Send(files):
                self.link.push_many(((f.source, f.remote, 0o644, None) for f in files), progress)
            case Enrol():
                enrol(self.link, action)
            case _:
                raise TypeError(f"an Android device cannot {action!r}")

    def stop(self) -> None:
        """End whatever is under way, from any thread; it and all that follows raises Stopped."""
        self.link.stop()

    def _run(self, action: Run) -> None:
        try:
            result = self.link.shell(action.command.raw, _RUN_SECONDS)
        except Unplugged:
            if action.cuts_link:
                return
            raise
        text = action.command.hide(said(result))
        if action.may_fail:
            return
        no = result.code != 0 or any(sign in text for sign in action.refused)
        if no or action.expect not in text:
            reason = explain_refusal(text, self.identity)
            if reason is None:
                reason = (f"The device refused: {_first_line(text) or f'exit status {result.code}'}", "")
            raise Refused(printable(reason[0]), printable(reason[1]), evidence=text)
        if action.cuts_link:
            self._see_it_go()

    def _see_it_go(self) -> None:
        """Wait for the link to end, as it does where that is what was asked."""
        end = time.monotonic() + _GOING_SECONDS
        while time.monotonic() < end:
            time.sleep(0.2)
            try:
                self.link.shell("true", _GOING_SECONDS)
            except (Unplugged, NotReady):
                return
        raise Refused("The device took the command, but still answers.", "Switch it off by hand.")

    def _install(self, action: Install, progress: Callable[[int], None]) -> None:
        try:
            self.link.install(action.apks, action.options, progress, label=f"-{action.package}")
        except Refused as no:
            found = explain_install(no.evidence, maker=self.identity.maker, skin=self.identity.skin)
            raise Refused(found.reason, found.next_action, evidence=no.evidence) from no


def attach(
    server: Server,
    listed: Listed,
    readers: Mapping[str, Reader[Command]],
    settings: Mapping[str, Setting[Command]],
) -> AndroidDevice:
    """Identify the phone that ``server`` lists: one round trip. Raises DeviceError where it cannot be asked.

    A link that is listed but dead is noticed after 10 s of silence.
    """
    link = server.link(listed)
    try:
        answers = ask(link, identity.QUESTIONS, _IDENTIFY_SECONDS)
    except NoAnswer as error:
        place = (
            f"Unplug it at port {listed.usb} and plug it in again" if listed.usb else "Unplug it and plug it in again"
        )
        raise NoAnswer(
            f"{listed.name} is listed, but does not answer.",
            f"{place}; if it stays so, try another cable, then restart the phone.",
        ) from error
    return AndroidDevice(link, identity.identify(answers), readers, settings)


def ask(link: Link, questions: Mapping[str, Command], seconds: float = _ASK_SECONDS) -> Mapping[str, Answer]:
    """Each question in a subshell of its own, between lines that nothing on the phone can guess."""
    mark = secrets.token_hex(8)
    lines = [
        f"( {question.raw}\n) </dev/null 2>&1\necho\necho {mark} {number} $?"
        for number, question in enumerate(questions.values())
    ]
    result = link.shell("\n".join(lines), seconds)
    return _split(result.stdout.decode("utf-8", "replace"), mark, questions)


def _split(text: str, mark: str, questions: Mapping[str, Command]) -> Mapping[str, Answer]:
    answers: dict[str, Answer] = {}
    text = text.replace("\r\n", "\n")
    for number, (name, question) in enumerate(questions.items()):
        body, found, text = text.partition(f"\n{mark} {number} ")
        body = question.hide(body)
        if not found:
            raise Refused(
                f"The device did not answer when asked for {name}.",
                "Unlock it, unplug it and plug it in again; if it stays so, restart it.",
                evidence=body[:1000],
            )
        code, _, text = text.partition("\n")
        answers[name] = Answer(body.removesuffix("\n"), whole(code))
    return answers


def said(result: ShellResult) -> str:
    """All that a command printed, as text; what is not UTF-8 is marked, never fatal."""
    return (result.stdout + result.stderr).decode("utf-8", "replace").replace("\r\n", "\n")


def _first_line(text: str) -> str:
    return next((line.strip()[:300] for line in text.splitlines() if line.strip()), "")
