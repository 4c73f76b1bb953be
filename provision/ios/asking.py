"""The questions of an iPhone and its answers: all in one conversation, each service asked once (facts, iOS §1, §4)."""

from __future__ import annotations

from collections.abc import Coroutine
from itertools import chain
from typing import Any

from pymobiledevice3.lockdown import LockdownClient

from provision.errors import DeviceError, Refused
from provision.ios import configurator, files, services
from provision.ios.keybag import Keybag
from provision.ios.loop import together
from provision.ios.questions import (
    Activation,
    Apps,
    CloudConfiguration,
    Passcode,
    Profiles,
    Question,
    Registry,
    Shared,
    SharedFile,
    Value,
)
from provision.ios.reading import answer, refusal
from provision.ios.refusals import explained, word
from provision.setting import Answer


async def answers(client: LockdownClient, questions: set[Question], keybag: Keybag | None) -> dict[Question, Answer]:
    """The answers of lockdownd one after another, those of services side by side; a lost link is raised."""
    mine = [question for question in questions if isinstance(question, Value)]
    others = [question for question in questions if not isinstance(question, Value)]

    async def values() -> list[Answer]:
        return [await _answered(_value(client, question)) for question in mine]

    async def service(question: Question) -> list[Answer]:
        return [await _answered(_asked(client, question, keybag))]

    found = await together([values(), *map(service, others)])
    return dict(zip([*mine, *others], chain.from_iterable(found), strict=True))


async def _answered(asked: Coroutine[Any, Any, Any]) -> Answer:
    """One that is refused, or answered with something odd, leaves the others as they are; a lost link does not."""
    try:
        with explained():
            found = await asked
    except DeviceError as error:
        said = error.__cause__
        if isinstance(said, Exception) and (no := word(said)):
            return refusal(no)
        if isinstance(error, Refused):
            return refusal(type(said).__name__)
        raise
    except (TypeError, ValueError, LookupError, AttributeError):  # it is not made as we know it
        return refusal("Unreadable")
    if found is None:
        return refusal("MissingValue")
    try:
        return answer(found)
    except (TypeError, OverflowError):  # what XML property lists cannot hold
        return refusal("Unreadable")


async def _value(client: LockdownClient, question: Value) -> Any:
    """What the conversation began with holds most values of no domain."""
    if not question.domain and question.key in client.all_values:
        return client.all_values[question.key]
    return await client.get_value(question.domain or None, question.key or None)


async def fresh(client: LockdownClient, question: Value) -> Any:
    """What lockdownd says at this moment; ``None`` where it does not tell. Raises what a lost link does."""
    try:
        return await client.get_value(question.domain or None, question.key or None)
    except Exception as error:
        if not word(error):
            raise
        return None


async def _asked(client: LockdownClient, question: Question, keybag: Keybag | None) -> Any:
    match question:
        case Registry(entry_class, name):
            return await services.registry(client, entry_class, name)
        case Apps():
            return await services.apps(client)
        case Profiles():
            return await configurator.profiles(client)
        case CloudConfiguration():
            return await configurator.cloud_configuration(client)
        case Activation():
            return await services.activation(client)
        case Passcode():
            return await configurator.passcode(client, keybag)
        case Shared():
            return await files.shared(client, question)
        case SharedFile():
            return await files.shared_file(client, question)
        case _:
            raise TypeError(f"an iPhone cannot be asked {question!r}")
