"""Small services of ``cmd``: app operations, roles, night mode, languages of apps, test harness (§2, §6)."""

from __future__ import annotations

from provision.virtual.android.envelope import Args, JavaError, behind_cmd, denied, illegal, lacks, user_argument
from provision.virtual.android.packages import Package
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

MODES = ("allow", "ignore", "deny", "default", "foreground")
_OPERATIONS = """
COARSE_LOCATION FINE_LOCATION VIBRATE READ_CONTACTS WRITE_CONTACTS READ_CALL_LOG WRITE_CALL_LOG READ_CALENDAR
WRITE_CALENDAR WIFI_SCAN POST_NOTIFICATION CALL_PHONE READ_SMS WRITE_SMS RECEIVE_SMS SEND_SMS WRITE_SETTINGS
SYSTEM_ALERT_WINDOW CAMERA RECORD_AUDIO WAKE_LOCK GET_USAGE_STATS READ_PHONE_STATE READ_EXTERNAL_STORAGE
WRITE_EXTERNAL_STORAGE RUN_IN_BACKGROUND RUN_ANY_IN_BACKGROUND REQUEST_INSTALL_PACKAGES START_FOREGROUND
MANAGE_EXTERNAL_STORAGE SCHEDULE_EXACT_ALARM PROJECT_MEDIA PICTURE_IN_PICTURE
"""
OPERATIONS = frozenset(_OPERATIONS.split())
HOLDS_ONE = ("android.app.role.HOME", "android.app.role.BROWSER", "android.app.role.DIALER", "android.app.role.SMS")
ROLES = (*HOLDS_ONE, "android.app.role.ASSISTANT", "android.app.role.EMERGENCY", "android.app.role.CALL_REDIRECTION")


def _operation(word: str) -> str:
    name = word.removeprefix("android:").upper()
    if name not in OPERATIONS:
        raise illegal(f"Unknown operation string: {word}")
    return name


def appops(process: Process, args: Args) -> int:
    """``cmd appops set|get|reset [--user N] <PKG|UID|--uid PKG> OP MODE``"""
    command = args.next()
    user, whole_uid = 0, False
    while (option := args.option()) is not None:
        user = user_argument(args) or 0 if option == "--user" else user
        whole_uid = whole_uid or option == "--uid"
    if command not in {"set", "get", "reset"}:
        process.say(f"Unknown command: {command}\n")
        return 255
    target = args.next()
    if target is None and command != "reset":
        process.complain("Error: Package name or UID not specified.\n")
        return 255
    packages = _targets(process.phone, target, user)
    if not packages:
        process.complain(f"Error: No UID for {target} in user {user}\n")
        return 255
    if command == "get":
        return _get_ops(process, packages[0], args.next())
    _may_change_ops(process.phone)
    if command == "reset":
        for package in packages:
            package.appops.clear()
        return 0
    return _set_op(process, packages if whole_uid else packages[:1], args)


def _targets(phone: Phone, word: str | None, user: int) -> list[Package]:
    if word is None:
        return phone.packages.all()
    if word.isdecimal():
        return phone.packages.by_uid(int(word))
    package = phone.packages.installed(word, user)
    return [package] if package else []


def _may_change_ops(phone: Phone) -> None:
    needed = "MANAGE_APP_OPS_MODES" if phone.api >= 29 else "UPDATE_APP_OPS_STATS"
    if not phone.holds(needed):
        raise denied(f"uid 2000 does not have android.permission.{needed}")


def _set_op(process: Process, packages: list[Package], args: Args) -> int:
    word = args.next()
    if word is None:
        process.complain("Error: Operation not specified.\n")
        return 255
    mode = args.next()
    try:
        operation = _operation(word)
    except JavaError as error:
        process.complain(f"Error: {error.message}\n")
        return 255
    if mode is None:
        process.complain("Error: Mode not specified.\n")
        return 255
    if mode not in MODES or (mode == "foreground" and process.phone.api < 29):
        process.complain(f"Error: Mode {mode} is not valid\n")
        return 255
    for package in packages:
        package.appops[operation] = mode
    return 0


def _get_ops(process: Process, package: Package, word: str | None) -> int:
    ops = {name: mode for name, mode in package.appops.items() if word is None or name == _operation(word)}
    process.say("".join(f"{name}: {mode}\n" for name, mode in ops.items()) or "No operations.\n")
    return 0


def role(process: Process, args: Args) -> int:
    """``cmd role add-role-holder|remove-role-holder|clear-role-holders|get-role-holders …``"""
    phone = process.phone
    command = args.next()
    user = 0
    while (option := args.option()) is not None:
        user = user_argument(args) or 0 if option == "--user" else user
    if not phone.holds("MANAGE_ROLE_HOLDERS"):
        raise lacks("MANAGE_ROLE_HOLDERS")
    name = args.need()
    holders = phone.roles.get(name, [])
    if command == "get-role-holders" and phone.api >= 31:
        process.say("".join(f"{holder}\n" for holder in holders))
        return 0
    if command not in {"add-role-holder", "remove-role-holder", "clear-role-holders"}:
        process.say(f"Unknown command: {command}\n")
        return 255
    package = "" if command == "clear-role-holders" else args.need()
    if name not in ROLES or (package and phone.packages.installed(package, user) is None):
        process.complain("Error: see logcat for details.\n")
        return 255
    if command == "add-role-holder":
        phone.roles[name] = [package] if name in HOLDS_ONE else [*[one for one in holders if one != package], package]
    else:
        phone.roles[name] = [one for one in holders if package and one != package]
    return 0


def uimode(process: Process, args: Args) -> int:
    """``cmd uimode night [yes|no|auto|…]``"""
    if args.next() != "night":
        process.say("UiModeManager service (uimode) commands:\n")
        return 0
    word = args.next()
    modes = ("yes", "no", "auto", *(("custom",) if process.phone.api >= 30 else ()))
    modes += ("custom_schedule", "custom_bedtime") if process.phone.api >= 33 else ()
    if word is not None:
        if word not in modes:
            process.complain(f"Error: mode must be one of {', '.join(modes)}\n")
            return 255
        if process.phone.api >= 30 and not process.phone.holds("MODIFY_DAY_NIGHT_MODE"):
            raise lacks("MODIFY_DAY_NIGHT_MODE")
        process.phone.night = word
    process.say(f"Night mode: {process.phone.night}\n")
    return 0


def locale(process: Process, args: Args) -> int:
    """``cmd locale set-app-locales PKG --user N --locales L`` and ``get-app-locales PKG``"""
    command, name = args.next(), args.need()
    locales, user = "", 0
    while (option := args.option()) is not None:
        if option == "--user":
            user = user_argument(args) or 0
        elif option == "--locales":
            locales = args.next() or ""
    if process.phone.packages.installed(name, user) is None:
        raise illegal(f"Unknown package: {name} for user {user}")
    if command == "set-app-locales":
        process.phone.locales[name] = locales
    elif command == "get-app-locales":
        process.say(f"Locales for {name} for user {user} are [{process.phone.locales.get(name, '')}]\n")
    return 0


def testharness(process: Process, args: Args) -> int:
    """``cmd testharness enable|restore`` (§6). It would wipe; the bench is told through ``on_reboot``."""
    if args.next() not in {"enable", "restore"}:
        process.say("About:\n  Test Harness Mode is a mode that the device can be placed in.\n")
        return 0
    if process.phone.credential.kind != "none":
        process.complain("Test Harness Mode cannot be enabled if there is a lock screen\n")
        return 2
    if "ro.frp.pst" not in process.phone.properties:
        process.complain("Failed to enable Test Harness Mode\n")
        return 1
    process.phone.on_reboot("wipe")
    return 0


def appops_program(process: Process) -> int:
    """``appops …``, a name for ``cmd appops``."""
    words = process.argv[1:]
    return behind_cmd(process, words[0] if words else "", lambda: appops(process, Args(words)))
