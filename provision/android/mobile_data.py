"""Roaming and background data: parts of the ``sim`` setting (facts §2.3, §4.3).

Roaming: ``data_roaming``, and ``data_roaming<subId>`` for each card where there are several. Newer Android believes
its own list of SIMs, so ``dumpsys isub`` has to agree; where it does not after writing, the item has failed.
Background data: ``cmd netpolicy``, from 7. Exemptions are by uid, which an app has only once it is installed: the
phone looks it up itself when the exemption is made. Uids that others exempted (the maker, for one) are left alone.
All of it is strength C: the user can change it in Settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from provision.android.actions import Run
from provision.android.command import Command, command, script
from provision.android.reading import plain, text
from provision.android.refusals import NO, unreadable
from provision.android.table import get, put, value
from provision.model import Cannot, Identity, Met, Step
from provision.setting import Answer

_POLICY_API = 24
_ON = re.compile("1|enabled?|data_roaming_enable|true", re.IGNORECASE)
_RECORD = re.compile(r"\bid=(\d{1,9})\b[^\n]{0,600}?\bdataRoaming=(\w{1,30})")
# Prints the uid of the package $p. The list shows uids from Android 8 on.
_UID = r'pm list packages -U --user 0 "$p" | sed -n "s/^package:$p uid:\([0-9]*\).*/\1/p"'
_UID_OF_7 = r'dumpsys package "$p" | sed -n "s/^ *userId=\([0-9]*\).*/\1/p" | head -n 1'


@dataclass(frozen=True)
class Roaming:
    """``main`` as in table, ``others`` per SIM; ``subs``: SIMs in slots; ``record``: what the list of SIMs says."""

    main: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    subs: tuple[int, ...] = ()
    record: bool | None = None


@dataclass(frozen=True)
class Background:
    """``denied`` is ``None`` when unreadable, ``said`` what was answered; ``exempt`` uids; ``uids`` by package."""

    denied: bool | None = None
    said: str = ""
    exempt: tuple[int, ...] = ()
    uids: Mapping[str, int] = field(default_factory=dict)


def roaming_probes() -> Mapping[str, Command]:
    """What :func:`roaming` reads."""
    return {
        "roaming": get("global", "data_roaming"),
        "roaming_per_sim": script("settings list global | grep ^data_roaming"),
        "sims": script('dumpsys isub | grep -E "Logical SIM slot|dataRoaming=|^ *All ?[Ss]ub"'),
    }


def roaming(answers: Mapping[str, Answer]) -> Roaming:
    """See :class:`Roaming`."""
    listed = dict(re.findall(r"^(data_roaming\d{1,9})=(\w{1,20})$", text(answers, "roaming_per_sim"), re.MULTILINE))
    # The list of all SIMs, which comes second, has those that were taken out long ago, too.
    active = re.split(r"^[ \t]*All ?[Ss]ub", text(answers, "sims"), maxsplit=1, flags=re.MULTILINE)[0]
    slots = re.findall(r"Logical SIM slot \d+: subId=(\d{1,9})\b", active)
    records = [(sub, _ON.fullmatch(said)) for sub, said in _RECORD.findall(active) if not slots or sub in slots]
    return Roaming(
        main=value(answers, "roaming"),
        others=listed,
        subs=tuple(int(sub) for sub in slots or [sub for sub, _ in records]),
        record=any(on for _, on in records) if records else None,
    )


def plan_roaming(wanted: bool, found: Roaming) -> Met | Step | Cannot:
    """The state of the item ``roaming``."""
    if found.main is None:
        return unreadable("whether mobile data roams")
    want = "1" if wanted else "0"
    keys = ["data_roaming", *sorted(found.others)]
    if len(found.subs) > 1:
        keys += [key for sub in found.subs if (key := f"data_roaming{sub}") not in keys]
    now = {"data_roaming": found.main, **found.others}
    wrong = [key for key in keys if now.get(key) != want]
    if wrong:
        return Step(f"{' and '.join(wrong)} differ{'s' * (len(wrong) == 1)}", _puts(wrong, want))
    if found.record not in (None, wanted):
        return Step(f"its list of SIMs has roaming {'off' if wanted else 'on'}", _puts(keys, want))
    return Met(f"roaming is {'on' if wanted else 'off'} already")


def _puts(keys: Iterable[str], want: str) -> tuple[Run, ...]:
    return tuple(put("global", key, want) for key in keys)


def background_probes(packages: Iterable[str], identity: Identity) -> Mapping[str, Command]:
    """What :func:`background` reads; nothing where Android has no such command."""
    if identity.api < _POLICY_API:
        return {}
    asked = {
        "background": command("cmd", "netpolicy", "get", "restrict-background"),
        "exempt": command("cmd", "netpolicy", "list", "restrict-background-whitelist"),
    }
    if names := tuple(packages):
        asked["uids"] = script(f'for p in "$@"; do echo "$p $({_uid(identity)})"; done', *names)
    return asked


def background(answers: Mapping[str, Answer]) -> Background:
    """See :class:`Background`."""
    said = text(answers, "background")
    status = re.search(r"Restrict background status: (enabled|disabled)", said)
    exempt = re.search(r"whitelisted UIDs:([ \d]{0,4000})", text(answers, "exempt"))
    uids = re.findall(r"^([\w.]{1,223}) (\d{1,9})$", text(answers, "uids"), re.MULTILINE)
    return Background(
        denied=status[1] == "enabled" if status else None,
        said=said[:2000],
        exempt=tuple(int(uid) for uid in exempt[1].split() if len(uid) < 10) if exempt else (),
        uids={package: int(uid) for package, uid in uids},
    )


def plan_background(denied: bool, found: Background, identity: Identity) -> Met | Step | Cannot:
    """The state of the item ``background_data``."""
    if identity.api < _POLICY_API:
        return _no_policy(identity)
    if found.denied is None:
        return unreadable("whether apps may use mobile data in the background", found.said, identity)
    now = "denied" if found.denied else "allowed"
    if found.denied == denied:
        return Met(f"it is {now} already")
    switch = command("cmd", "netpolicy", "set", "restrict-background", "true" if denied else "false")
    return Step(f"it is {now}", (Run(switch, refused=NO),))


def plan_exemption(package: str, found: Background, identity: Identity, coming: bool) -> Met | Step | Cannot:
    """The state of an exempted app. ``coming``: this profile installs it."""
    if identity.api < _POLICY_API:
        return _no_policy(identity)
    uid = found.uids.get(package)
    if uid is None and not coming:
        return Cannot("it is not on this phone", "Give it a file in the profile, or install it by hand.")
    if uid in found.exempt:
        return Met("it is exempt already")
    text_ = f'p="$1"; u=$({_uid(identity)}); '
    text_ += 'if [ -n "$u" ]; then cmd netpolicy add restrict-background-whitelist "$u"; '
    text_ += 'else echo "Error: $p is not on this phone"; fi'
    why = "it is not exempt" if uid is not None else "it is not installed yet"
    return Step(why, (Run(script(text_, package), refused=NO),))


def _uid(identity: Identity) -> str:
    return _UID if identity.api >= 26 else _UID_OF_7


def _no_policy(identity: Identity) -> Cannot:
    return Cannot(
        f"Android {plain(identity.version)} has no command for it", "By hand: Settings › Data usage › Data saver."
    )
