"""From a donor's iPhone to one that is supervised by us: erase, activate, supervise, in this order (facts, iOS §1).

Only an erased device can be supervised, and what is erased cannot be activated without Apple's server and, where Find
My is on, without its owner. So these are asked while the device still works, and as long as one of them stands in the
way nothing is erased. Each of the three is an item of its own, read back before the next: who comes back after a power
cut goes on where the device says that it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from profiles.schema import Profile
from profiles.setup_panes import panes
from provision.errors import LET_GO
from provision.ios import cloud
from provision.ios.actions import Activate, AskActivation, Erase, Supervise
from provision.ios.keybag import Keybag
from provision.ios.questions import Activation, Question, Value
from provision.ios.reading import switch
from provision.model import Cannot, Effect, Facts, Identity, Item, Locks, Met, Step, Unit
from provision.setting import Answer

_NO_KEYBAG = "Run: fleet supervision init --organisation NAME. Then back it up and run again."
_UNLOCK = "Unlock it, trust this computer and run again."
_WIPE = "Where that may be lost: fleet provision --erase --again."


@dataclass(frozen=True)
class Supervision:
    """``None`` is unknown. ``ours``: supervised by our keybag, and that is still valid, so that the device takes from
    us what needs no hand on it. ``known``: our certificate is in it, valid or not. ``other``: whoever else holds it.

    ``set_up``: its Setup Assistant was finished. ``configured``: it took a cloud configuration since it was erased, and
    takes no second one (14002). ``activation`` in the device's own word ("" unknown).
    """

    supervised: bool | None = None
    ours: bool = False
    known: bool = False
    organisation: str = ""
    other: str | None = None
    set_up: bool | None = None
    configured: bool = False
    activation: str = ""

    @property
    def fresh(self) -> bool:
        """It was erased, and nobody has set it up since, neither by hand nor from outside: it says so itself."""
        return self.activation == cloud.UNACTIVATED or (self.set_up is False and not self.configured)


@dataclass(frozen=True)
class SupervisionSetting:
    """``keybag``: the one of this bench; ``None`` where it has none."""

    keybag: Keybag | None

    def probes(self, _profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
        """Whatever the profile, the same is asked."""
        return {
            **cloud.QUESTIONS,
            "set_up": Value("com.apple.PurpleBuddy", "SetupDone"),
            "activation": Activation(),
        }

    def parse(self, answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Supervision:
        """See :class:`Supervision`."""
        held = cloud.holder(answers, self.keybag)
        return Supervision(
            supervised=held.supervised,
            ours=held.ours and not self._expired(),
            known=held.ours,
            organisation=held.organisation,
            other=held.other,
            set_up=switch(answers.get("set_up")),
            configured=held.configured,
            activation=cloud.activation(answers.get("activation")),
        )

    def plan(self, profile: Profile, found: Supervision, facts: Facts, unit: Unit) -> Iterator[Item]:
        """``erased`` where the unit may be, ``activated``, ``supervised`` where we could."""
        erased = self._erased(found, facts.locks, unit) if unit.erase else None
        if erased is not None:
            yield _item("erased", "erased before it came under our supervision", erased)
        yield _item("activated", "activated", _activated(found, erased))
        if self.keybag is not None or unit.erase:
            whose = f"supervised by {self.keybag.organisation}" if self.keybag else "supervised by us"
            fresh = found.fresh or (unit.erased and not found.configured)
            yield _item("supervised", whose, self._supervised(profile, found, facts.identity, erased, fresh))

    def to_come(self, profile: Profile, facts: Facts, unit: Unit) -> bool:
        """Whether it has yet to be made a device that we supervise, so that nothing else of it will be as it is."""
        items = {item.key: item.state for item in self.plan(profile, facts.found["supervision"], facts, unit)}
        way = items.get("erased"), items.get("supervised")
        return isinstance(way[0], Step | Cannot) or isinstance(way[1], Step)

    def _erased(self, found: Supervision, locks: Locks, unit: Unit) -> Met | Step | Cannot:
        """``again`` wipes what is ours already, and asks no less before it."""
        if found.known and not unit.again:
            return Met(f"it was; what its user has put on it since then is still there. {_WIPE}")
        if found.fresh:
            return Met("it is not set up: nobody has used it since it was erased")
        if unit.erased and not found.configured:
            return Met("it came back from it in this run")
        if found.other:
            return Cannot(f"it is held by {found.other}", "Have it released there; then run again.", holds=True)
        if locks.find_my is None:
            return Cannot("it needs its owner: whether Find My is on could not be read", _UNLOCK, holds=True)
        if locks.find_my:
            return Cannot("it needs its owner: Find My is on", LET_GO, holds=True)
        if found.activation != cloud.ACTIVATED or found.supervised is None:
            return Cannot("whether it is activated and supervised could not be read", _UNLOCK, holds=True)
        if (unfit := self._unfit()) is not None:
            return Cannot(f"{unfit.why}: nothing is erased", unfit.next_action, holds=True)
        why = "it is as its last user left it" if found.known else "it is as its last owner left it"
        return Step(why, (AskActivation(), Erase()), Effect.ERASE)

    def _supervised(
        self, profile: Profile, found: Supervision, who: Identity, erased: Met | Step | Cannot | None, fresh: bool
    ) -> Met | Step | Cannot:
        again = isinstance(erased, Step)
        if found.ours and not again:
            return Met("it says so, and our certificate is in it")
        if found.other:
            return self._foreign(found.other)
        if (unfit := self._unfit()) is not None:
            return unfit
        if found.supervised is None:
            return Cannot("whether it is supervised could not be read", _UNLOCK)
        if isinstance(erased, Cannot):
            return Cannot("it has to be erased first", in_the_way=True)
        if erased is None and not fresh:
            return Cannot(
                "only an erased device can be supervised: as it is, its user installs the configuration by hand, and "
                "can take it away",
                "Where it may be erased: fleet intake, then fleet provision --erase.",
            )
        wanted = profile.identity.skip_setup if profile.identity else None
        why = "it is not, once it is erased" if found.known else "it is not"
        return Step(why, (Supervise(panes(wanted or (), who.version)),), Effect.ANEW)

    def _unfit(self) -> Cannot | None:
        """Why we can supervise nothing."""
        if self.keybag is None:
            return Cannot("this bench has no keybag", _NO_KEYBAG, in_the_way=True)
        if self._expired():
            ended = f"{self.keybag.ends:%Y-%m-%d}"
            return Cannot(
                f"the keybag of this bench ended on {ended}",
                "Move the old one away and make a new one: fleet supervision init. Devices under the old one have to "
                "be erased by hand.",
                in_the_way=True,
            )
        return None

    def _foreign(self, other: str) -> Cannot:
        if self.keybag and other == self.keybag.organisation:
            mend = "If there is a backup of that one: fleet supervision restore FILE. Else it has to be erased by hand."
            return Cannot(f"it is supervised by {other}, but by another keybag than this one", mend, in_the_way=True)
        return Cannot(f"it is held by {other}", "Have it released there; then run again.", in_the_way=True)

    def _expired(self) -> bool:
        return self.keybag is not None and self.keybag.expired(datetime.now(UTC))


def _activated(found: Supervision, erased: Met | Step | Cannot | None) -> Met | Step | Cannot:
    if isinstance(erased, Step):
        return Step("it is not, once it is erased", (Activate(),), Effect.ANEW)
    if not found.activation:
        return Cannot("whether it is activated could not be read", _UNLOCK, in_the_way=True)
    if found.activation == cloud.ACTIVATED:
        return Met("it says so")
    return Step(f"it says {found.activation}", (Activate(),), Effect.ANEW)


def _item(key: str, want: str, state: Met | Step | Cannot) -> Item:
    return Item(setting="supervision", key=key, want=want, state=state)
