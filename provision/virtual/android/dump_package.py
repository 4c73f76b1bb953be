"""``dumpsys package`` (§5.5). The layout is that of AOSP, shortened to what tools read."""

from __future__ import annotations

from provision.virtual.android.packages import SYSTEM, Package
from provision.virtual.android.permissions import Kind, kind
from provision.virtual.android.phone import Phone
from provision.virtual.android.presets import made_up


def text(phone: Phone, name: str | None) -> str:
    """The dump for one package, or all."""
    found = [package for package in phone.packages.all() if name in {None, package.name}]
    if not found:
        return f"Unable to find package: {name}\n"
    blocks = "\n".join(_block(phone, package) for package in found)
    return f"Packages:\n{blocks}\n\nDexopt state:\n" + "".join(f"  [{package.name}]\n" for package in found)


def _block(phone: Phone, package: Package) -> str:
    mark = f"{int(made_up(8, package.name)):x}"
    lines = [f"  Package [{package.name}] ({mark}):", *_identity(phone, package, mark), *_permissions(phone, package)]
    for user in phone.users:
        lines += _user(phone, package, user.id)
    return "\n".join(lines)


def _identity(phone: Phone, package: Package, mark: str) -> list[str]:
    flags = ["SYSTEM", "HAS_CODE"] if package.system else ["HAS_CODE", "ALLOW_CLEAR_USER_DATA"]
    flags += ["TEST_ONLY"] if package.test_only else []
    flags += ["DEBUGGABLE"] if package.debuggable else []
    splits = ", ".join(package.parts)
    return [
        f"    {'appId' if phone.api >= 34 else 'userId'}={package.uid}",
        f"    pkg=Package{{{mark} {package.name}}}",
        f"    codePath={package.code_path}",
        f"    resourcePath={package.code_path}",
        f"    primaryCpuAbi={package.abi or 'null'}",
        "    secondaryCpuAbi=null",
        f"    versionCode={package.version_code} minSdk={package.min_sdk} targetSdk={package.target_sdk}",
        f"    versionName={package.version_name}",
        f"    splits=[{splits}]",
        f"    apkSigningVersion={package.scheme}",
        f"    flags=[ {' '.join(flags)} ]",
        f"    timeStamp={package.last_update}",
        f"    firstInstallTime={package.first_install}",
        f"    lastUpdateTime={package.last_update}",
        *([f"    installerPackageName={package.installer}"] if package.installer else []),
        f"    signatures={_signatures(phone, package, mark)}",
        f"    installPermissionsFixed={str(package.uid >= SYSTEM).lower()}",
        f"    pkgFlags=[ {' '.join(flags)} ]",
    ]


def _signatures(phone: Phone, package: Package, mark: str) -> str:
    if phone.api >= 28:
        inner = f"version:{package.scheme}, signatures:[{package.signer_hash}], past signatures:[]"
        return f"PackageSignatures{{{mark} {inner}}}"
    return f"PackageSignatures{{{mark} [{package.signer_hash}]}}"


def _permissions(phone: Phone, package: Package) -> list[str]:
    if not package.permissions:
        return []
    fixed = [name for name in package.permissions if kind(name, phone.api) is Kind.FIXED]
    return [
        "    requested permissions:",
        *(f"      {name}" for name in package.permissions),
        "    install permissions:",
        *(f"      {name}: granted=true" for name in fixed),
    ]


def _user(phone: Phone, package: Package, user: int) -> list[str]:
    state = package.state(user)
    more = " distractionFlags=0" if phone.api >= 30 else ""
    tail = " instant=false virtual=false" if phone.api >= 28 else ""
    line = (
        f"    User {user}: ceDataInode={made_up(6, package.name)} installed={_is(state.installed)} "
        f"hidden={_is(state.hidden)} suspended={_is(state.suspended)}{more} stopped={_is(state.stopped)} "
        f"notLaunched={_is(state.stopped)} enabled={state.enabled}{tail}"
    )
    runtime = [name for name in package.permissions if kind(name, phone.api) in {Kind.DANGEROUS, Kind.DEVELOPMENT}]
    if not runtime:
        return [line]
    flags = "USER_SENSITIVE_WHEN_GRANTED|USER_SENSITIVE_WHEN_DENIED" if phone.api >= 29 else ""
    lines = [f"        {name}: granted={_is(name in state.granted)}, flags=[ {flags}]" for name in runtime]
    return [line, "      runtime permissions:", *lines]


def _is(value: bool) -> str:
    return str(value).lower()
