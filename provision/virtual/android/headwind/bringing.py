"""How the agent brings its phone to what a configuration says: files, then apps (§3.5)."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Callable
from typing import Any

from provision.virtual.android.envelope import JavaError
from provision.virtual.android.headwind.http import NO_ANSWER, Client
from provision.virtual.android.headwind.memory import HOME, PACKAGE, Memory
from provision.virtual.android.installer import Refused, commit
from provision.virtual.android.packages import SYSTEM, Package
from provision.virtual.android.paths import SHARED, failure, parts
from provision.virtual.android.permissions import Kind, kind
from provision.virtual.android.phone import Phone
from provision.virtual.android.policy import owns
from provision.virtual.android.sessions import Options

Row = dict[str, Any]


class Stopped(Exception):
    """The update ends here: what was asked for cannot be had. The restrictions stay released."""


class Bringing:
    """One update's work. ``note`` takes a line for the agent's log. ``waits``: for Wi-Fi; it leaves all files and apps
    as they are, those that are to go, too."""

    def __init__(
        self, phone: Phone, memory: Memory, client: Client, note: Callable[[str], None], *, waits: bool
    ) -> None:
        self._phone = phone
        self._memory = memory
        self._client = client
        self._note = note
        self._waits = waits

    # Files ----------------------------------------------------------------------------------------------------

    def files(self, rows: list[Row]) -> None:
        """Take away and fetch; raises :class:`Stopped` at the first that cannot be fetched or put in its place."""
        todo = [row for row in rows if row.get("path") is not None and self._is_file_due(row)]
        if todo and self._waits:
            self._note("Updating files not enabled: waiting for WiFi connection")
            return
        for row in todo:
            path = _place(row)
            if row.get("remove"):
                self._remove(row["path"], path)
            else:
                self._fetch_file(row, path)

    def _is_file_due(self, row: Row) -> bool:
        there = self._phone.files.exists(_place(row), uid=SYSTEM)
        return there if row.get("remove") else bool(row.get("url")) and not (there and self._is_known(row))

    def _is_known(self, row: Row) -> bool:
        """It was fetched before, and the server has none that is newer: the time decides, not the checksum."""
        known = self._memory.files.get(row["path"])
        return known is not None and int(known.get("lastUpdate") or 0) >= int(row.get("lastUpdate") or 0)

    def _remove(self, name: str, path: str) -> None:
        try:
            self._need_shared(path)
            self._phone.files.unlink(path, uid=SYSTEM)
            self._memory.files.pop(name, None)
        except OSError as error:
            self._note(f"Failed to remove file: {name}: {error.strerror}")

    def _fetch_file(self, row: Row, path: str) -> None:
        staged = self._download(row["url"], f"file {row['path']}")
        files = self._phone.files
        try:
            self._need_shared(path)
            files.mkdir(path.rpartition("/")[0], parents=True, uid=SYSTEM)
            files.rename(staged, path, uid=SYSTEM)
        except OSError as error:
            self._drop(staged)
            raise Stopped(f"failed to create file {row['path']}: {error.strerror}") from None
        self._memory.files[row["path"]] = dict(row)

    def _need_shared(self, path: str) -> None:
        """The agent may write to shared storage only, whatever way the path takes."""
        real = self._phone.files.resolve(path.rpartition("/")[0], uid=SYSTEM) if ".." in parts(path) else path
        if not f"{real}/".startswith(f"{SHARED}/"):
            raise failure(errno.EACCES, path)

    def _download(self, url: str, what: str) -> str:
        """Where its bytes are. Raises :class:`Stopped` without them."""
        name = url.rpartition("/")[2].partition("?")[0] or "download"
        staged = f"{HOME}/{name}"
        try:
            self._phone.files.mkdir(HOME, parents=True, uid=SYSTEM)
            with self._phone.files.create(staged, uid=SYSTEM) as file:
                self._client.download(url, file.write)
        except NO_ANSWER as error:
            self._drop(staged)
            raise Stopped(f"failed to download {what}: {error}") from None
        return staged

    def _drop(self, path: str) -> None:
        with contextlib.suppress(OSError):
            self._phone.files.unlink(path, uid=SYSTEM)

    # Apps -----------------------------------------------------------------------------------------------------

    def apps(self, rows: list[Row]) -> bool:
        """Take away, then install. Raises :class:`Stopped` at the first that cannot be fetched; one that the phone
        refuses is told and passed over. Whether the agent itself was among them: then its process is over.
        """
        apps = [row for row in rows if row.get("pkg") and row.get("type") in {None, "app"}]
        todo = [row for row in apps if row.get("remove") and self._is_to_go(row)]
        todo += [row for row in apps if not row.get("remove") and self._is_due(row, apps)]
        if todo and self._waits:
            self._note("Application update not enabled: waiting for WiFi connection")
            return False
        for row in todo:
            if row.get("remove"):
                self._uninstall(row["pkg"])
            else:
                self._install(row)
                if row["pkg"] == PACKAGE:
                    return True
        return False

    def _is_to_go(self, row: Row) -> bool:
        package = self._phone.packages.installed(row["pkg"], 0)
        version = str(row.get("version") or "0")
        return package is not None and (version == "0" or _digits(version) == _digits(package.version_name))

    def _is_due(self, row: Row, apps: list[Row]) -> bool:
        if not str(row.get("url") or "").strip():
            return False  # a system app, which is only shown
        package = self._phone.packages.installed(row["pkg"], 0)
        if package is None:
            return True
        order = _compare(package, row)
        if row.get("skipVersion") or order == 0:
            return False
        gone = any(one["pkg"] == row["pkg"] and one.get("remove") and self._is_to_go(one) for one in apps)
        return order < 0 or gone

    def _install(self, row: Row) -> None:
        staged = self._download(row["url"], f"app {row['pkg']}")
        try:
            if not owns(self._phone, PACKAGE):
                self._note(f"Asking user to install app {row['pkg']}")  # who is not there
                return
            install(self._phone, staged, str(row["pkg"]))
        except (Refused, JavaError, OSError) as refusal:
            self._note(f"Install failed: {row['pkg']}: {refusal}")
        finally:
            self._drop(staged)

    def _uninstall(self, name: str) -> None:
        phone = self._phone
        package = phone.packages.installed(name, 0)
        if package is None or not owns(phone, PACKAGE):
            self._note(f"Asking user to uninstall app {name}")
            return
        with phone.lock:
            if any(admin.package == name for admin in phone.admins):
                self._note(f"Uninstall failed: {name} is an admin")
                return
            phone.packages.remove(package, [0], keep_data=False)


def _place(row: Row) -> str:
    return f"{SHARED}/{row['path']}"


def install(phone: Phone, path: str, name: str) -> None:
    """As the owner's PackageInstaller session does, without asking. Raises Refused, or JavaError under
    ``no_install_apps``, which bars the owner too."""
    if "no_install_apps" in phone.user_restrictions:
        raise JavaError("java.lang.SecurityException", "User restriction prevents installing")
    options = Options(user=0, replace=True, grant=True, installer=PACKAGE, from_adb=False, package=name)
    session = phone.sessions.create(options)
    try:
        with phone.files.open(path, uid=SYSTEM) as source:
            size = phone.files.stat(path, uid=SYSTEM).size
            phone.sessions.write(session, "COSU", size, _Reader(source.read))
    except BaseException:
        phone.sessions.close(session)
        raise
    commit(phone, session)


class _Reader:
    def __init__(self, read: Callable[[int], bytes | None]) -> None:
        self._read = read

    def read(self, size: int, /) -> bytes:
        return self._read(size) or b""


def grant_itself(phone: Phone) -> None:
    """An owner gives its own app every permission that it asks for."""
    package = phone.packages.installed(PACKAGE, 0)
    if package is not None and owns(phone, PACKAGE):
        asked = {name for name in package.permissions if kind(name, phone.api) is Kind.DANGEROUS}
        package.state(0).granted |= asked


def _compare(package: Package, row: Row) -> int:
    """Below 0: what is there is older than what is wanted. By the code when the server gives one, else by the name."""
    code = row.get("code")
    if code:
        return (package.version_code > int(code)) - (package.version_code < int(code))
    wanted = str(row.get("version") or "0")
    if wanted == "0":
        return 0
    here, there = (_digits(name).split(".") for name in (package.version_name, wanted))
    ours, theirs = [int(part or 0) for part in here], [int(part or 0) for part in there]
    return (ours > theirs) - (ours < theirs)


def _digits(version: str) -> str:
    return re.sub(r"[^\d.]", "", version)
