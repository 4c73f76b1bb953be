"""One app on the phone: how it stands there, and what makes it the one that is wanted (facts/android.md §2.2, §5.5).

Version, signer and the hash of every file are compared before anything is sent. The phone hashes its own APKs and
expansion files (OBB). What it found is kept in ``/data/local/tmp/.schoolbag.apps`` by path, size and time, and is
believed while these stay the same, since a path is new after every install from Android 8 on. Where a phone does not
let its APKs be read, that they are ours is known by the seal of our last run only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from profiles.schema import AndroidApp, Profile
from provision.android.actions import CHECKS_OFF, VERIFIER, Install, Run
from provision.android.apk import Apk, ApkError, AppFiles, Obb, for_device, read
from provision.android.command import Command, command, script
from provision.android.placing import TOOL, Placed, digest, known_tool, place
from provision.android.reading import number
from provision.model import Action, Cannot, Facts, Identity, Met, Step, Unit
from provision.text import amount

_RECORD = "/data/local/tmp/.schoolbag.apps"
_RUNTIME_PERMISSIONS = 23
_INSTALL_EXISTING = 26

_OBBS = "/sdcard/Android/obb"

_FILES = f"""
{{
  pm path "$1" | sed -n 's/^package://p' | tr -d '\\r'
  for f in "{_OBBS}/$1/"*.obb; do [ ! -f "$f" ] || echo "$f"; done
}} | while read -r f; do
  s="$(stat -c '%s %Y' "$f")"
  line=
  [ -z "$2" ] && line="$(grep -F " $s $f" "$3" 2>/dev/null | head -n 1)"
  [ -n "$line" ] || line="$($h < "$f" | cut -d ' ' -f 1) $s $f"
  echo "file $line"
done
"""

_LOOK = f"""
{TOOL}
echo "tool $h"
dumpsys package "$1" | grep -E 'versionCode=|signatures=|User 0:|: granted='
{_FILES}
"""

_REMEMBER = f"""
{TOOL}
{{
  grep -vF "/$1-" "$3" 2>/dev/null | grep -vF "/$1/"
  {_FILES.strip()} | sed 's/^file //'
}} > "$3.$1" && mv -f "$3.$1" "$3"
"""

_VERSION = re.compile(r"versionCode=(\d{1,18})")
_SIGNER = re.compile(r"signatures=PackageSignatures\{[^\[\n]{0,100}\[([0-9a-f]{1,8})[,\]]")
_USER = re.compile(r"User 0:.{0,400}?\binstalled=(true|false)")
_GRANTED = re.compile(r"^[ \t]*([\w.]{1,255}): granted=true", re.MULTILINE)
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Installed:
    """One app on the phone. ``present``: for user 0; ``signer``: as dumpsys prints it ("" unread).

    ``files``: hashes (hex) of its APKs, empty when one of them cannot be read; ``obbs``: hash by file name.
    """

    version: int | None = None
    present: bool = False
    signer: str = ""
    granted: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    obbs: Mapping[str, str] = field(default_factory=dict)
    tool: str = "sha256sum"


def look(package: str, *, deep: bool) -> Command:
    """The question how one app stands; ``deep`` has its files hashed again."""
    return script(_LOOK, package, "deep" if deep else "", _RECORD)


def installed(said: str) -> Installed:
    """What the phone answered to :func:`look`."""
    version, signer, user = _VERSION.search(said), _SIGNER.search(said), _USER.search(said)
    tool = re.search(r"^tool (\w{1,20})", said, re.MULTILINE)
    files, obbs = _hashes(said)
    return Installed(
        version=int(version[1]) if version else None,
        present=bool(user and user[1] == "true"),
        signer=signer[1] if signer else "",
        granted=frozenset(_GRANTED.findall(said)),
        files=files,
        obbs=obbs,
        tool=known_tool(tool[1] if tool else ""),
    )


def _hashes(said: str) -> tuple[frozenset[str], Mapping[str, str]]:
    """From lines ``file HASH SIZE TIME PATH``; the hash is missing where the phone could not read the file."""
    apks: list[str] = []
    obbs: dict[str, str] = {}
    for line in said.split("\n"):
        kind, _, rest = line.partition(" ")
        value, _, path = rest.partition(" ")
        if kind == "file" and f" {_OBBS}/" in path:
            obbs[path.rpartition("/")[2]] = value
        elif kind == "file":
            apks.append(value)
    return frozenset(apks) if all(map(_HASH.fullmatch, apks)) else frozenset(), obbs


@dataclass(frozen=True)
class Now:
    """What the plan for one item goes by besides the app itself; ``free`` in bytes.

    ``forbidden``: the phone lets nothing be installed, and this is what can be done about it.
    """

    item: str
    unit: Unit
    verifier: bool
    free: int | None
    forbidden: str = ""


@dataclass(frozen=True)
class Wanted:
    """What the profile wants of one app on this very phone. Without ``app`` there is no file: it has to be there."""

    entry: AndroidApp
    api: int
    app: AppFiles | None = None
    apks: tuple[Apk, ...] = ()
    grants: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entry: AndroidApp, who: Identity) -> Wanted | Cannot:
        if not entry.file:
            return cls(entry, who.api, grants=frozenset(map(permission, entry.grant)))
        try:
            app = read(entry.file)
            apks = for_device(app, _abis(who), _density(who))
        except ApkError as error:
            return Cannot(error.what.rstrip("."), error.next_action)
        if who.api < app.min_sdk:
            return Cannot(f"it needs Android API {app.min_sdk}, this is {who.api}", "Take an older version of the app.")
        if app.signer_for(who.api) is None:
            return Cannot(f"Android {who.version} does not know how it is signed", "Get it signed the older way too.")
        grants = frozenset(p for p in map(permission, entry.grant) if app.permissions.get(p, 0) >= who.api)
        return cls(entry, who.api, app, apks, grants if who.api >= _RUNTIME_PERMISSIONS else frozenset())

    @property
    def name(self) -> str:
        """The package, with its version where the profile has its file."""
        app = self.app
        return f"{app.package} {app.version_name} ({app.version_code})" if app else self.entry.package

    def state(self, there: Installed, now: Now) -> Met | Step | Cannot:
        missing = sorted(self.grants - there.granted)
        if self.app is None:
            return self._kept(there, missing, now)
        if no := self._barred(there, self.app):
            return no
        why, send = self._difference(there, self.app)
        obbs = [obb for obb in self.app.obbs if there.obbs.get(obb.name) != _digest(obb, there.tool)]
        seal = "" if send or there.files else self._seal(now.unit)
        if seal and now.unit.sealed.get(now.item) != seal:
            why, send = f"version {there.version} is there, but its files cannot be read on this phone", True
        if send and now.forbidden:
            return _forbidden(why, now)
        if no := _no_room(self.apks if send else (), obbs, now.free):
            return no
        rest = obbs or missing
        if not send:
            if not rest:
                return Met(_there(there), sealed=seal)
            why = f"{len(obbs)} of its expansion files are missing or differ" if obbs else f"it lacks {_list(missing)}"
        grants = sorted(self.grants) if send else missing
        actions = tuple(self._actions(self.app, there, send, now.verifier, obbs, grants))
        return Step(why, actions, sealed="" if rest else seal, overlaps=True)

    def _kept(self, there: Installed, missing: list[str], now: Now) -> Met | Step | Cannot:
        package = self.entry.package
        if there.version is None:
            return Cannot("it is not on this phone, and the profile names no file", "Name its file in the profile.")
        grants = tuple(_grant(package, name) for name in missing)
        if there.present:
            return Step(f"it lacks {_list(missing)}", grants) if missing else self._somebodys(now.unit)
        if self.api < _INSTALL_EXISTING:
            return Cannot("it is switched off for this user, and this Android does not let it be brought back")
        if now.forbidden:
            return _forbidden("it is switched off for this user", now)
        back = Run(command("cmd", "package", "install-existing", "--user", 0, package), expect="installed for user")
        return Step("it is on this phone, but not for this user", (back, *grants))

    def _somebodys(self, unit: Unit) -> Met:
        """It is there, and came from elsewhere: dumpsys tells no certificate, so a wanted signer stays unread."""
        if self.entry.signer is None:
            return Met("it is on this phone")
        why = "it is on this phone; who signed it cannot be compared without its file"
        return Met(why, sealed=unit.seal(self.entry.signer))

    def _seal(self, unit: Unit) -> str:
        """What our last run installed, where it cannot be read back: version and signer are in the bytes."""
        return unit.seal("\0".join(sorted(apk.sha256 for apk in self.apks)))

    def _barred(self, there: Installed, app: AppFiles) -> Cannot | None:
        signer = app.signer_for(self.api)
        if (
            there.version is not None
            and there.signer
            and signer
            and there.signer not in {signer.short, *signer.replaces}
        ):
            return Cannot(
                "the one on this phone is signed by somebody else, so Android will not replace it",
                "Uninstall it on the phone (its data is lost), then run again.",
                in_the_way=True,
            )
        if there.version is not None and there.version > app.version_code:
            return Cannot(
                f"version {there.version} is on this phone, and Android does not go back to {app.version_code}",
                "Put the newer version into the profile, or uninstall the app on the phone (its data is lost).",
                in_the_way=True,
            )
        return None

    def _difference(self, there: Installed, app: AppFiles) -> tuple[str, bool]:
        if there.version is None or not there.present:
            return "it is not on this phone", True
        if there.version != app.version_code:
            return f"version {there.version} is on this phone", True
        return ("", False) if self._same(there) else ("its files differ from those of the profile", True)

    def _same(self, there: Installed) -> bool:
        return not there.files or there.files == frozenset(_digest(apk, there.tool) for apk in self.apks)

    def _actions(
        self, app: AppFiles, there: Installed, send: bool, verifier: bool, obbs: list[Obb], missing: list[str]
    ) -> Iterator[Action]:
        if send:
            if verifier:
                yield Run(command("settings", "put", "global", VERIFIER, 0), may_fail=True, leaves=CHECKS_OFF)
            options = ("-r", "-t") if app.test_only else ("-r",)
            paths = tuple(apk.path for apk in self.apks)
            yield Install(app.package, paths, sum(apk.size for apk in self.apks), options)
        if obbs:
            files = [Placed(obb.path, obb.name, obb.size, _digest(obb, there.tool)) for obb in obbs]
            yield from place(f"{_OBBS}/{app.package}", files, (), there.tool)
        if send or obbs:
            note = script(_REMEMBER, app.package, "deep", _RECORD, says="note the hashes of its files")
            yield Run(note, may_fail=True)
        for name in missing:
            yield _grant(app.package, name)


def installing_forbidden(profile: Profile, facts: Facts) -> str:
    """What can be done about it where the phone lets nothing be installed; "" where it does, and where it is unread."""
    if "no_install_apps" not in (facts.enforced.keys or ()):
        return ""
    agent = profile.owner.agent if profile.owner else ""
    return _LIFTED.get(agent, "Have the phone's owner lift that, then run again.")


_LIFTED = {
    "headwind": "Have its agent install it: make a release and run fleet push RELEASE --via agent.",
    "testdpc": "Lift no_install_apps in TestDPC on the phone (Set user restrictions), then run again.",
}


def _forbidden(why: str, now: Now) -> Cannot:
    return Cannot(f"{why}, and the phone's owner forbids installing apps", now.forbidden, in_the_way=True)


def _there(there: Installed) -> str:
    """What of the app was found to be as it is wanted: nothing is named that was not read."""
    if not there.files:
        return f"version {there.version} is that of our last run; its files cannot be read on this phone"
    signed = " and its signer are" if there.signer else " is"
    return f"version {there.version}{signed} there, and so are its files"


def _no_room(apks: Iterable[Apk], obbs: Iterable[Obb], free: int | None) -> Cannot | None:
    need = sum(apk.size for apk in apks) + sum(obb.size for obb in obbs)
    if free is None or need <= free:
        return None
    return Cannot(f"it needs {amount(need)} and {amount(free)} are free", "Make room first.", in_the_way=True)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _digest(file: Apk | Obb, tool: str) -> str:
    return file.sha256 if tool == "sha256sum" else digest(file.path, tool)


def _grant(package: str, name: str) -> Run:
    return Run(command("pm", "grant", package, name), refused=("Exception", "Unknown", "not allowed", "Bad argument"))


def permission(name: str) -> str:
    """``camera`` is short for ``android.permission.CAMERA``; a name with a dot is taken as it is."""
    return name if "." in name else f"android.permission.{name.upper()}"


def _abis(who: Identity) -> list[str]:
    return [abi for abi in who.properties.get("ro.product.cpu.abilist", "").split(",") if abi]


def _density(who: Identity) -> int | None:
    return number(who.properties.get("ro.sf.lcd_density"))
