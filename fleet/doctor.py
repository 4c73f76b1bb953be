"""Is the registry of this bench whole, and may it be written? Nothing is made or changed by looking."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import URL, func, select

from fleet.db import is_there, reading, shown
from fleet.errors import RegistryError
from fleet.home import Home
from fleet.ledger import Broken, verify
from fleet.models import events
from fleet.supervision import keybag
from provision.doctor.check import Check, Look, Mark
from provision.ios import computer
from provision.text import counted, printable

_SLACK = timedelta(minutes=5)
_PAIRINGS = "pairings"
_SOON = timedelta(days=180)


def looks(home: Home, url: URL, now: datetime) -> Mapping[str, Look]:
    """The checks by name. Where there is no registry, or none that can be opened, the further ones are left out."""
    first: dict[str, Look] = {
        "home": partial(_home, home=home),
        "keybag": partial(_keybag, home=home, now=now),
        "registry": partial(_opens, url=url),
    }
    if computer.file_of(home.path / _PAIRINGS).exists():
        first["pairing"] = partial(_pairing, home=home)
    if not _can_be_read(url):
        return first
    return {
        **first,
        "integrity": partial(_integrity, url=url),
        "ledger": partial(_ledger, url=url),
        "ledger time": partial(_time, url=url, now=now),
    }


def _can_be_read(url: URL) -> bool:
    try:
        with reading(url):
            return is_there(url)
    except RegistryError:
        return False


def _home(name: str, home: Home) -> Iterator[Check]:
    there = next(path for path in (home.path, *home.path.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        mend = "Change who may write there, or name another folder with --home or FLEET_HOME."
        yield Check(name, Mark.BAD, f"{home.path} cannot be written to.", mend)
        return
    yield Check(name, Mark.GOOD, str(home.path))
    for path in (home.path / "seal.key", home.secrets_file, home.database_file, home.path / _PAIRINGS):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            rights = "700" if path.is_dir() else "600"
            yield Check(name, Mark.WARN, f"Other users may read {path}.", f"Run 'chmod {rights} {path}'.")


def _keybag(name: str, home: Home, now: datetime) -> Iterator[Check]:
    """By it iPhones and iPads are supervised. KeybagError says it when it is damaged, or others may read it."""
    bag = keybag(home)
    if bag is None:
        yield Check(name, Mark.GOOD, "There is none; to supervise iPhones and iPads: 'fleet supervision init'.")
    elif bag.ends <= now + _SOON:
        mend = "Devices that it supervises have to be erased, and supervised anew with another one, before then."
        ends = "ended" if bag.ends <= now else "ends"
        yield Check(
            name, Mark.WARN, f"The keybag of {printable(bag.organisation)} {ends} on {bag.ends:%Y-%m-%d}.", mend
        )
    else:
        what = f"That of {printable(bag.organisation)} holds until {bag.ends:%Y-%m-%d}."
        yield Check(name, Mark.GOOD, what)


def _pairing(name: str, home: Home) -> Iterator[Check]:
    """The keys by which iPhones and iPads know this computer. DeviceError says it when they are damaged."""
    computer.keys(home.path / _PAIRINGS)
    yield Check(name, Mark.GOOD, "The keys by which iPhones and iPads know this computer are whole.")


def _opens(name: str, url: URL) -> Iterator[Check]:
    """RegistryError says it when the registry is of a newer or older fleet, damaged or out of reach."""
    with reading(url):
        what = f"{shown(url)} opens." if is_there(url) else "There is none yet; the first run makes it."
    yield Check(name, Mark.GOOD, what)


def _integrity(name: str, url: URL) -> Iterator[Check]:
    """SQLite's own look at its file; a database server sees to its own."""
    with reading(url) as conn:
        if conn.dialect.name != "sqlite":
            yield Check(name, Mark.GOOD, "The database server sees to it.")
            return
        said = conn.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if said == "ok":
        yield Check(name, Mark.GOOD, "The file of the registry is whole.")
    else:
        yield Check(name, Mark.BAD, f"The file of the registry is damaged: {said}.", "Put back a copy of it.")


def _ledger(name: str, url: URL) -> Iterator[Check]:
    with reading(url) as conn:
        found = verify(conn)
    if isinstance(found, Broken):
        what = f"Event {found.seq} of bench {found.bench} {found.why}."
        yield Check(name, Mark.BAD, what, "Put back a copy of the registry, and find out who changed it.")
    else:
        yield Check(name, Mark.GOOD, f"Nothing was changed since it was written: {counted(found.events, 'event')}.")


def _time(name: str, url: URL, now: datetime) -> Iterator[Check]:
    """A clock that was moved back puts new events before old ones."""
    with reading(url) as conn:
        at = conn.scalar(select(func.max(events.c.at)))
    if at is None:
        yield Check(name, Mark.GOOD, "Nothing is recorded yet.")
    elif datetime.fromisoformat(at) > now + _SLACK:
        what = f"The last event was recorded at {at}, and the clock says {now:%Y-%m-%dT%H:%M}Z."
        yield Check(name, Mark.BAD, what, "Set the clock: 'sudo timedatectl set-ntp true'.")
    else:
        yield Check(name, Mark.GOOD, f"The last event was recorded at {at}.")
