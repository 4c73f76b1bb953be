"""The access point of the SIM: a part of the ``sim`` setting (facts §4.1).

Shell may write APNs from Android 15, probably on 14, never up to 13. The right to write is the right to read from
11 on, so the reading of ``preferapn`` is the probe: answered on 14 or later, it may be written; refused, it may not.
Up to 10 reading is free and writing refused, so there the answer is "right already" or "by hand".

An entry of the phone's own list that has the name is preferred; only where there is none is one inserted, so that a
second run adds nothing. A password is never read: it is known by the seal of our last run only, and sealed only
where all that can be read is as it is wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from profiles.carriers import ApnSettings, Carrier, by_numeric, find
from profiles.schema import Sim
from profiles.secrets import Secret
from provision.android.actions import Run
from provision.android.command import Command, Word, command, script
from provision.android.reading import plain
from provision.android.refusals import NO, explain
from provision.model import Cannot, Identity, Met, SimCard, Step, Unit

ITEM = "sim.apn"
_WRITE_API = 34
_URI = "content://telephony/carriers"
_ROW = re.compile(r"^Row: \d+ _id=\d+, apn=(.{0,200}?), numeric=(\d{0,6})(?:, user=(.{0,200}))?$", re.MULTILINE)
_AUTH = {"none": "0", "pap": "1", "chap": "2", "either": "3"}
# $1 where, $2 the sed program that picks the id. An empty value is left out: not every "content" takes one.
_FIND = f'content query --uri {_URI} --projection _id:apn:numeric:type --where "$1" | sed -n "$2" | head -n 1'


@dataclass(frozen=True)
class Preferred:
    """What the phone uses. ``readable``: it told. ``apn`` is "" when it has no preference; ``user`` ``None`` unread."""

    readable: bool = False
    apn: str = ""
    user: str | None = None
    said: str = ""


@dataclass(frozen=True)
class _Wanted:
    settings: ApnSettings
    password: Secret | str
    numeric: str


def probe(identity: Identity) -> Command:
    """The preferred access point; the user's name only where the right to write is the right to read it."""
    columns = "_id:apn:numeric:user" if identity.api >= _WRITE_API else "_id:apn:numeric"
    return command("content", "query", "--uri", f"{_URI}/preferapn", "--projection", columns)


def parse(said: str) -> Preferred:
    """See :class:`Preferred`."""
    if row := _ROW.search(said):
        user = None if row[3] is None else row[3].replace("NULL", "")
        return Preferred(readable=True, apn=row[1], user=user)
    return Preferred(readable="No result found" in said, said=said[:2000])


def plan(
    sim: Sim, card: SimCard | None, found: Preferred, identity: Identity, unit: Unit
) -> tuple[str, Met | Step | Cannot]:
    """What is wanted, in words, and its state. ``card`` is the one that the profile means, if it is ready."""
    if card is None or not card.operator:
        return "an access point", Cannot("no SIM card is ready", "Put the SIM in, wait for its signal, run again.")
    wanted = _wanted(sim, card)
    if wanted is None:
        return "an access point", Cannot(
            f"no access point of {card.operator_name or card.operator} is known",
            "Write it in the profile, as the operator says: apn: {name: …}.",
        )
    settings = wanted.settings
    want = f"the access point {settings.apn}"
    other_user = found.user not in (None, settings.user)
    if found.readable and found.apn == settings.apn and not other_user:
        return want, _already(wanted, found, unit)
    if not found.readable or identity.api < _WRITE_API:
        return want, _by_hand(wanted, found, identity)
    was = f"it prefers {plain(found.apn)}" if found.apn else "it has no preferred access point"
    if found.apn == settings.apn:
        was = f"its user is not {settings.user or 'empty'}"
    return want, Step(was, (_write(wanted, clears_user=other_user and not settings.user),))


def _wanted(sim: Sim, card: SimCard) -> _Wanted | None:
    if sim.apn is not None and sim.apn != "automatic":
        has_login = sim.apn.user or sim.apn.password
        settings = ApnSettings(
            name=sim.apn.name, apn=sim.apn.name, user=sim.apn.user or "", auth="either" if has_login else "none"
        )
        return _Wanted(settings, sim.apn.password or "", card.operator)
    carrier = carrier_of(card) or (find(sim.carrier) if sim.carrier else None)
    if carrier is None or not carrier.apns:
        return None
    return _Wanted(carrier.apns[0], carrier.apns[0].password, card.operator)


def carrier_of(card: SimCard) -> Carrier | None:
    """Whose SIM it is, by all that the phone tells of it."""
    return by_numeric(card.operator, spn=card.operator_name, iccid=card.iccid) if card.operator else None


def _already(wanted: _Wanted, found: Preferred, unit: Unit) -> Met | Step:
    seal = _seal(wanted, unit)
    if not seal:
        return Met("it is the preferred one already")
    if unit.sealed.get(ITEM) == seal:
        return Met("it is the preferred one; its password is that of our last run, and cannot be read", sealed=seal)
    return Step(f"it prefers {plain(found.apn)}, but its password cannot be read", (_write(wanted),), sealed=seal)


def _seal(wanted: _Wanted, unit: Unit) -> str:
    """Only a secret is worth a seal: what an operator prints in its leaflets is not."""
    if not isinstance(wanted.password, Secret):
        return ""
    return unit.seal(f"{wanted.numeric}\0{wanted.settings.apn}\0{wanted.settings.user}\0{wanted.password.reveal()}")


def _by_hand(wanted: _Wanted, found: Preferred, identity: Identity) -> Cannot:
    settings = wanted.settings
    typed = [f"APN {settings.apn}"]
    if settings.user:
        typed.append(f"user {settings.user}")
    if wanted.password:
        secret = wanted.password
        typed.append(f"password of the secret {secret.name}" if isinstance(secret, Secret) else f"password {secret}")
    why = f"Android {identity.version} does not let the computer write APNs"
    if identity.api >= _WRITE_API and not explain(found.said, identity):
        why = "the phone does not tell its access point"
    elif found.readable and found.apn:
        why += f"; it prefers {plain(found.apn)}"
    return Cannot(why, f"Check by hand: Settings › SIM › Access point names: {', '.join(typed)}.")


def _write(wanted: _Wanted, *, clears_user: bool = False) -> Run:
    settings, numeric = wanted.settings, wanted.numeric
    pick = rf"s/^Row: [0-9]* _id=\([0-9]*\), apn={_escaped(settings.apn)}, numeric={numeric}, type=default.*/\1/p"
    login: list[tuple[str, Word]] = [("user:s", settings.user), ("password:s", wanted.password)]
    login = [(column, word) for column, word in login if word or (clears_user and column == "user:s")]
    if login:
        login.append(("authtype:i", _AUTH[settings.auth]))
    columns: list[tuple[str, Word]] = [
        *login,
        ("name:s", settings.name),
        ("apn:s", settings.apn),
        ("numeric:s", numeric),
        ("mcc:s", numeric[:3]),
        ("mnc:s", numeric[3:]),
        ("type:s", ",".join(settings.types)),
        ("protocol:s", settings.protocol),
        ("roaming_protocol:s", "IP"),
        ("current:i", "1"),
        ("carrier_enabled:i", "1"),
    ]
    binds = [f'--bind {column}:"${{{number}}}"' for number, (column, _) in enumerate(columns, start=3)]
    update = f'content update --uri {_URI} --where "_id=$id" {" ".join(binds[: len(login)])}' if login else ":"
    text = f"""id=$({_FIND})
if [ -n "$id" ]; then {update}
else content insert --uri {_URI} {" ".join(binds)}; id=$({_FIND}); fi
if [ -n "$id" ]; then content insert --uri {_URI}/preferapn --bind apn_id:i:"$id"
else echo "Error: the phone took no such access point"; fi"""
    words = (f"numeric='{numeric}'", pick, *(word for _, word in columns))
    return Run(script(text, *words), refused=(*NO, "Error while accessing", "No permission"))


def _escaped(word: str) -> str:
    """``word`` as a basic regular expression that matches only itself, between slashes."""
    return re.sub(r"([\\.*\[\]^$/])", r"\\\1", word)
