"""What agents are answered. Pure: of what is known of an enrolment, and the document of its profile.

An agent that is answered 200 and less than all lifts its restrictions and stops there; one that is answered anything
else goes on with what it had (facts, Android 3.5). So there is a full answer, or none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from fleet.account.filters.leaves import OTHER
from fleet.remote.agents.configurations import Document
from fleet.remote.agents.contacts import OFTEN, Contact, Told, ago, listed
from fleet.remote.agents.quota import waits_for_wifi
from fleet.remote.agents.reading import Known, Order
from fleet.remote.agents.reports import Report, differs, stranger
from provision.agents import headwind
from provision.agents.configuration import DEBUGGING, Orders, answer

NUMBER = re.compile(r"[0-9a-f]{32}")
NOTHING = b'{"status":"ERROR","message":"error.notfound","data":null}'
"""The one answer to whatever is unknown, dead, wrongly signed or not there."""

OURS = b'{"status":"ERROR","message":"error.unavailable","data":null}'
OK_ = b'{"status":"OK","message":null,"data":null}'
NO_NEWS = b'{"status":"OK","message":null,"data":[]}'

_AGAIN = timedelta(hours=2)
"""How long ago a configuration that is not carried out yet must have been fetched for the agent to be told to ask
again: there may be room for it now, or Wi-Fi."""

_WIPES = timedelta(minutes=1)
"""How long ago a wipe began that an agent is told of again: our answer was lost."""

_STRANGERS = 3
_SINCE = -4_711_471_147
"""Stands for the moment of the enrolment in what is written once for all phones."""

_MOST_TEMPLATES = 256


def signed_by(secrets: Sequence[str], text: str, signature: str) -> str:
    """The secret by which ``signature`` is that of ``text``; "" when it is by none of them. Compared in constant time,
    and also where there are none."""
    given, found = signature.encode("latin-1", "replace"), ""
    for secret in secrets or ("",):
        if hmac.compare_digest(headwind.signature(secret, text).encode(), given):
            found = secret
    return found


@dataclass(frozen=True)
class Asking:
    """How an agent reaches us, and what it may be given: ``base`` address, ``home`` (seen at home before this), and
    which contents are here, by SHA-256. ``changed``: files, by path, that became others, and when (ms); all others
    ``since`` its enrolment. ``wifi``: it waits for Wi-Fi with what it is to fetch."""

    base: str
    home: bool
    holds: Callable[[str], bool]
    changed: Mapping[str, int]
    since: int
    wifi: bool


@dataclass
class Answers:
    """Configurations as text; what is the same for all phones of a profile is written once."""

    _made: OrderedDict[tuple[Any, ...], tuple[str, str]] = field(default_factory=OrderedDict)

    def configuration(self, number: str, api: int, document: Document, todo: Orders, asking: Asking) -> bytes:
        """The body of a full answer (``ServerConfig`` in its envelope, ``data`` last)."""
        here = tuple(one["sha256"] for one in (*document["apps"], *document["files"]) if asking.holds(one["sha256"]))
        changed = tuple(asking.changed.items())
        key = (document["digest"], api, todo, asking.base, asking.home, asking.wifi, here, changed)
        if key not in self._made:
            if len(self._made) >= _MOST_TEMPLATES:
                self._made.popitem(last=False)
            self._made[key] = _template(api, document, todo, asking)
        head, tail = self._made[key]
        mine = _asked(number, api, _without_contents(document), todo, asking)["password"]
        since = tail.replace(f'"lastUpdate":{_SINCE}', f'"lastUpdate":{asking.since}')
        return f'{{"status":"OK","message":null,"data":{head}{mine}{since}}}'.encode()


def _template(api: int, document: Document, todo: Orders, asking: Asking) -> tuple[str, str]:
    """What stands before and after the hash of its panel's password, which is the phone's own, as are the moments in
    what comes after."""
    data = _asked("", api, document, todo, asking)
    head, _, tail = _compact(data).partition(data["password"])
    return head, tail


def _asked(number: str, api: int, document: Document, todo: Orders, asking: Asking) -> dict[str, Any]:
    return answer(
        document,
        api=api,
        number=number,
        base=asking.base,
        home=asking.home,
        orders=todo,
        new_server=document["server"],
        holds=asking.holds,
        wifi=asking.wifi,
        stamps={one["path"]: asking.changed.get(one["path"], _SINCE) for one in document["files"]},
    )


def _without_contents(document: Document) -> Document:
    return {**document, "apps": [], "files": [], "removed": [], "restrictions": {}}


def response_signature(secret: str, body: bytes) -> str:
    """The header ``X-Response-Signature``: of ``data`` without white space. Some builds of the agent want it."""
    data = body.partition(b'"data":')[2][:-1].translate(None, b" \t\n\v\f\r")
    return hashlib.sha1(secret.encode() + data, usedforsecurity=False).hexdigest().upper()


def news(known: Known, now: str) -> bool:
    """Whether the agent is to ask for its configuration: for another one, an order, or once more."""
    if known.wanted != known.fetched:
        return True
    if any(order.changed > known.fetched_at and _due(order, now) for order in known.orders):
        return True
    return known.confirmed != known.wanted and known.fetched_at < ago(now, span=_AGAIN) < known.told_at


def _due(order: Order, now: str) -> bool:
    """Whether it is in the configuration. Who said that it begins to wipe itself is left alone a while."""
    return order.kind != "message" and (order.state == "open" or order.changed < ago(now, span=_WIPES))


def messages(orders: Sequence[Order]) -> list[Order]:
    """Those that show a text."""
    return [order for order in orders if order.kind == "message"]


def pushed(configure: bool, page: str) -> bytes:
    """The body of the answer to a poll: that there is another configuration, and which page to show ("" for none).

    What a message carries is JSON as a text: an agent that finds anything else there drops the whole answer. Of several
    messages of one kind it heeds the last alone.
    """
    data: list[dict[str, Any]] = []
    if page:
        shows = _compact({"action": "android.intent.action.VIEW", "data": page})
        data.append({"messageType": "intent", "payload": shows})
    if configure:
        data.append({"messageType": "configUpdated", "payload": None})
    return f'{{"status":"OK","message":null,"data":{_compact(data)}}}'.encode()


NOT_ALL = ""
"""Stands for what a phone has fetched that was not told yet that debugging ends: it is to ask once more."""


def asked(known: Known, now: str, *, home: bool) -> Contact | None:
    """What is to be kept of a contact in which nothing was given or reported; ``None`` when it is known already."""
    if known.seen_at > ago(now, span=OFTEN) and bool(known.home_at) >= home:
        return None
    return Contact(known.number, known.unit, now, home)


def given(known: Known, document: Document, now: str, *, home: bool, whole: bool) -> Contact | None:
    """What is to be kept of a contact in which ``document`` was given; ``None`` when it is known already. One that was
    not ``whole`` was given, and is not fetched by that."""
    latest = max((order.changed for order in known.orders), default="")
    ends = home and known.home_at is None and DEBUGGING in document["restrictions"]
    fetched = NOT_ALL if ends else document["digest"] if whole or known.fetched == NOT_ALL else None
    same = fetched in (None, known.fetched) and latest <= known.fetched_at
    if same and known.fetched_at > ago(now, span=OFTEN) and bool(known.home_at) >= home:
        return None
    # an order that it was given is given, though a clock be wrong
    return Contact(known.number, known.unit, now, home, fetched, max(now, latest))


def told(known: Known, report: Report, document: Document | None, now: str, *, home: bool) -> Contact | None:
    """What is to be kept of a report; ``None`` when all of it is known already. ``document``: of what it fetched."""
    waits = partial(waits_for_wifi, quota=known.quota) if home else lambda _: False
    differences = differs(report, document, waits) if document else None
    others = [text for text in known.drift if text.startswith(OTHER)]
    if who := stranger(report, known.phone):
        mark = f"{OTHER} ({who})"
        others = [*[text for text in others if text != mark][: _STRANGERS - 1], mark]
    said = Told(
        owner=report.owner,
        battery_level=report.battery_level,
        iccid=report.iccid,
        confirmed=known.fetched if differences == () and not who else None,
        missing=report.missing,
        drift=(*others, *(differences or ())),
    )
    kept = (said.owner, said.battery_level, said.iccid, listed(said.missing), listed(said.drift))
    recent = known.told_at > ago(now, span=OFTEN) and known.told_at >= known.fetched_at
    if recent and kept == known.told and said.confirmed == known.confirmed and bool(known.home_at) >= home:
        return None
    return Contact(known.number, known.unit, now, home, told=said)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
