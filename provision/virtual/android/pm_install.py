"""``pm install…`` and ``pm uninstall`` (§2.1, §2.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import IO, Any

from provision.virtual.android.envelope import Args, JavaError, denied, illegal, java_int, user_argument
from provision.virtual.android.installer import Refused, commit
from provision.virtual.android.packages import Package
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process, Reader
from provision.virtual.android.sessions import Options, Session

FLAGS: dict[str, Any] = {
    "-r": {"replace": True},
    "-t": {"test_ok": True},
    "-g": {"grant": True},
    "-d": {"downgrade": True},
}
IGNORED = {"-f", "-l", "--dont-kill", "--full", "--instantapp", "--ephemeral", "--no-streaming", "-s"}
IGNORED_SINCE = {"--skip-verification": 30, "--update-ownership": 34, "--enable-rollback": 29, "--staged": 29}
IGNORED_VALUES = {"--install-location", "--install-reason", "--originating-uri", "--referrer"}


def _options(phone: Phone, args: Args) -> Options:
    """The options of ``install`` and ``install-create``. From 9 on -r is the default and -R takes it away."""
    options = Options(replace=phone.api >= 28)
    while (option := args.option()) is not None:
        if option in FLAGS:
            options = replace(options, **FLAGS[option])
        elif option == "-R" and phone.api >= 28:
            options = replace(options, replace=False)
        elif option == "--bypass-low-target-sdk-block" and phone.api >= 34:
            options = replace(options, low_target_ok=True)
        elif option in IGNORED or phone.api >= IGNORED_SINCE.get(option, 99):
            continue
        elif option in IGNORED_VALUES:
            args.need()
        else:
            options = _option_with_value(options, option, args)
    return options


def _option_with_value(options: Options, option: str, args: Args) -> Options:
    if option == "-S":
        size = java_int(args.need())
        if size <= 0:
            raise illegal("Size must be positive")
        return replace(options, size=size)
    if option == "-i":
        return replace(options, installer=args.need())
    if option == "-p":
        return replace(options, inherit=args.need())
    if option == "--abi":
        return replace(options, abi=args.need())
    if option == "--user":
        return replace(options, user=user_argument(args))
    raise illegal(f"Unknown option {option}")


def _open(phone: Phone, options: Options) -> Session:
    """Makes a session, if shell may: restrictions and room are looked at here."""
    if {"no_install_apps", "no_install_unknown_sources_globally"} & phone.user_restrictions:
        raise denied("User restriction prevents installing")
    if options.user is not None and phone.user(options.user) is None:
        raise denied(f"User {options.user} does not exist")  # [inferred]
    if options.grant and not phone.holds("INSTALL_GRANT_RUNTIME_PERMISSIONS"):
        raise denied(
            "You need the android.permission.INSTALL_GRANT_RUNTIME_PERMISSIONS permission to use the "
            "PackageManager.INSTALL_GRANT_RUNTIME_PERMISSIONS flag"
        )
    if options.size > phone.files.free:
        # [inferred] PackageHelper refuses the session; ≥ 8 as a ParcelableException.
        raise JavaError(
            "android.os.ParcelableException" if phone.api >= 26 else "java.io.IOException",
            f"{'java.io.IOException: ' if phone.api >= 26 else ''}Requested internal only, but not enough space",
        )
    return phone.sessions.create(options)


def create(process: Process, args: Args) -> int:
    """``pm install-create``"""
    session = _open(process.phone, _options(process.phone, args))
    process.say(f"Success: created install session [{session.id}]\n")
    return 0


def write(process: Process, args: Args) -> int:
    """``pm install-write [-S SIZE] ID NAME [PATH|-]``"""
    size = -1
    while (option := args.option()) is not None:
        if option != "-S":
            raise illegal(f"Unknown option: {option}")
        size = java_int(args.need())
    session_id = java_int(args.need())
    name = args.need()
    path = args.next()
    return _write(process, session_id, name, path, size)


def _write(process: Process, session_id: int, name: str, path: str | None, size: int, *, quiet: bool = False) -> int:
    source: Reader = process.stdin
    opened: IO[bytes] | None = None
    if path is not None and path != "-":
        try:
            size = process.phone.files.stat(path).size
            opened = process.phone.files.open(path)
            source = _Plain(opened)
        except OSError:
            process.complain(f"Error: Unable to open file: {path}\n")
            return 255
    try:
        if size <= 0:
            process.complain("Error: must specify an APK size\n")
            return 1
        session = process.phone.sessions.get(session_id)
        if "/" in name or name in {"", ".", ".."}:
            raise illegal(f"Invalid name: {name}")
        process.phone.sessions.write(session, name, size, source)
    except OSError:
        process.complain("Error: failed to write; write failed: ENOSPC (No space left on device)\n")
        return 1
    except EOFError:
        process.complain("Error: failed to write; java.io.IOException: Unexpected end of stream\n")  # [inferred]
        return 1
    finally:
        if opened is not None:
            opened.close()
    if not quiet:
        process.say(f"Success: streamed {size} bytes\n")
    return 0


class _Plain:
    """A file of the phone as a :class:`Reader`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        return self._file.read(size) or b""


def install_commit(process: Process, args: Args) -> int:
    """``pm install-commit ID``"""
    while args.option() is not None:
        pass
    return _commit(process, process.phone.sessions.get(java_int(args.next())))


def _commit(process: Process, session: Session) -> int:
    try:
        commit(process.phone, session)
    except Refused as refusal:
        process.say(f"Failure [{refusal}]\n")
        return 1
    process.say("Success\n")
    return 0


def abandon(process: Process, args: Args) -> int:
    """``pm install-abandon ID``"""
    session = process.phone.sessions.get(java_int(args.next()))
    process.phone.sessions.close(session)
    process.say("Success\n")
    return 0


def install(process: Process, args: Args) -> int:
    """``pm install [opts] PATH…`` or, with ``-S SIZE``, exactly so many bytes of the standard input.

    Whatever goes wrong before the verdict, the connection too, abandons the session.
    """
    options = _options(process.phone, args)
    paths = args.rest()
    streamed = not paths or paths[0] == "-"
    if streamed and options.size == -1:
        process.say("Error: must either specify a package size or an APK file\n")
        return 1
    if not streamed:
        options = replace(options, size=-1)
    session = _open(process.phone, options)
    try:
        sources = [("base.apk", None)] if streamed else [(path.rpartition("/")[2], path) for path in paths]
        for name, path in sources:
            status = _write(process, session.id, name, path, options.size, quiet=True)
            if status:
                return status
        return _commit(process, session)
    finally:
        process.phone.sessions.close(session)


def uninstall(process: Process, args: Args) -> int:
    """``pm uninstall [-k] [--user N] [--versionCode V] PKG [SPLIT…]``"""
    keep, user, code = False, None, -1
    while (option := args.option()) is not None:
        if option == "-k":
            keep = True
        elif option == "--user":
            user = user_argument(args)
        elif option == "--versionCode":
            code = java_int(args.need())
        else:
            process.say(f"Error: Unknown option: {option}\n")
            return 1
    name = args.next()
    if name is None:
        process.say("Error: package name not specified\n")
        return 1
    with process.phone.lock:
        refusal = _uninstall(process.phone, name, user, code, args.rest(), keep=keep)
    process.say(f"Failure [{refusal}]\n" if refusal else "Success\n")
    return 1 if refusal else 0


def _uninstall(phone: Phone, name: str, user: int | None, code: int, splits: list[str], *, keep: bool) -> str | None:
    package = phone.packages.get(name)
    if package is None or (code != -1 and package.version_code != code):
        # [inferred] without --user the delete itself fails, with it the user's package info is looked up first.
        return f"not installed for {user}" if user is not None and package is None else "DELETE_FAILED_INTERNAL_ERROR"
    if user is not None and not package.state(user).installed:
        return f"not installed for {user}"
    if refusal := _may_not_go(phone, package, user):
        return refusal
    if splits:
        if any(split not in package.parts or split == "base" for split in splits):
            return "DELETE_FAILED_INTERNAL_ERROR"
        phone.packages.remove_splits(package, splits)
        return None
    users = [user] if user is not None else [person.id for person in phone.users]
    phone.packages.remove(package, users, keep_data=keep)
    phone.on_stop(name)
    return None


def _may_not_go(phone: Phone, package: Package, user: int | None) -> str | None:
    if any(admin.package == package.name for admin in phone.admins):
        return "DELETE_FAILED_DEVICE_POLICY_MANAGER"
    if {"no_uninstall_apps", "no_control_apps"} & phone.user_restrictions:
        return "DELETE_FAILED_USER_RESTRICTED"
    if package.uninstall_blocked:
        return "DELETE_FAILED_OWNER_BLOCKED"
    # A system app can only be taken from one user; asked for all, there is nothing to delete.
    return "DELETE_FAILED_INTERNAL_ERROR" if package.system and user is None else None
