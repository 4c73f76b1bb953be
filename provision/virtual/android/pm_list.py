"""``pm list``, ``path``, ``dump`` and other questions to the package manager (§5.4, §5.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from provision.virtual.android.envelope import Args, illegal, java_int, user_argument
from provision.virtual.android.packages import DEFAULT, ENABLED, Package
from provision.virtual.android.permissions import Kind, kind, table
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

SINCE = {"--show-versioncode": 26, "--uid": 26, "--apex-only": 29, "--show-stopped": 34, "--factory-only": 34}
SINCE |= {"--match-libraries": 34, "-f": 1, "-U": 1, "-i": 1, "-3": 1, "-s": 1, "-d": 1, "-e": 1, "-u": 1, "-l": 1}
SINCE |= {"--user": 1, "-a": 28, "-lf": 1}


@dataclass
class Wanted:
    """What ``pm list packages`` was asked for."""

    flags: set[str] = field(default_factory=set)
    user: int | None = 0
    uid: int | None = None
    words: str = ""

    def takes(self, package: Package) -> bool:
        state = package.state(self.user or 0)
        enabled = state.enabled in {DEFAULT, ENABLED}
        return all(
            (
                state.installed or bool({"-u", "-a"} & self.flags),
                not ("-3" in self.flags and package.system),
                not ("-s" in self.flags and not package.system),
                not ("--factory-only" in self.flags and not package.system),
                not ("-d" in self.flags and enabled),
                not ("-e" in self.flags and not enabled),
                "--apex-only" not in self.flags,
                self.uid is None or package.uid == self.uid % 100000,
                self.words in package.name,
            )
        )


def list_things(process: Process, args: Args) -> int:
    """``pm list …``"""
    phone = process.phone
    what = args.next()
    if what in {"package", "packages"}:
        return _packages(process, args)
    if what == "users":
        process.say(users_text(phone))
        return 0
    if what == "features":
        process.say("".join(f"feature:{name}\n" for name in device_features(phone)))
        return 0
    if what == "libraries":
        process.say("library:android.test.runner\nlibrary:org.apache.http.legacy\n")
        return 0
    if what == "permissions":
        process.say("All Permissions:\n\n")
        process.say(
            "".join(f"permission:{name}\n" for name in table()["dangerous"] if kind(name, phone.api) is Kind.DANGEROUS)
        )
        return 0
    if what is None:
        process.say("Error: didn't specify type of data to list\n")
        return 255
    process.say(f"Error: unknown list type '{what}'\n")
    return 255


def _packages(process: Process, args: Args) -> int:
    wanted = Wanted()
    while (option := args.option()) is not None:
        if SINCE.get(option, 99) > process.phone.api:
            process.complain(f"Error: Unknown option: {option}\n")
            return 255
        if option == "--user":
            wanted.user = user_argument(args)
        elif option == "--uid":
            wanted.flags.add("-U")
            wanted.uid = java_int(args.next())
        else:
            wanted.flags.add(option)
    wanted.words = args.next() or ""
    lines = [_line(process.phone, package, wanted) for package in process.phone.packages.all() if wanted.takes(package)]
    process.say("".join(lines))
    return 0


def _line(phone: Phone, package: Package, wanted: Wanted) -> str:
    path = f"{package.parts['base'].path}=" if {"-f", "-lf"} & wanted.flags else ""
    line = f"package:{path}{package.name}"
    if "--show-versioncode" in wanted.flags:
        line += f" versionCode:{package.version_code}"
    if "--show-stopped" in wanted.flags:
        line += f" stopped={str(package.state(wanted.user or 0).stopped).lower()}"
    if "-i" in wanted.flags:
        # Two spaces up to 13 [inferred], one in the sample of §5.5.
        line += f"{' ' if phone.api >= 34 else '  '}installer={package.installer or 'null'}"
    if "-U" in wanted.flags:
        line += f" uid:{(wanted.user or 0) * 100000 + package.uid}"
    return line + "\n"


def users_text(phone: Phone) -> str:
    """As ``pm list users`` writes it. From 11 on the flags of a full user are c13, of another c10 [inferred]."""
    lines = ["Users:"]
    for user in phone.users:
        flags = ("c13" if user.id == 0 else "c10") if phone.api >= 30 else ("13" if user.id == 0 else "10")
        lines.append(f"\tUserInfo{{{user.id}:{user.name}:{flags}}}{' running' if user.running else ''}")
    return "\n".join(lines) + "\n"


def device_features(phone: Phone) -> list[str]:
    """The features that decide what a phone can do."""
    found = ["android.hardware.wifi", "android.hardware.bluetooth", "android.software.device_admin"]
    found += ["android.software.managed_users"]
    if phone.imei:
        found += ["android.hardware.telephony", "android.hardware.telephony.gsm"]
    if phone.api >= 29:
        found.append("android.software.verified_boot")
    return found


def has_feature(process: Process, args: Args) -> int:
    name = args.next()
    if name is None:
        process.complain("Error: expected FEATURE name\n")
        return 1
    found = name in device_features(process.phone)
    process.say(f"{str(found).lower()}\n")
    return 0 if found else 1


def path(process: Process, args: Args) -> int:
    """``pm path [--user N] PKG``: one line per APK; nothing and 1 when there is none."""
    user: int | None = 0
    option = args.option()
    if option == "--user":
        user = user_argument(args)
    name = args.next()
    if name is None:
        process.complain("Error: no package specified\n")
        return 1
    package = process.phone.packages.installed(name, user or 0)
    if package is None:
        return 1
    process.say("".join(f"package:{part.path}\n" for part in package.parts.values()))
    return 0


def permission_name(process: Process, args: Args) -> tuple[str, str, int]:
    """``[--user N] PKG PERMISSION`` of ``pm grant`` and ``pm revoke``."""
    user: int | None = 0
    while (option := args.option()) is not None:
        if option == "--user":
            user = user_argument(args)
    name = args.next()
    if name is None:
        process.complain("Error: no package specified\n")
        raise illegal("no package specified")
    permission = args.next()
    if permission is None:
        process.complain("Error: no permission specified\n")
        raise illegal("no permission specified")
    return name, permission, user or 0
