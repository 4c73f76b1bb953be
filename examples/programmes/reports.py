"""What a run of a bench would have reported of a device that nobody has at hand."""

from __future__ import annotations

from collections.abc import Mapping

from examples.programmes.world import Device
from provision.model import (
    Cannot,
    Cellular,
    Facts,
    Health,
    Identity,
    Item,
    Met,
    Outcome,
    Report,
    Result,
    SimCard,
    Verdict,
)

DIGEST = "0" * 64


def run(device: Device, card: str, apps: Mapping[str, bool], verdict: Verdict, at: str) -> Report:
    """A run of ``device`` that ended at ``at`` (UTC). ``card``: its SIM; ``apps``: whether each was left on it."""
    identity = Identity("android", device.serial, device.maker, device.model, "11", 30)
    cards = (SimCard(0, "READY", "", "", card),) if card else ()
    health = Health(battery_level=90, battery_worn=8, storage_total=25_000_000_000, storage_free=12_000_000_000)
    return Report(
        address="",
        port="",
        identity=identity,
        tag=device.tag,
        profile="school",
        profile_digest=DIGEST,
        facts=Facts(identity, health=health, cellular=Cellular(cards, device.imei)),
        plan=(),
        outcomes=tuple(_app(app, is_there) for app, is_there in apps.items()),
        verdict=verdict,
        steps=len(apps),
        started=at,
        ended=at,
        error="It was unplugged." if verdict is Verdict.FAILED else "",
    )


def _app(app: str, is_there: bool) -> Outcome:
    """An app that was left on the device, or could not be."""
    state = Met("it is installed") if is_there else Cannot("has no code for this processor", "Get the app for it.")
    result = Result.VERIFIED if is_there else Result.IMPOSSIBLE
    return Outcome(Item("apps", app, app, state, "school.yaml:1"), result, state.why)
