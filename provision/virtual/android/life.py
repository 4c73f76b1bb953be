"""What happens to a phone in somebody's hands: the orders of the bench beside pulling and putting the cable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provision.virtual.android import presets
from provision.virtual.android.device import Device
from provision.virtual.android.headwind.memory import PACKAGE
from provision.virtual.android.policy import give_up

_OPERATIONS = {"overlay": "SYSTEM_ALERT_WINDOW", "usage": "GET_USAGE_STATS"}

Order = Mapping[str, Any]


def reset(device: Device, how: str) -> None:
    """It is erased: in ``settings``, which a restriction may bar, or in ``recovery``, which none does."""
    if how == "settings" and "no_factory_reset" in device.phone.user_restrictions:
        raise ValueError("its settings do not offer a reset: no_factory_reset is in force")
    device.erase()


def set_clock(device: Device, seconds: float) -> None:
    """Its clock is moved by so many seconds."""
    device.phone.time_shift += seconds


def add_account(device: Device, order: Order) -> None:
    """Somebody signs in: ``name`` and ``type``."""
    if "no_modify_accounts" in device.phone.user_restrictions:
        raise ValueError("its settings do not offer to add an account: no_modify_accounts is in force")
    device.phone.accounts.append({"name": str(order["name"]), "type": str(order["type"])})


def internet(device: Device, order: Order) -> None:
    """Whether it is ``online``, by which ``network``, what else its names lead to (``hosts``), which certificates it
    trusts (``ca``)."""
    current = device.internet
    current.change(
        online=bool(order.get("online", current.online)),
        network=str(order.get("network", current.network)),
        hosts=order.get("hosts") or {},
        ca=order.get("ca"),
    )


def change_sim(device: Device, order: Order) -> None:
    """Another SIM, of ``operator`` and with ``iccid``, or made up; with neither the ``slot`` (0) is empty."""
    phone, slot = device.phone, int(order.get("slot", 0))
    if not 0 <= slot < len(phone.sims):
        raise ValueError(f"it has no slot {slot}")
    given = {key: str(order[key]) for key in ("operator", "iccid") if key in order}
    rows = [{"state": "ABSENT"} for _ in range(slot)] + [given or {"state": "ABSENT"}]
    # Made up for another serial, so that it is another card than the one that was in there.
    made = presets.sims(phone.tree | {"serial": f"{phone.serial}-{phone.sims[slot]['iccid']}", "seed": 0, "sims": rows})
    phone.sims[slot] = made[slot]


def withdraw(device: Device, permission: str) -> None:
    """Somebody takes a permission from the agent: ``overlay``, ``usage``, or one by its name."""
    package = device.phone.packages.installed(PACKAGE, 0)
    if package is None:
        raise ValueError("the agent is not installed")
    if permission in _OPERATIONS:
        package.appops[_OPERATIONS[permission]] = "ignore"
    else:
        package.state(0).granted.discard(permission)


def remove_owner(device: Device) -> None:
    """The owner lets go of the phone, as TestDPC's own screen offers; the app itself stays."""
    if device.phone.owner is None:
        raise ValueError("nobody owns it")
    give_up(device.phone)


def clone(device: Device, other: Device) -> None:
    """An app that moves phones brings the agent's data to another one, where the agent is installed."""
    other.agent.copy_of(device.agent)
