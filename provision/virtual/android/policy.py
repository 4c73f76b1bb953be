"""What an app may do because it owns the device: DevicePolicyManager, as its agents call it."""

from __future__ import annotations

from provision.virtual.android.envelope import denied
from provision.virtual.android.packages import Package
from provision.virtual.android.phone import Phone
from provision.virtual.android.restrictions import table


def owns(phone: Phone, package: str) -> bool:
    """Whether this app is the owner of the device."""
    return phone.owner is not None and phone.owner.package == package


def may_suspend(phone: Phone, package: Package) -> bool:
    """Whether a package can be suspended at all: none of those that the phone cannot do without (§2.1)."""
    in_use = [*phone.roles.get("android.app.role.HOME", []), *phone.roles.get("android.app.role.DIALER", [])]
    admin = any(one.package == package.name for one in phone.admins)
    kept = admin or package.name in in_use or package.uninstall_blocked
    return not (kept or {"unsuspendable", "protected"} & package.flags)


def restrict(phone: Phone, package: str, key: str, *, on: bool) -> None:
    """``addUserRestriction`` or ``clearUserRestriction``. Throws when the app does not own the device."""
    if not owns(phone, package):
        raise denied(f"Admin ComponentInfo{{{package}}} does not own the device")  # [inferred] text
    with phone.lock:
        if phone.restrictions.by_owner(key, on=on):
            _take_hold(phone, key)


def _take_hold(phone: Phone, key: str) -> None:
    """What changes on the phone when a restriction comes into force."""
    for name, values in table()["puts"].get(key, {}).items():
        phone.settings[name] |= values
    if key == "no_data_roaming":
        settings = phone.settings["global"]
        settings |= {name: "0" for name in settings if name.startswith("data_roaming")}
    if key == "no_debugging_features":
        phone.on_adb_off()


def give_up(phone: Phone) -> None:
    """The owner lets go of the device: its restrictions go with it."""
    with phone.lock:
        owner, phone.owner = phone.owner, None
        phone.admins = [admin for admin in phone.admins if owner is None or admin.component != owner.component]
        phone.restrictions.policy.clear()
        phone.restrictions.own -= {"no_add_managed_profile", "no_add_clone_profile"}
