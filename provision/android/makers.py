"""The maker's system: which it is, how its switches stand, and what to tap on this version (makers.yaml, facts §1).

Nothing here writes to the phone. Whether shell has its rights is asked by granting a permission to a package that no
phone has: Android checks the right before it looks for the package, so the answer tells and nothing changes [I on
makers' phones]. ``dumpsys package com.android.shell`` would not do: MIUI takes the rights away when they are used and
leaves them granted in its tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from provision.android.command import Command, command
from provision.android.maker_rows import TASKS, Sign, Switch, System, Tell, rows, taps_of
from provision.android.reading import plain, text
from provision.android.refusals import explain
from provision.android.table import get, value
from provision.model import Identity, Makers, Quirk, SwitchState
from provision.setting import Answer

_NO_PACKAGE = "org.schoolbag.no.such.package"
_RIGHT = "android.permission.CAMERA"


def probes(_profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Whatever the profile: the right, packages by which systems are recognised, and settings of those that may be."""
    asked = {"rights": command("pm", "grant", _NO_PACKAGE, _RIGHT)}
    for system in rows().systems:
        for sign in system.signs:
            if sign.kind == "absent":
                asked[f"path {sign.name}"] = command("pm", "path", sign.name)
        for tell in _tells(system):
            if tell.kind == "setting" and _by_name(system, identity):
                asked[tell.name] = get(*tell.name.split("/", 1))
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, identity: Identity) -> Makers:
    """See :class:`provision.model.Makers`."""
    found = [system for system in rows().systems if _recognised(system, answers, identity)]
    keys = tuple(system.key for system in found)
    quirks = tuple(_quirk(system, switch, answers, identity) for system in found for switch in system.switches)
    ways = {task: dict(rows().taps(task, keys, identity)) for task in TASKS}
    return Makers(tuple(system.name for system in found), quirks, ways)


def _tells(system: System) -> Iterator[Tell]:
    for switch in system.switches:
        yield from switch.tells


def _by_name(system: System, identity: Identity) -> bool:
    """Whether the phone's own words say that it is this system."""
    return any(_says(sign, identity) for sign in system.signs)


def _says(sign: Sign, identity: Identity) -> bool:
    if not sign.apis[0] <= identity.api <= sign.apis[1]:
        return False
    if sign.kind == "maker":
        return identity.maker == sign.name
    return sign.kind == "property" and bool(plain(identity.properties.get(sign.name, "")))


def _recognised(system: System, answers: Mapping[str, Answer], identity: Identity) -> bool:
    return _by_name(system, identity) or any(
        sign.kind == "absent" and _absent(answers.get(f"path {sign.name}")) for sign in system.signs
    )


def _absent(answer: Answer | None) -> bool:
    """``pm path`` prints nothing and says 1 where there is no such package; a refusal is no answer."""
    return answer is not None and answer.code in (0, 1) and not answer.text.strip()


def _quirk(system: System, switch: Switch, answers: Mapping[str, Answer], identity: Identity) -> Quirk:
    told = (_told(tell, switch, answers, identity) for tell in switch.tells)
    # What nothing tells of, such as services that a system lacks, is known by the system alone.
    state = next((s for s in told if s is not SwitchState.UNKNOWN), _silent(switch))
    taps = dict(taps_of(switch, identity))
    return Quirk(system.name, switch.key, dict(switch.name), state, switch.wanted, taps, switch.failures)


def _silent(switch: Switch) -> SwitchState:
    return SwitchState.UNKNOWN if switch.wanted else SwitchState.OFF


def _told(tell: Tell, switch: Switch, answers: Mapping[str, Answer], identity: Identity) -> SwitchState:
    if tell.kind == "rights":
        return _rights(switch, answers, identity)
    if tell.kind == "property":
        said: str | None = plain(identity.properties.get(tell.name, ""))
    else:
        found = value(answers, tell.name)
        said = "null" if found == "" else found
    if said in tell.on:
        return SwitchState.ON
    return SwitchState.OFF if said in tell.off else SwitchState.UNKNOWN


def _rights(switch: Switch, answers: Mapping[str, Answer], identity: Identity) -> SwitchState:
    """Granting passes the check on an open phone: then the package is unknown to it, or (12 and later) it is silent."""
    answer, said = answers.get("rights"), text(answers, "rights")
    wrong = SwitchState.OFF if switch.wanted == "on" else SwitchState.ON
    if "android.permission.GRANT_RUNTIME_PERMISSIONS" in said and explain(said, identity):
        return wrong
    if answer and ("Unknown package" in said or (answer.code == 0 and not said.strip())):
        return SwitchState(switch.wanted)
    return SwitchState.UNKNOWN
