"""``dumpsys`` (§4.2, §5): the services that the facts name."""

from __future__ import annotations

from collections.abc import Callable

from provision.virtual.android import dump_package, dump_power, dump_user, telephony, testdpc
from provision.virtual.android.cmd import services
from provision.virtual.android.envelope import denied
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

Dump = Callable[[Phone, list[str]], str]


def dumpsys(process: Process) -> int:
    """``dumpsys [-l] [-t SECONDS] [SERVICE [ARGS…]]``. The status is 0 even without such a service [inferred]."""
    words = process.argv[1:]
    if words[:1] == ["-t"]:
        words = words[2:]
    known = [name for name in services(process.phone) if name in DUMPS]
    if not words or words[0] == "-l":
        process.say("Currently running services:\n" + "".join(f"  {name}\n" for name in known))
        return 0
    name, *rest = words
    if name not in services(process.phone):
        process.complain(f"Can't find service: {name}\n")
        return 0
    if name in DUMPS:
        process.say(DUMPS[name](process.phone, rest))
    return 0


def _account(phone: Phone, _args: list[str]) -> str:
    lines = []
    for user in phone.users:
        mine = [account for account in phone.accounts if account.get("user", 0) == user.id]
        lines += [f"User UserInfo{{{user.id}:{user.name}:{'c13' if phone.api >= 30 else '13'}}}:"]
        lines += [f"  Accounts: {len(mine)}"]
        lines += [f"    Account {{name={account['name']}, type={account['type']}}}" for account in mine]
        lines += ["", "  Active Sessions: 0", ""]
    return "\n".join(lines) + "\n"


def _device_policy(phone: Phone, _args: list[str]) -> str:
    lines = ["Current Device Policy Manager state:"]
    if phone.owner:
        lines += [
            "  Device Owner: ",
            f"    admin=ComponentInfo{{{phone.owner.component}}}",
            f"    name={phone.owner.name}",
            f"    package={phone.owner.package}",
            *(["    isOrganizationOwnedDevice=true"] if phone.api >= 30 else []),
            f"    User ID: {phone.owner.user}",
            "",
        ]
    for owner in phone.profile_owners:
        lines += [
            f"  Profile Owner (User {owner.user}): ",
            f"    admin=ComponentInfo{{{owner.component}}}",
            f"    name={owner.name}",
            f"    package={owner.package}",
            "",
        ]
    lines += ["  Enabled Device Admins (User 0, provisioningState: 0):"]
    for admin in phone.admins:
        lines += [f"    {admin.short}:", f"      uid={_uid(phone, admin.package)}"]
        lines += [f"      testOnlyAdmin={str(admin.test_only).lower()}", "      policies:", "        wipe-data"]
    kinds = {"file": "per-user", "block": "active", "": "inactive"}
    lines += ["", f"  Encryption Status: {kinds[phone.tree['crypto'] or '']}", ""]
    return "\n".join(lines) + "\n"


def _uid(phone: Phone, name: str) -> int:
    package = phone.packages.get(name)
    return package.uid if package else 0


def _package(phone: Phone, args: list[str]) -> str:
    names = [word for word in args if not word.startswith("-")]
    return dump_package.text(phone, names[-1] if names else None)


def _activity(phone: Phone, args: list[str]) -> str:
    words = [word for word in args if word not in {"--user", "0"}]
    if words[:1] != ["service"]:
        return "ACTIVITY MANAGER SETTINGS (dumpsys activity settings) activity_manager_constants:\n"
    wanted, rest = (words[1] if len(words) > 1 else ""), words[2:]
    answer = testdpc.answer(phone, wanted, rest)
    return answer if answer is not None else f"No services match: {wanted}\nUse -h for help.\n"


def _persistent_data_block(phone: Phone, _args: list[str]) -> str:
    """14 prints its files; on 15 and later the state of the lock is not for shell, mid-dump (§5.3)."""
    if phone.api < 34:
        return ""
    text = "mDataBlockFile: /dev/block/by-name/frp\nmIsFileBacked: false\n"
    if phone.api >= 35:
        text += f"\n{denied('uid 2000 is not allowed to call getFactoryResetProtectionState').trace()}"
    return text


def _wifi(phone: Phone, _args: list[str]) -> str:
    return f"Wi-Fi is {'enabled' if phone.wifi.enabled else 'disabled'}\n"


def _trust(phone: Phone, _args: list[str]) -> str:
    """TrustManagerService: locked means that a credential is asked for at this moment; here the screen is off."""
    locked = int(phone.credential.kind != "none")
    lines = ["Trust manager state:"]
    for user in phone.users:
        current = " (current)" if user.id == 0 else ""
        mine = locked if user.id == 0 else 0
        state = f"trusted=0, trustManaged=0, deviceLocked={mine}, strongAuthRequired=0x0"
        lines += [f' User "{user.name}" (id={user.id}, flags=0x13){current}: {state}', "   Enabled agents:"]
    return "\n".join(lines) + "\n"


def _window(phone: Phone, args: list[str]) -> str:
    """The part of the window policy that KeyguardServiceDelegate prints."""
    if args[:1] not in ([], ["policy"], ["p"], ["-a"]):
        return ""
    secure = phone.credential.kind != "none"
    return (
        "WINDOW MANAGER POLICY STATE (dumpsys window policy)\n"
        "    KeyguardServiceDelegate\n"
        f"      showing={_is(secure)}\n"
        f"      inputRestricted={_is(secure)}\n"
        "      occluded=false\n"
        f"      secure={_is(secure)}\n"
        "      dreaming=false\n"
        "      systemIsReady=true\n"
        "      deviceHasKeyguard=true\n"
    )


def _is(value: bool) -> str:
    return str(value).lower()


DUMPS: dict[str, Dump] = {
    "account": _account,
    "activity": _activity,
    "battery": dump_power.battery,
    "device_policy": _device_policy,
    "diskstats": dump_power.diskstats,
    "isub": telephony.dump_isub,
    "package": _package,
    "persistent_data_block": _persistent_data_block,
    "power": dump_power.power,
    "telephony.registry": telephony.dump_registry,
    "trust": _trust,
    "user": dump_user.text,
    "wifi": _wifi,
    "window": _window,
}
