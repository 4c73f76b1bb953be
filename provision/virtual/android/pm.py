"""``pm`` and ``cmd package``: the state of packages and users (§2.1), and the table of all its commands."""

from __future__ import annotations

from collections.abc import Iterator

from provision.virtual.android import dump_package, pm_install, pm_list
from provision.virtual.android.envelope import (
    Args,
    JavaError,
    Service,
    app_process,
    behind_cmd,
    denied,
    illegal,
    lacks,
    user_argument,
)
from provision.virtual.android.packages import DEFAULT, DISABLED, DISABLED_USER, ENABLED, ENABLED_NAMES, Package
from provision.virtual.android.permissions import Kind, kind
from provision.virtual.android.phone import Phone, User
from provision.virtual.android.policy import may_suspend
from provision.virtual.android.process import Process

HOME = "android.app.role.HOME"


def _user(args: Args, default: int | None = 0, takes: tuple[str, ...] = ()) -> int | None:
    """Reads the options up to the first word; ``takes`` are options with a value that does not matter here."""
    user = default
    while (option := args.option()) is not None:
        if option == "--user":
            user = user_argument(args)
        elif option in takes:
            args.need()
    return user


def _change_state(new: int) -> Service:
    def command(process: Process, args: Args) -> int:
        user = _user(args)
        name = args.next()
        if name is None:
            process.complain("Error: no package or component specified\n")
            return 1
        _set_enabled(process.phone, name, new, user or 0)
        process.say(f"Package {name} new state: {ENABLED_NAMES[new]}\n")
        return 0

    return command


def _set_enabled(phone: Phone, target: str, new: int, user: int) -> None:
    name, _, component = target.partition("/")
    package = phone.packages.get(name)
    if package is None or not package.state(user).installed:
        raise illegal(f"Unknown package: {name}")
    state = package.state(user)
    may = not component and DISABLED not in {new, state.enabled} and phone.holds("CHANGE_COMPONENT_ENABLED_STATE")
    if not may and not package.test_only:
        raise denied(f"Shell cannot change component state for {name}/{component or 'null'} to {new}")
    owned = any(admin.package == name for admin in phone.admins)
    if phone.api >= 28 and new == DISABLED_USER and ("protected" in package.flags or owned):
        raise denied(f"Cannot disable a protected package: {name}")
    state.enabled = new


def _suspend(process: Process, args: Args, *, suspend: bool) -> int:
    phone = process.phone
    user = _user(args, takes=("--dialogMessage",)) or 0
    names = args.rest()
    if not names:
        process.say("Error: package name not specified\n")
        return 1
    if not phone.holds("SUSPEND_APPS"):
        raise lacks("MANAGE_USERS")
    if phone.api in {28, 29} and (phone.owner or phone.profile_owners):
        raise JavaError(
            "java.lang.UnsupportedOperationException",
            f"Cannot suspend/unsuspend packages. User {user} has an active DO or PO",
        )
    for name in names:
        package = phone.packages.installed(name, user)
        if package is None:
            process.say(f"java.lang.IllegalArgumentException: Unknown target package: {name}\n")  # [inferred]
            return 1
        if not suspend or _suspendable(phone, package):
            package.state(user).suspended = suspend
        process.say(f"Package {name} new suspended state: {str(package.state(user).suspended).lower()}\n")
    return 0


def _suspendable(phone: Phone, package: Package) -> bool:
    if phone.api >= 30 and {"no_control_apps", "no_uninstall_apps"} & phone.user_restrictions:
        return False
    return may_suspend(phone, package)


def _hide(process: Process, args: Args, *, hidden: bool) -> int:
    user = _user(args) or 0
    name = args.need()
    if not process.phone.holds("MANAGE_USERS"):
        raise lacks("MANAGE_USERS")
    package = process.phone.packages.get(name)
    if package is None:
        raise illegal(f"Unknown package: {name}")
    package.state(user).hidden = hidden
    process.say(f"Package {name} new hidden state: {str(hidden).lower()}\n")
    return 0


def _clear(process: Process, args: Args) -> int:
    user = _user(args) or 0
    name = args.next()
    if name is None:
        process.complain("Error: no package specified\n")
        return 1
    package = process.phone.packages.installed(name, user)
    if package is None or any(admin.package == name for admin in process.phone.admins):
        process.say("Failed\n")
        return 1
    package.state(user).granted.clear()
    process.say("Success\n")
    return 0


def _grant(process: Process, args: Args, *, grant: bool) -> int:
    """7 to 8.1 catch what is thrown and put words of their own before it (§2.1)."""
    try:
        _change_permission(process, args, grant=grant)
    except JavaError as error:
        if process.phone.api > 27:
            raise
        ours = "Operation not allowed" if error.kind == "java.lang.SecurityException" else "Bad argument"
        process.complain(f"{ours}: {error}\n")
        return 1
    return 0


def _change_permission(process: Process, args: Args, *, grant: bool) -> None:
    phone = process.phone
    name, permission, user = pm_list.permission_name(process, args)
    doing, needed = ("grant", "GRANT") if grant else ("revoke", "REVOKE")
    if not phone.holds(f"{needed}_RUNTIME_PERMISSIONS"):
        raise lacks(f"{needed}_RUNTIME_PERMISSIONS", f"{doing}RuntimePermission")
    package = phone.packages.installed(name, user)
    if package is None:
        raise illegal(f"Unknown package: {name}")
    what = kind(permission, phone.api)
    if what is Kind.UNKNOWN:
        raise illegal(f"Unknown permission: {permission}")
    if permission not in package.permissions:
        raise denied(f"Package {name} has not requested permission {permission}")
    if what is Kind.ROLE:
        raise denied(f"Permission {permission} is managed by role")
    if what is Kind.FIXED:
        raise denied(f"Permission {permission} requested by {name} is not a changeable permission type")
    granted = package.state(user).granted
    granted.add(permission) if grant else granted.discard(permission)


def _install_existing(process: Process, args: Args) -> int:
    user = _user(args) or 0
    name = args.next()
    if name is None:
        process.say("Error: package name not specified\n")
        return 1
    package = process.phone.packages.get(name)
    if package is None:
        process.say(f"android.content.pm.PackageManager$NameNotFoundException: Package {name} doesn't exist\n")
        return 1
    state = package.state(user)
    state.installed = state.data = True
    process.say(f"Package {name} installed for user: {user}\n")
    return 0


def _set_user_restriction(process: Process, args: Args) -> int:
    """Refused to shell on every Android from 7 on (§0, §2.1)."""
    _user(args)
    args.need()
    if args.need() not in {"0", "1"}:
        process.complain("Error: valid value not specified\n")
        return 1
    raise denied("You need MANAGE_USERS permission to: setUserRestriction")


def _set_home(process: Process, args: Args) -> int:
    user = _user(args) or 0
    component = args.next() or ""
    package = process.phone.packages.installed(component.partition("/")[0], user)
    if package is None:
        process.complain("Error: Failed to set default home.\n")
        return 1
    process.phone.roles[HOME] = [package.name]
    process.say("Success\n")
    return 0


def _set_installer(process: Process, args: Args) -> int:
    name, installer = args.need(), args.need()
    package = process.phone.packages.get(name)
    if package is None:
        raise illegal(f"Unknown target package: {name}")
    if installer != "com.android.shell":
        raise denied(f"Caller does not have same cert as new installer package {installer}")
    package.installer = installer
    process.say("Success\n")
    return 0


def _create_user(process: Process, args: Args) -> int:
    phone = process.phone
    _user(args, takes=("--profileOf", "--user-type"))
    name = args.next()
    if name is None:
        process.complain("Error: no user name specified.\n")
        return 1
    if len(phone.users) >= phone.tree["max_users"] or "no_add_user" in phone.user_restrictions:
        process.complain("Error: couldn't create User.\n")
        return 1
    user = User(phone.next_user, name, running=False)
    phone.next_user += 1
    phone.users.append(user)
    for package in phone.packages.all():
        if package.system:
            package.state(user.id).installed = True
    process.say(f"Success: created user id {user.id}\n")
    return 0


def _remove_user(process: Process, args: Args) -> int:
    while args.option() is not None:
        pass
    number = args.number()
    user = process.phone.user(number)
    if user is None or number == 0 or "no_remove_user" in process.phone.user_restrictions:
        process.complain(f"Error: couldn't remove user id {number}\n")
        return 1
    process.phone.users.remove(user)
    for package in process.phone.packages.all():
        process.phone.packages.remove(package, [number], keep_data=False)
    process.say("Success: removed user\n")
    return 0


def _max_users(process: Process, _args: Args) -> int:
    process.say(f"Maximum supported users: {process.phone.tree['max_users']}\n")
    return 0


def _dump(process: Process, args: Args) -> int:
    process.say(dump_package.text(process.phone, args.next()))
    return 0


def _resolve_home(process: Process, args: Args) -> int:
    """``cmd package resolve-activity``: only the question for the home screen is answered, as --brief does."""
    words = args.rest()
    home = next(iter(process.phone.roles.get(HOME, [])), None) or next(_launchers(process.phone), None)
    if "android.intent.category.HOME" not in words or home is None:
        process.say("No activity found\n")
        return 0
    process.say(f"priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true\n{home}/.Launcher\n")
    return 0


def _launchers(phone: Phone) -> Iterator[str]:
    return (package.name for package in phone.packages.all() if "home" in package.flags)


COMMANDS: dict[str, tuple[int, Service]] = {
    "list": (1, pm_list.list_things),
    "path": (1, pm_list.path),
    "dump": (1, _dump),
    "has-feature": (26, pm_list.has_feature),
    "install": (1, pm_install.install),
    "install-create": (21, pm_install.create),
    "install-write": (21, pm_install.write),
    "install-commit": (21, pm_install.install_commit),
    "install-abandon": (21, pm_install.abandon),
    "install-existing": (24, _install_existing),
    "uninstall": (1, pm_install.uninstall),
    "enable": (1, _change_state(ENABLED)),
    "disable": (1, _change_state(DISABLED)),
    "disable-user": (1, _change_state(DISABLED_USER)),
    "default-state": (21, _change_state(DEFAULT)),
    "suspend": (24, lambda process, args: _suspend(process, args, suspend=True)),
    "unsuspend": (24, lambda process, args: _suspend(process, args, suspend=False)),
    "hide": (21, lambda process, args: _hide(process, args, hidden=True)),
    "unhide": (21, lambda process, args: _hide(process, args, hidden=False)),
    "clear": (1, _clear),
    "grant": (23, lambda process, args: _grant(process, args, grant=True)),
    "revoke": (23, lambda process, args: _grant(process, args, grant=False)),
    "set-user-restriction": (24, _set_user_restriction),
    "set-home-activity": (24, _set_home),
    "set-installer": (28, _set_installer),
    "resolve-activity": (24, _resolve_home),
    "create-user": (21, _create_user),
    "remove-user": (21, _remove_user),
    "get-max-users": (21, _max_users),
}
"""Command to the API that has it first and its program."""


def service(process: Process, args: Args) -> int:
    """``cmd package …``; also what ``pm`` calls."""
    name = args.next()
    since, command = COMMANDS.get(name or "", (99, None))
    if command is None or since > process.phone.api:
        process.say(f"Unknown command: {name}\n" if name else "Package manager (package) commands:\n  help\n")
        return 255 if name else 0
    return command(process, args)


def pm(process: Process) -> int:
    """A Java program of its own up to 7.1, a name for ``cmd package`` after (§2.0)."""
    words = process.argv[1:]
    sub = words[0] if words else ""
    if process.phone.api <= 25:
        return app_process(process, "usage: pm path [--user USER_ID] PACKAGE\n", lambda: service(process, Args(words)))
    return behind_cmd(process, sub, lambda: service(process, Args(words)))
