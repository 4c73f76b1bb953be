"""``cmd netpolicy`` (§2.3): background data and who is exempt."""

from __future__ import annotations

from provision.virtual.android.envelope import Args, java_int, lacks
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

LISTS = ("restrict-background-whitelist", "restrict-background-blacklist")


def service(process: Process, args: Args) -> int:
    """``cmd netpolicy get|set|add|remove|list …``"""
    phone = process.phone
    if not phone.holds("MANAGE_NETWORK_POLICY"):
        raise lacks("MANAGE_NETWORK_POLICY")
    verb = args.next()
    run = {"get": _get, "set": _set, "add": _add, "remove": _remove, "list": _list}.get(verb or "")
    if run is None:
        process.say(f"Unknown command: {verb}\n")
        return 255
    return run(process, args)


def _uids(phone: Phone, which: str) -> set[int]:
    return phone.netpolicy.allowed if which == LISTS[0] else phone.netpolicy.denied


def _get(process: Process, args: Args) -> int:
    what = args.next()
    if what != "restrict-background":
        return _wrong(process, "get", what)
    status = "enabled" if process.phone.netpolicy.restrict_background else "disabled"
    process.say(f"Restrict background status: {status}\n")
    return 0


def _wrong(process: Process, verb: str, what: str | None) -> int:
    process.say(f"Error: unknown {verb} type '{what}'\n" if what else f"Error: didn't specify type of data to {verb}\n")
    return 255


def _set(process: Process, args: Args) -> int:
    what = args.next()
    if what == "metered-network":
        number, value = args.next(), args.next()
        process.say("" if number and value else "Error: didn't specify ID\n")
        return 0 if number and value else 255
    if what != "restrict-background":
        return _wrong(process, "set", what)
    value = args.next()
    if value is None:
        process.say("Error: didn't specify BOOLEAN\n")
        return 255
    process.phone.netpolicy.restrict_background = value.lower() == "true"
    return 0


def _add(process: Process, args: Args) -> int:
    return _change(process, args, "add")


def _remove(process: Process, args: Args) -> int:
    return _change(process, args, "remove")


def _change(process: Process, args: Args, verb: str) -> int:
    which = args.next()
    if which not in LISTS:
        return _wrong(process, verb, which)
    word = args.next()
    if word is None:
        process.say("Error: didn't specify UID\n")
        return 255
    uid = java_int(word)
    uids, others = _uids(process.phone, which), _uids(process.phone, LISTS[1 - LISTS.index(which)])
    if verb == "add":
        uids.add(uid)
        others.discard(uid)
    elif uid not in uids:
        process.say(f"Error: UID {uid} not {which.rpartition('-')[2]}ed\n")
        return 255
    uids.discard(uid) if verb == "remove" else None
    return 0


def _list(process: Process, args: Args) -> int:
    what = args.next()
    if what == "wifi-networks":
        rows = [f"{network['ssid']};none\n" for network in process.phone.wifi.networks]
        process.say("".join(rows))
        return 0
    if what not in LISTS:
        return _wrong(process, "list", what)
    uids = sorted(_uids(process.phone, what))
    shown = "".join(f"{uid} " for uid in uids) if uids else "none"
    process.say(f"Restrict background {what.rpartition('-')[2]}ed UIDs: {shown}\n")
    return 0
