"""The radio side: ``service call iphonesubinfo``, ``cmd phone`` and the telephony dumps (§4.2, §4.3)."""

from __future__ import annotations

from provision.virtual.android import parcel
from provision.virtual.android.envelope import Args, lacks
from provision.virtual.android.phone import Phone
from provision.virtual.android.presets import Tree
from provision.virtual.android.process import Process

SHELL = "com.android.shell"
SECURITY = -1
LAST_CODE = 40
"""Codes beyond answer that there is no such transaction."""

CODES: list[tuple[int, dict[int, tuple[str, str]]]] = [
    # 7 to 9 [inferred] from "try 7, 8" and "try 10, 11, 12".
    (24, {1: ("imei", ""), 3: ("imei", "slot"), 4: ("imei", "sub"), 7: ("imsi", ""), 8: ("imsi", "sub"),
          11: ("iccid", ""), 12: ("iccid", "sub")}),
    (29, {1: ("imei", ""), 3: ("imei", "slot"), 4: ("imei", "sub"), 7: ("imsi", ""), 8: ("imsi", "sub"),
          10: ("iccid", ""), 11: ("iccid", "sub")}),
    (30, {1: ("imei", ""), 4: ("imei", "slot"), 5: ("imei", "sub"), 8: ("imsi", ""), 10: ("imsi", "sub"),
          12: ("iccid", ""), 14: ("iccid", "sub")}),
    (36, {1: ("imei", ""), 4: ("imei", "slot"), 5: ("imei", "sub"), 8: ("imsi", ""), 10: ("imsi", "sub"),
          13: ("iccid", ""), 15: ("iccid", "sub")}),
]  # fmt: skip
"""First API to transaction code → what it gives, and whether its i32 is a slot or a subscription id."""


def codes(phone: Phone) -> dict[int, tuple[str, str]]:
    """The codes on this phone. A vendor that inserted a method early has them as a later Android."""
    like = phone.tree["subinfo_like"] or phone.api
    return next(table for since, table in reversed(CODES) if since <= like)


def subinfo(phone: Phone, code: int, arguments: list[int | str]) -> str:
    """The answer to ``service call iphonesubinfo CODE …``."""
    if not 1 <= code <= LAST_CODE:
        return 'Result: Parcel(Error: 0xffffffffffffffb6 "Not a data message")\n'  # [inferred]
    packages = [word for word in arguments if isinstance(word, str)]
    if phone.api >= 31 and SHELL not in packages[:1]:
        who = packages[0] if packages else "null"
        return parcel.dump(parcel.exception(SECURITY, f"{who} does not belong to 2000"))  # [inferred] text
    if phone.api >= 29 and not phone.holds("READ_PRIVILEGED_PHONE_STATE"):
        return parcel.dump(parcel.exception(SECURITY, "getDeviceId: The user 2000 does not meet the requirements"))
    what, by = codes(phone).get(code, ("", ""))
    number = next((word for word in arguments if isinstance(word, int)), None)
    return parcel.dump(parcel.integer(0) + parcel.string(_value(phone, what, by, number)))


def _value(phone: Phone, what: str, by: str, number: int | None) -> str | None:
    if by and number is None:
        return None
    if what == "imei":
        slot = 0 if not by else number if by == "slot" else next(
            (row["slot"] for row in phone.sims if row["sub_id"] == number), -1
        )  # fmt: skip
        readable = phone.tree["imei_readable"] and slot is not None and 0 <= slot < len(phone.imei)
        return phone.imei[slot or 0] if readable else None
    if what in {"imsi", "iccid"}:
        sim = phone.sim(sub_id=number) if by else phone.sim()
        return str(sim[what]) if sim else None
    return None


def service(process: Process, args: Args) -> int:
    """``cmd phone …``"""
    phone = process.phone
    command = args.next()
    if command == "data" and phone.api >= 30:
        return set_data(process, on=args.next() == "enable")
    if command == "get-imei" and phone.api >= 33:
        process.say("Device IMEI: Permission denied.\n")
        return 255
    if command in {"cc", "enable-physical-subscription", "disable-physical-subscription"} and phone.api >= 30:
        process.complain(f"{command}: Permission denied.\n")
        return 255
    process.say(f"Unknown command: {command}\n")
    return 255


def set_data(process: Process, *, on: bool) -> int:
    """Mobile data on or off, and the setting that shows it."""
    phone = process.phone
    if not phone.holds("MODIFY_PHONE_STATE"):
        raise lacks("MODIFY_PHONE_STATE")
    phone.mobile_data = on
    phone.settings["global"]["mobile_data"] = str(int(on))
    for sim in phone.sims:
        if len(phone.sims) > 1 and sim["sub_id"] > 0:
            phone.settings["global"][f"mobile_data{sim['sub_id']}"] = str(int(on))
    return 0


def roaming(phone: Phone, sim: Tree) -> bool:
    """Whether data roaming is allowed on this SIM; phones for two have a setting of each."""
    own = phone.settings["global"].get(f"data_roaming{sim['sub_id']}") if len(phone.sims) > 1 else None
    return (own if own is not None else phone.settings["global"].get("data_roaming", "0")) == "1"


def dump_isub(phone: Phone, _args: list[str]) -> str:
    """``dumpsys isub``. ICCID and IMSI are masked, as on user builds (§4.2)."""
    active = [sim for sim in phone.sims if sim["sub_id"] > 0]
    default = active[0]["sub_id"] if active else -1
    lines = ["SubscriptionController:" if phone.api < 34 else "SubscriptionManagerService:"]
    if phone.api >= 34:
        lines += [f"Logical SIM slot {sim['slot']}: subId={sim['sub_id']}" for sim in phone.sims]
    lines += [f" defaultSubId={default}", f" defaultDataSubId={default}", f" defaultVoiceSubId={default}", ""]
    lines += [" ActiveSubInfoList:" if phone.api < 34 else "Active subscriptions:"]
    lines += [_subscription(phone, sim) for sim in active]
    return "\n".join(lines) + "\n"


def _subscription(phone: Phone, sim: Tree) -> str:
    mcc, mnc = sim["operator"][:3], sim["operator"][3:]
    allowed = int(roaming(phone, sim))
    if phone.api >= 34:
        return (
            f"  [SubscriptionInfoInternal: id={sim['sub_id']} iccId={sim['iccid'][:5]}[****] "
            f"simSlotIndex={sim['slot']} portIndex=0 isEmbedded=0 carrierId=-1 displayName={sim['name']} "
            f"carrierName={sim['name']} dataRoaming={allowed} mcc={mcc} mnc={mnc} countryIso={sim['country']} "
            f"cardString=[****] imsi=[****]]"
        )
    return (
        f"  {{id={sim['sub_id']} iccId={sim['iccid'][:5]}[****] simSlotIndex={sim['slot']} carrierId=-1 "
        f"displayName={sim['name']} carrierName={sim['name']} nameSource=0 iconTint=-16746133 "
        f"dataRoaming={allowed} mcc={mcc} mnc={mnc} countryIso={sim['country']} isEmbedded=false cardString=[****]}}"
    )


def dump_registry(phone: Phone, _args: list[str]) -> str:
    """``dumpsys telephony.registry``"""
    lines = ["last known state:"]
    for sim in phone.sims:
        there = sim["state"] != "ABSENT"
        state = "0(IN_SERVICE)" if there else "1(OUT_OF_SERVICE)"
        operator = f"mOperatorAlphaLong={sim['name']}, mOperatorNumeric={sim['operator']}"
        lines += [
            f"  Phone Id={sim['slot']}",
            "    mCallState=0",
            f"    mServiceState={{mVoiceRegState={state}, mDataRegState={state}, {operator}}}",
            f"    mDataConnectionState={2 if there and phone.mobile_data else 0}",
            f"    mSignalStrength=SignalStrength:{{mLte=rssi=-71 rsrp=-97 rsrq=-11 level={3 if there else 0}}}",
        ]
    return "\n".join(lines) + "\n"
