"""The iPhones and iPads of a bench, behind a usbmuxd."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provision.virtual.faults import Fault
from provision.virtual.ios import faults
from provision.virtual.ios.activation_server import ActivationServer
from provision.virtual.ios.device import Device, Emit
from provision.virtual.ios.muxer import Muxer
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.spec import DeviceSpec
from provision.virtual.pace import Pace


class Iphones:
    """They are kept in the directory ``home``; ``buses`` are those that the specs name."""

    def __init__(self, specs: Sequence[DeviceSpec], home: Path, buses: Mapping[str, Pace], emit: Emit) -> None:
        self._muxer = Muxer()
        self._emit = emit
        self._activation = ActivationServer(lambda: [device.phone for device in self.devices])
        self.devices = [self._make(spec, home / str(spec.common.number), buses) for spec in specs]

    def _make(self, spec: DeviceSpec, home: Path, buses: Mapping[str, Pace]) -> Device:
        common = spec.common
        phone = Phone(common.preset, common.overrides, home)
        shared = (buses[common.link],) if common.link else ()
        device = Device(phone, self._muxer, self._emit, place=common.number + 1, buses=shared)
        for fault in spec.faults:
            device.set_fault(fault)
        return device

    def plug_all(self) -> None:
        """Start usbmuxd and attach all of them."""
        self._muxer.start()
        for device in self.devices:
            device.plug()

    def ready(self) -> Mapping[str, Any]:
        """Where they are found."""
        return {"usbmuxd": self._muxer.address, "activation_server": self._activation.url}

    def fault(self, tree: Mapping[str, Any]) -> Fault:
        return faults.parse(tree)

    def orders(self, device: Device) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
        """What they can be ordered beside what every virtual device can: what a person does with the phone in hand."""
        phone = device.phone

        def locking(locked: bool) -> Callable[[Mapping[str, Any]], object]:
            return lambda _: phone.set_locked(locked)

        def answering(trust: bool) -> Callable[[Mapping[str, Any]], object]:
            def answer(_: Mapping[str, Any]) -> None:
                with phone.lock:
                    device.trust.answer(trust=trust)

            return answer

        return {
            "trust": answering(True),
            "deny": answering(False),
            "lock": locking(True),
            "unlock": locking(False),
            "tap_install": lambda _: phone.tap_install(),
            "sign_in": lambda _: phone.sign_in(),
            "sign_out": lambda _: phone.sign_out(),
            "finish_setup": lambda _: phone.finish_setup(),
            "clock": lambda order: phone.forward(float(order["seconds"])),
        }

    def common_orders(self) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
        """What happens around them, to none in particular."""
        return {"usbmuxd": self._usbmuxd, "activation_server": self._serve}

    def _serve(self, order: Mapping[str, Any]) -> None:
        """The activation server answers or not; after ``delay`` seconds each time."""
        self._activation.on = bool(order.get("on", True))
        self._activation.delay = float(order.get("delay", 0))

    def _usbmuxd(self, order: Mapping[str, Any]) -> None:
        """The computer's usbmuxd goes (``on: false``; back after ``back_after`` seconds, or never) or comes."""
        if order.get("on", True):
            self._muxer.start()
            return
        self._muxer.stop()
        if order.get("back_after") is not None:
            timer = threading.Timer(float(order["back_after"]), self._muxer.start)
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        for device in self.devices:
            device.unplug()
        self._muxer.stop()
        self._activation.close()
