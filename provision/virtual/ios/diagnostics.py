"""``com.apple.mobile.diagnostics_relay``: the battery, restarting (facts, iOS §1 and §4).

The phone goes down when the connection on which it was told so is closed, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provision.virtual.ios.payload_types import number
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Closed, Stream

Answer = dict[str, Any]
_NO_GESTALT_FROM = "17.4"


def serve(stream: Stream, phone: Phone) -> None:
    """Answer until the computer goes. Raises Closed."""
    after: Callable[[], None] | None = None
    try:
        while True:
            said = stream.recv_plist()
            asked = said.get("Request") if isinstance(said, Mapping) else None
            if asked in ("Restart", "Shutdown"):
                after = phone.restart if asked == "Restart" else phone.detach
            with phone.lock:
                answer = _answer(phone, str(asked), said if isinstance(said, Mapping) else {})
            stream.send_plist(answer)
            if asked == "Goodbye":
                return
    except Closed:
        pass
    finally:
        if after is not None:
            after()


def _answer(phone: Phone, asked: str, said: Mapping[str, Any]) -> Answer:
    if asked in ("Goodbye", "Restart", "Shutdown", "Sleep"):
        return {"Status": "Success"}
    told: Mapping[str, Callable[[], Answer]] = {
        "IORegistry": lambda: _registry(phone, said),
        "MobileGestalt": lambda: {"MobileGestalt": _gestalt(phone, said.get("MobileGestaltKeys"))},
        "GasGauge": lambda: _gauge(phone),
        "WiFi": lambda: {"WiFi": {"Active": True, "Status": "Success"}},
        "All": lambda: {**_gauge(phone), "WiFi": {"Active": True, "Status": "Success"}},
    }
    if asked not in told:
        return {"Status": "UnknownRequest"}
    return {"Status": "Success", "Diagnostics": told[asked]()}


def _registry(phone: Phone, said: Mapping[str, Any]) -> Answer:
    """The battery, by class or by name; planes are empty, and of other entries there is nothing."""
    if "CurrentPlane" in said:
        return {"IORegistry": {}}
    if said.get("EntryClass") == "IOPMPowerSource" or said.get("EntryName") == phone.tree["battery"]["entry"]:
        return {"IORegistry": _battery(phone)}
    return {}


def _battery(phone: Phone) -> Answer:
    """``MaxCapacity`` is 100 whatever the battery's age; capacities without it are in mAh."""
    about = phone.tree["battery"]
    level, nominal = int(about["level"]), int(about["nominal"])
    return {
        "AppleRawCurrentCapacity": nominal * level // 100,
        "AppleRawMaxCapacity": nominal,
        "BatteryInstalled": True,
        "CurrentCapacity": level,
        "CycleCount": int(about["cycles"]),
        "DesignCapacity": int(about["design"]),
        "ExternalConnected": True,
        "FullyCharged": level >= 100,
        "IsCharging": bool(about["charging"]) and level < 100,
        "MaxCapacity": 100,
        "NominalChargeCapacity": nominal,
        "Temperature": 2710,
        "Voltage": 4102,
    }


def _gauge(phone: Phone) -> Answer:
    about = phone.tree["battery"]
    gauge = {"CycleCount": int(about["cycles"]), "DesignCapacity": int(about["design"]), "FullChargeCapacity": 100}
    return {"GasGauge": gauge | {"Status": "Success"}}


def _gestalt(phone: Phone, keys: Any) -> Answer:
    if number(phone.version) >= number(_NO_GESTALT_FROM):
        return {"Status": "MobileGestaltDeprecated"}
    values = phone.values[""]
    asked = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
    return {"Status": "Success"} | {key: values[key] for key in asked if key in values}
