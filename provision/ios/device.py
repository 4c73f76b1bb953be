"""An iPhone or iPad behind usbmuxd: asks all questions at once, each service once, and carries out actions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pymobiledevice3.lockdown import LockdownClient

from provision.errors import DeviceError, NotReady, Refused
from provision.ios import activation, configurator, files, install_errors, link, pairing, services
from provision.ios.actions import (
    Activate,
    AskActivation,
    Erase,
    InstallApp,
    InstallProfile,
    RemoveApp,
    RemoveFiles,
    RemoveProfile,
    SendFiles,
    SetValue,
    Supervise,
)
from provision.ios.keybag import Keybag
from provision.ios.loop import Calls, Told, together
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
from provision.model import Action, Identity
from provision.setting import Answer, Reader, Setting

T = TypeVar("T")

_ASK_SECONDS = 120.0
"""For all questions together, when nothing has to be read as a whole."""

_HASHING_SECONDS = 3600.0
"""For questions that have files read over the cable: some 20 MB/s."""

_DO_SECONDS = 180.0
"""For what sends next to nothing."""

_BACK_SECONDS = 900.0
"""An erasing with its restart takes from one to some ten minutes, the longer the older the device [inferred]."""

_TRUST_SECONDS = 300.0
"""For a person to let this computer in again after it; in the Setup Assistant nobody is asked [inferred]."""

_IDENTITY_KEYS = (
    "UniqueDeviceID",
    "ProductType",
    "DeviceClass",
    "DeviceName",
    "HardwareModel",
    "ModelNumber",
    "RegionInfo",
    "DeviceColor",
)


@dataclass(frozen=True)
class At:
    """Where a device is: its UDID, the socket that it hangs on ("" unknown), and our folder of pair records."""

    udid: str
    port: str
    records: Path


class IosDevice:
    """One iPhone or iPad, identified. Satisfies :class:`provision.device.Device`.

    ``keybag`` is the one that this bench supervises with, ``None`` where it has none.
    """

    def __init__(
        self,
        at: At,
        who: Identity,
        keybag: Keybag | None,
        readers: Mapping[str, Reader[Any]],
        settings: Mapping[str, Setting[Any]],
    ) -> None:
        self.identity = who
        self.readers = readers
        self.settings = settings
        self._at = at
        self._keybag = keybag
        self._calls = Calls()

    @property
    def address(self) -> str:
        return self._at.udid

    @property
    def port(self) -> str:
        return self._at.port

    def ask(self, questions: Mapping[str, Question], /) -> Mapping[str, Answer]:
        """See :meth:`provision.device.Device.ask`; equal questions are asked once, different services side by side."""
        reads_all = any(isinstance(question, Shared) and question.hashed for question in questions.values())
        seconds = _HASHING_SECONDS if reads_all else _ASK_SECONDS
        known = self._call(lambda client, _: _answers(client, set(questions.values()), self._keybag), seconds)
        return {name: known[question] for name, question in questions.items()}

    def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
        """See :meth:`provision.device.Device.perform`."""
        match action:
            case InstallApp() | RemoveApp():
                self._app(action, progress)
            case SendFiles():
                self._call(lambda client, told: files.send_files(client, action, told), None, progress)
            case Erase():
                self._erase()
            case Activate() | AskActivation():
                self._activation(action)
            case _:
                self._call(lambda client, _: self._small(client, action), self._seconds(action))

    def stop(self) -> None:
        """See :meth:`provision.device.Device.stop`."""
        self._calls.stop()

    def _call(
        self,
        work: Callable[[LockdownClient, Told], Coroutine[Any, Any, T]],
        seconds: float | None,
        progress: Told = lambda _: None,
    ) -> T:
        async def conversation(told: Told) -> T:
            async with link.opened(self._at.udid, self._at.records) as client:
                _check_trust(client)
                return await work(client, told)

        with explained():
            return self._calls.call(conversation, seconds, progress)

    @staticmethod
    def _seconds(action: Action) -> float:
        return _DO_SECONDS + (action.seconds if isinstance(action, InstallProfile) else 0)

    async def _small(self, client: LockdownClient, action: Action) -> None:
        match action:
            case SetValue(domain, key, value):
                await client.set_value(value, domain=domain or None, key=key)
            case RemoveFiles():
                await files.remove_files(client, action)
            case InstallProfile():
                await configurator.install_profile(client, action, self._keybag)
            case RemoveProfile(identifier):
                await configurator.remove_profile(client, identifier)
            case Supervise(skip):
                await configurator.supervise(client, skip, self._keybag)
            case _:
                raise TypeError(f"an iPhone cannot {action!r}")

    def _app(self, action: InstallApp | RemoveApp, progress: Told) -> None:
        async def work(client: LockdownClient, told: Told) -> None:
            if isinstance(action, InstallApp):
                await services.install_app(client, action, told)
            else:
                await services.remove_app(client, action.bundle)

        try:
            self._call(work, None, progress)
        except Refused as refused:
            no = refused.__cause__
            if not isinstance(no, services.NoApp):
                raise
            found = install_errors.explain(no.word, no.detail, no.number)
            raise Refused(found.reason, found.next_action, evidence=refused.evidence) from no

    def _erase(self) -> None:
        """Have it erased, see it come back, and be let in again: it has forgotten this computer."""

        async def work(client: LockdownClient, _: Told) -> int:
            before = link.device_id(client)
            await configurator.erase(client)
            return before

        async def come_back(_: Told) -> None:
            await link.returned(self._at.udid, before, _BACK_SECONDS)
            await pairing.let_in(self._at.udid, self._at.records, self._keybag, _TRUST_SECONDS)

        before = self._call(work, _DO_SECONDS)
        with explained():
            self._calls.call(come_back, _BACK_SECONDS + _TRUST_SECONDS)

    def _activation(self, action: Activate | AskActivation) -> None:
        def send(command: Mapping[str, Any]) -> Mapping[str, Any]:
            return self._call(lambda client, _: services.activation_command(client, command), _DO_SECONDS)

        if isinstance(action, Activate):
            activation.activate(send, activation.server())
        else:
            activation.ask(send, activation.server())


def attach(
    at: At,
    keybag: Keybag | None,
    readers: Mapping[str, Reader[Any]],
    settings: Mapping[str, Setting[Any]],
    trust: float | None,
) -> IosDevice:
    """Identify the device; with ``trust`` a person has so many seconds to let this computer in. Raises DeviceError."""

    async def identify(_: Told) -> Identity:
        if trust is not None:
            await pairing.let_in(at.udid, at.records, keybag, trust)
        async with link.opened(at.udid, at.records) as client:
            _check_trust(client)
            return _identity(client)

    with explained():
        who = Calls().call(identify, _DO_SECONDS + (trust or 0))
    return IosDevice(at, who, keybag, readers, settings)


def _check_trust(client: LockdownClient) -> None:
    if not client.paired:
        kind = client.all_values.get("DeviceClass") or "device"
        raise NotReady(
            f"The {kind} does not trust this computer yet.",
            "Unlock it, tap “Trust” and enter its passcode; if it does not ask, unplug it and plug it in again.",
        )


def _identity(client: LockdownClient) -> Identity:
    """Who it is, by lockdownd's values (facts, iOS §1)."""
    values = {key: value for key, value in client.all_values.items() if isinstance(value, str)}
    kind = values.get("ProductType", "")
    version = values.get("ProductVersion", "")
    major = version.partition(".")[0]
    name = client.display_name
    return Identity(
        platform="ios",
        serial=values.get("SerialNumber", ""),
        maker="Apple",
        model=f"{name} ({kind})" if name else kind,
        version=version,
        api=int(major) if major.isascii() and major.isdigit() else 0,
        build=values.get("BuildVersion", ""),
        properties={key: values[key] for key in _IDENTITY_KEYS if key in values},
    )


# Questions --------------------------------------------------------------------------------------------------------


async def _answers(client: LockdownClient, questions: set[Question], keybag: Keybag | None) -> dict[Question, Answer]:
    """The answers of lockdownd one after another, those of services side by side; a lost link is raised."""
    mine = [question for question in questions if isinstance(question, Value)]
    others = [question for question in questions if not isinstance(question, Value)]

    async def values() -> list[Answer]:
        return [await _answered(_value(client, question)) for question in mine]

    async def service(question: Question) -> list[Answer]:
        return [await _answered(_asked(client, question, keybag))]

    answers = await together([values(), *map(service, others)])
    return dict(zip([*mine, *others], chain.from_iterable(answers), strict=True))


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
