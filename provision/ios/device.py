"""An iPhone or iPad behind usbmuxd: asks all questions at once, each service once, and carries out actions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pymobiledevice3.lockdown import LockdownClient

from provision.errors import NotReady, Refused, Unplugged
from provision.ios import activation, asking, configurator, files, install_errors, link, pairing, services
from provision.ios.actions import (
    Activate,
    AskActivation,
    AskOwner,
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
from provision.ios.loop import Calls, Told, apart
from provision.ios.questions import Question, Shared, Value
from provision.ios.refusals import explained
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

_SLOWEST = 100_000
"""Bytes a second; what comes slower is as good as broken, however often it shows a sign of life."""

_INSTALLING_SECONDS = 3600.0
"""For an app that was sent to be checked and installed."""

_ACTIVATION_SECONDS = 420.0
"""For what the device and the activation server say to one another, each within its own time."""

_TRUST_SECONDS = 300.0
"""For a person to let this computer in again after it; in the Setup Assistant nobody is asked [inferred]."""

_FIND_MY = Value("com.apple.fmip", "IsAssociated")

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

    ``keybag`` is the one that this bench supervises with, ``None`` where it has none. ``number`` is what usbmuxd called
    it when it said who it is, and since it came back from our erasing it.
    """

    def __init__(
        self,
        at: At,
        who: Identity,
        number: int,
        keybag: Keybag | None,
        readers: Mapping[str, Reader[Any]],
        settings: Mapping[str, Setting[Any]],
    ) -> None:
        self.identity = who
        self.readers = readers
        self.settings = settings
        self.number = number
        self.away = False
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
        known = self._call(lambda client, _: asking.answers(client, set(questions.values()), self._keybag), seconds)
        return {name: known[question] for name, question in questions.items()}

    def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
        """See :meth:`provision.device.Device.perform`."""
        match action:
            case InstallApp() | RemoveApp():
                self._app(action, progress)
            case SendFiles():
                self._call(lambda client, told: files.send_files(client, action, told), _seconds(action), progress)
            case Erase():
                self._erase()
            case Activate() | AskActivation() | AskOwner():
                self._activation(action)
            case _:
                self._call(lambda client, _: self._small(client, action), _seconds(action))

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
            self._call(work, _seconds(action), progress)
        except Refused as refused:
            no = refused.__cause__
            if not isinstance(no, services.NoApp):
                raise
            found = install_errors.explain(no.word, no.detail, no.number)
            raise Refused(found.reason, found.next_action, evidence=refused.evidence) from no

    def _erase(self) -> None:
        """Have it erased, see it come back, and be let in again: it has forgotten this computer.

        What it was looked at for may be long ago, and its user may have pulled the cable to keep it: so only the one
        that never left is erased, and only if it still says that nobody holds it.
        """

        async def work(client: LockdownClient, _: Told) -> None:
            async def check() -> None:
                await _may_be_erased(client, self.number, self.identity.serial)
                self.away = True

            await configurator.erase(client, check)

        async def come_back(_: Told) -> None:
            self.number = await link.returned(self._at.udid, self.number, _BACK_SECONDS)
            await pairing.let_in(self._at.udid, self._at.records, self._keybag, _TRUST_SECONDS)

        try:
            self._call(work, _DO_SECONDS)
            with explained():
                self._calls.call(come_back, _BACK_SECONDS + _TRUST_SECONDS)
        finally:
            self.away = False

    def _activation(self, action: Activate | AskActivation | AskOwner) -> None:
        """The server is asked apart: nobody who stops this waits for it."""

        def send(command: Mapping[str, Any]) -> Mapping[str, Any]:
            return self._call(lambda client, _: services.activation_command(client, command), _DO_SECONDS)

        talk = {Activate: activation.activate, AskOwner: activation.ask_owner}.get(type(action), activation.ask)
        with explained():
            self._calls.call(lambda _: apart(lambda: talk(send, activation.server())), _ACTIVATION_SECONDS)


def _seconds(action: Action) -> float:
    """What it may take at the very most, by what is sent and by how long a person is waited for."""
    waits = action.seconds if isinstance(action, InstallProfile) else 0
    installs = _INSTALLING_SECONDS if isinstance(action, InstallApp | RemoveApp) else 0
    return _DO_SECONDS + action.size / _SLOWEST + waits + installs


async def _may_be_erased(client: LockdownClient, number: int, serial: str) -> None:
    """Raises Unplugged unless it was there all the time, Refused unless it says that nobody holds it."""
    if link.device_id(client) != number:
        raise Unplugged(
            "The device was unplugged before it was erased: nothing was done to it.",
            "Plug it in again and run again, where it may be erased.",
        )
    wanted = {Value("", "SerialNumber"): serial, Value("", "ActivationState"): "Activated", _FIND_MY: False}
    said = {question: await asking.fresh(client, question) for question in wanted}
    if said != wanted:
        raise Refused(
            "It says something else of its owner than before: nothing was erased.",
            "Look whether Find My was turned on (Settings › its user's name), then run again.",
            evidence=repr({question.key: value for question, value in said.items()}),
        )


def attach(
    at: At,
    keybag: Keybag | None,
    readers: Mapping[str, Reader[Any]],
    settings: Mapping[str, Setting[Any]],
    trust: float | None,
) -> IosDevice:
    """Identify the device; with ``trust`` a person has so many seconds to let this computer in. Raises DeviceError."""

    async def identify(_: Told) -> tuple[Identity, int]:
        if trust is not None:
            await pairing.let_in(at.udid, at.records, keybag, trust)
        async with link.opened(at.udid, at.records) as client:
            _check_trust(client)
            return _identity(client), link.device_id(client)

    with explained():
        who, number = Calls().call(identify, _DO_SECONDS + (trust or 0))
    return IosDevice(at, who, number, keybag, readers, settings)


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
