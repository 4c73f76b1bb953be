"""What runs say of the generated devices: reports as the bench makes them."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from bench.million.world import DAYS, PROFILES, World, drawn, mixed
from fleet.check_ins import CheckIn
from profiles.schema import DataPlan
from provision.model import (
    Cannot,
    Cellular,
    Facts,
    Health,
    Identity,
    Item,
    Locks,
    Met,
    Outcome,
    Report,
    Result,
    SimCard,
    Step,
    Strength,
    Verdict,
)

PLAN = DataPlan(quota="4 GB/day", days=180)

_VERDICTS = (Verdict.VERIFIED, Verdict.PARTIAL, Verdict.FAILED)
_VERDICT = (82, 15, 3)
_NO_CARD = SimCard(0, "ABSENT")
_SILENT = SimCard(0, "READY", "45204", "Viettel")
_LOCKS = Locks(accounts={}, users=1, bootloader_locked=True, verified_boot="green")


def check_in(world: World, unit: int, day: int, at: str, card: SimCard = _SILENT) -> CheckIn:
    """A run on ``unit`` on a day of all days, at that moment; ``card`` is what the device told of its slot."""
    maker, model, version = world.model_of(unit)
    platform, _, serial = world.key_of(unit).partition(":")
    identity = Identity(platform, serial, maker, model, version, 30, "RP1A.200720.012", "")
    verdict = _VERDICTS[drawn(unit * 7 + day % 3, 40, _VERDICT)]
    profile = mixed(unit, 41) % len(PROFILES)
    facts = Facts(identity, health=_health(world, unit, day), locks=_LOCKS, cellular=Cellular((card,)))
    said = Report(
        address=serial,
        port="1-2",
        identity=identity,
        tag=None,
        profile=PROFILES[profile],
        profile_digest=_digest(world, profile, day),
        facts=facts,
        plan=(),
        outcomes=outcomes(verdict, PROFILES[profile]),
        verdict=verdict,
        steps=2,
        started=at,
        ended=at,
    )
    return CheckIn(said, plan=PLAN)


def card_of(world: World, unit: int) -> SimCard:
    """What the device tells of the card in it: most tell no number, and of one in fifty the card is gone."""
    match mixed(unit, 45) % 50:
        case 0:
            return _NO_CARD
        case told if told < 8:
            return SimCard(0, "READY", "45204", "Viettel", world.iccid_of(unit))
    return _SILENT


def _digest(world: World, profile: int, day: int) -> str:
    """Each profile had three versions in the last year; nothing of it changed in the years before."""
    version = max(0, 2 - (DAYS * (world.years + 1) - day) // 100)
    return f"{mixed(profile, version):016x}" * 4


def _health(world: World, unit: int, day: int) -> Health:
    bits = mixed(unit, 42)
    worn = (bits >> 24) % 12 + ((bits >> 8) % 45 if (bits >> 16) % 100 < 60 else 0)
    return Health(
        battery_level=20 + bits % 80,
        battery_worn=worn,
        battery_cycles=100 + (bits >> 32) % 700,
        battery_temperature=25.0 + (bits >> 40) % 100 / 10,
        storage_total=32_000_000_000,
        storage_free=((bits >> 48) % 15000 + day % 3) * 1_000_000,
        patch=(world.today - timedelta(days=100 + bits % 1500)).isoformat(),
        encrypted=True,
    )


@cache
def outcomes(verdict: Verdict, profile: str) -> tuple[Outcome, ...]:
    """Five or six items, as a small profile has; what failed is an app, what is not verified the APN."""
    source = f"{profile}.yaml:7"
    reader = Item("apps", "reader", "Reader 1.4", Met("equal"), source, Strength.C)
    maths = Item("apps", "maths", "Maths 2.0", Step("it is not there", ()), source, Strength.C)
    apn = Item("sim", "apn", "APN v-internet", Step("not set", (), sealed="5ea1"), source, Strength.B)
    dns = Item("network", "filter_dns", "family.example", Met("it is set so"), source, Strength.B)
    never = Item("restrictions", "factory_reset", "denied", Cannot("needs a device owner", "Enrol it."), source)
    zone = Item("identity", "time_zone", "Asia/Ho_Chi_Minh", Met("it is set so"), source)
    whole = verdict is Verdict.VERIFIED
    second = Outcome(maths, Result.VERIFIED, "installed", changed=True)
    if verdict is Verdict.FAILED:
        second = Outcome(maths, Result.FAILED, "no space is left", "Take away what is not for lessons.")
    return (
        Outcome(reader, Result.VERIFIED, "equal"),
        second,
        Outcome(apn, Result.VERIFIED if whole else Result.UNVERIFIED, "done", changed=True),
        Outcome(dns, Result.VERIFIED, "it is set so"),
        *(() if whole else (Outcome(never, Result.IMPOSSIBLE, "needs a device owner", "Enrol it."),)),
        Outcome(zone, Result.VERIFIED, "it is set so"),
    )
