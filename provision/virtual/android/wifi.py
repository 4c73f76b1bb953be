"""``cmd wifi`` (§2.3), which shell may use from 11 on."""

from __future__ import annotations

from provision.virtual.android.envelope import Args, denied, illegal
from provision.virtual.android.phone import Phone
from provision.virtual.android.presets import Tree
from provision.virtual.android.process import Process

TYPES = {"open": "open", "owe": "owe", "wpa2": "wpa2-psk", "wpa3": "wpa3-sae", "wep": "wep"}
KEYLESS = {"open", "owe"}
SHORTEST_KEY = 8
SINCE = {"set-wifi-enabled": 31}


def service(process: Process, args: Args) -> int:
    """``cmd wifi …``"""
    command = args.next() or ""
    run = {
        "connect-network": _connect,
        "add-network": _add,
        "forget-network": _forget,
        "list-networks": _list,
        "status": _status,
        "set-wifi-enabled": _enable,
    }.get(command)
    if process.phone.api < 30:
        raise denied("Uid 2000 does not have access to wifi commands")  # [inferred] 10 asks for root
    if run is None or SINCE.get(command, 30) > process.phone.api:
        raise denied(
            f"Uid 2000 does not have access to {command} wifi command (or such command doesn't exist)",
        )
    return run(process, args)


def _network(phone: Phone, args: Args) -> Tree:
    ssid, kind = args.need(), args.need()
    if kind not in TYPES:
        raise illegal(f"Unknown network type {kind}")
    row: Tree = {"ssid": ssid, "security": kind, "passphrase": "" if kind in KEYLESS else args.need()}
    row |= {"hidden": False, "metered": False, "autojoin": True}
    while (option := args.option()) is not None:
        if option == "-x" and phone.api >= 33:
            row["ssid"] = bytes.fromhex(ssid).decode("utf-8", "surrogateescape")
        elif option in {"-m", "-d", "-h"}:
            row |= {"-m": {"metered": True}, "-d": {"autojoin": False}, "-h": {"hidden": True}}[option]
        elif option in {"-b", "-r"}:
            args.need()
        elif option != "-p":
            raise illegal(f"Unknown option {option}")
    return row


def _save(phone: Phone, row: Tree) -> int | None:
    """The id of the network; the same one again when SSID and security are known. None when it is refused."""
    length = len(row["passphrase"])
    if row["security"] == "wpa2" and not SHORTEST_KEY <= length <= 64:
        return None
    for known in phone.wifi.networks:
        if (known["ssid"], known["security"]) == (row["ssid"], row["security"]):
            known.update(row)
            return int(known["id"])
    number = phone.wifi.next_id
    phone.wifi.next_id += 1
    phone.wifi.networks.append({"id": number} | row)
    return number


def _connect(process: Process, args: Args) -> int:
    row = _network(process.phone, args)
    number = _save(process.phone, row)
    if number is not None and row["ssid"] in process.phone.tree["wifi"]["in_range"] and process.phone.wifi.enabled:
        process.phone.wifi.connected = number
    process.say("Connection failed\n" if number is None else "Connection initiated \n")
    return 0


def _add(process: Process, args: Args) -> int:
    number = _save(process.phone, _network(process.phone, args))
    process.say("Save failed\n" if number is None else "Save successful\n")
    return 0


def _forget(process: Process, args: Args) -> int:
    number = args.number()
    wifi = process.phone.wifi
    wifi.networks = [network for network in wifi.networks if network["id"] != number]
    wifi.connected = None if wifi.connected == number else wifi.connected
    process.say("Forget successful\n")
    return 0


def _list(process: Process, _args: Args) -> int:
    networks = process.phone.wifi.networks
    if not networks:
        process.say("No networks\n")
        return 0
    lines = ["Network Id      SSID                         Security type"]
    lines += [f"{row['id']:<12d} {row['ssid']:<32s} {TYPES[row['security']]:<4s}" for row in networks]
    process.say("\n".join(lines) + "\n")
    return 0


def _status(process: Process, _args: Args) -> int:
    wifi = process.phone.wifi
    here = next((row["ssid"] for row in wifi.networks if row["id"] == wifi.connected), None)
    process.say(f"Wifi is {'enabled' if wifi.enabled else 'disabled'}\n")
    if wifi.enabled:
        process.say(f'Wifi is connected to "{here}"\n' if here else "Wifi is not connected\n")
    return 0


def _enable(process: Process, args: Args) -> int:
    word = args.need()
    if word not in {"enabled", "disabled"}:
        raise illegal(f"Expected 'enabled' or 'disabled' as next arg but got '{word}'")
    set_enabled(process.phone, on=word == "enabled")
    return 0


def set_enabled(phone: Phone, *, on: bool) -> None:
    """Switches Wi-Fi, and the setting that shows it."""
    phone.wifi.enabled = on
    phone.wifi.connected = phone.wifi.connected if on else None
    phone.settings["global"]["wifi_on"] = str(int(on))
