"""``dpm`` (§3.1 to §3.3): owners and admins, with the preconditions and the words of each Android."""

from __future__ import annotations

from provision.virtual.android.envelope import (
    Args,
    JavaError,
    app_process,
    behind_cmd,
    denied,
    illegal,
    illegal_state,
    lacks,
    user_argument,
)
from provision.virtual.android.phone import Owner, Phone
from provision.virtual.android.policy import give_up
from provision.virtual.android.process import Process

GUARD = "android.permission.BIND_DEVICE_ADMIN"
_ONE_UI_SAYS_MORE = 36


def dpm(process: Process) -> int:
    """A Java program of its own up to 11, behind its service from 12 on."""
    words = process.argv[1:]
    if process.phone.api <= 30:
        return app_process(process, "usage: dpm [subcommand] [options]\n", lambda: service(process, Args(words)))
    return behind_cmd(process, words[0] if words else "", lambda: service(process, Args(words)))


def service(process: Process, args: Args) -> int:
    """``cmd device_policy …``"""
    command = args.next()
    if command == "list-owners" and process.phone.api >= 31:
        return _list_owners(process)
    if command not in {"set-device-owner", "set-active-admin", "remove-active-admin"}:
        if process.phone.api <= 30:
            raise illegal(f"unknown command '{command}'")
        process.say(f"Unknown command: {command}\n")
        return 255
    user = _options(process.phone, args)
    component = _component(args.need())
    if not process.phone.holds("MANAGE_DEVICE_ADMINS"):
        raise lacks("MANAGE_DEVICE_ADMINS")
    {"set-device-owner": _set_owner, "set-active-admin": _set_admin, "remove-active-admin": _remove_admin}[command](
        process, component, user
    )
    return 0


def _options(phone: Phone, args: Args) -> int:
    user = 0
    while (option := args.option()) is not None:
        if option == "--user":
            user = user_argument(args) or 0
        elif option == "--name" and phone.api <= 30:
            args.need()
        elif not (option == "--device-owner-only" and phone.api >= 34):
            raise illegal(f"Unknown option: {option}")
    return user


def _component(word: str) -> str:
    """``package/class`` in full."""
    package, slash, name = word.partition("/")
    if not slash or not package or not name:
        raise illegal(f"Invalid component {word}")
    return f"{package}/{package + name if name.startswith('.') else name}"


def _admin(phone: Phone, component: str, user: int) -> Owner:
    """The admin that this component would be; throws when there is no such receiver or it is not guarded."""
    name, _, cls = component.partition("/")
    package = phone.packages.installed(name, user)
    if package is None or cls not in package.receivers:
        raise illegal(f"Unknown admin: ComponentInfo{{{component}}}")
    if package.receivers[cls] != GUARD:
        raise illegal(f"DeviceAdminReceiver ComponentInfo{{{component}}} must be protected with {GUARD}")
    return Owner(component, user=user, test_only=package.test_only)


def _set_owner(process: Process, component: str, user: int) -> None:
    phone = process.phone
    admin = _admin(phone, component, user)
    if _accounts_forbid(phone, admin):
        raise JavaError(
            "java.lang.RuntimeException", f"Can't set package ComponentInfo{{{component}}} as device owner."
        )
    _precondition(phone, admin, user)
    phone.owner = admin
    phone.admins = [other for other in phone.admins if other.component != component] + [admin]
    if phone.vendor == "samsung" and phone.api >= _ONE_UI_SAYS_MORE:
        process.say(f"{admin.short} was already an admin for user {user}. No need to set it again.\n")
    phone.restrictions.own |= {"no_add_managed_profile"} | ({"no_add_clone_profile"} if phone.api >= 33 else set())
    if phone.api <= 30:
        process.say(f"Success: Device owner set to package ComponentInfo{{{component}}}\n")
        process.say(f"Active admin set to component {{{component}}}\n")
    else:
        process.say(f"Success: Device owner set to package {admin.short}\n")
        process.say(f"Active admin set to component {admin.short}\n")


def _accounts_forbid(phone: Phone, admin: Owner) -> bool:
    """From 14 on an admin that is no test app and any account do not go together (§3.2)."""
    return phone.api >= 34 and _set_up(phone) and bool(phone.accounts) and not admin.test_only


def _accounts_in_the_way(phone: Phone, admin: Owner) -> bool:
    """A test app may own a phone whose accounts all say that they do not mind (``owner_allowed``)."""
    return any(not (admin.test_only and account.get("owner_allowed")) for account in phone.accounts)


def _set_up(phone: Phone) -> bool:
    return phone.settings["secure"].get("user_setup_complete", "0") == "1"


def _precondition(phone: Phone, admin: Owner, user: int) -> None:
    """Throws what checkDeviceOwnerProvisioningPreCondition throws (§3.3)."""
    dot = "." if phone.api >= 31 else ""
    vendor_code = phone.tree["owner_precondition"]
    if phone.owner:
        names = f" ({admin.short})", f" ({phone.owner.short})"
        first, second = names if phone.api >= 34 else ("", "")
        raise illegal_state(f"Trying to set the device owner{first}, but device owner{second} is already set.")
    profile_owner = next((owner for owner in phone.profile_owners if owner.user == user), None)
    if profile_owner:
        first, second = (f" ({admin.short})", f" ({profile_owner.short})") if phone.api >= 34 else ("", "")
        raise illegal_state(f"Trying to set the device owner{first}, but the user already has a profile owner{second}.")
    if vendor_code is not None:
        what = "Unknown @DeviceOwnerPreConditionCode" if phone.api <= 25 else "Unexpected @ProvisioningPreCondition"
        raise illegal_state(f"{what}{':' if phone.api >= 31 else ''} {vendor_code}")
    if user != 0:
        raise illegal_state(f"User {user} is not system user." if phone.api >= 31 else "User is not system user")
    person = phone.user(user)
    if person is None or not person.running:
        raise illegal_state(f"User {user} not running." if phone.api >= 31 else f"User not running: {user}")
    if phone.tree["paired_watch"] and phone.api >= 26:
        raise illegal_state("Not allowed to set the device owner because this device has already paired")
    if phone.tree["headless"] and phone.api >= 34:
        raise JavaError(
            "android.os.ServiceSpecificException", "Cannot provision an unsupported DPC into DO on a headless device"
        )
    if _set_up(phone) and len(phone.users) > (2 if phone.tree["headless"] else 1):
        raise illegal_state(
            f"Not allowed to set the device owner because there are already several users on the device{dot}"
        )
    if _set_up(phone) and _accounts_in_the_way(phone, admin):
        raise illegal_state(
            f"Not allowed to set the device owner because there are already some accounts on the device{dot}"
        )


def _set_admin(process: Process, component: str, user: int) -> None:
    phone = process.phone
    admin = _admin(phone, component, user)
    phone.admins = [other for other in phone.admins if other.component != component] + [admin]
    shown = f"{{{component}}}" if phone.api <= 30 else admin.short
    process.say(f"Success: Active admin set to component {shown}\n")


def _remove_admin(process: Process, component: str, user: int) -> None:
    phone = process.phone
    admin = next((one for one in phone.admins if one.component == component), None)
    if admin is None or not admin.test_only:
        raise denied(f"Attempt to remove non-test admin ComponentInfo{{{component}}} {user}")
    phone.admins.remove(admin)
    if phone.owner and phone.owner.component == component:
        give_up(phone)
    process.say(f"Success: Admin removed ComponentInfo{{{component}}}\n")


def _list_owners(process: Process) -> int:
    owner = process.phone.owner
    rows = [f"User {owner.user:2d}: admin={owner.short},DeviceOwner\n"] if owner else []
    rows += [f"User {one.user:2d}: admin={one.short},ProfileOwner\n" for one in process.phone.profile_owners]
    if not rows:
        process.say("no owners\n")
        return 0
    process.say(f"{len(rows)} owner{'s' if len(rows) > 1 else ''}:\n{''.join(rows)}")
    return 0
