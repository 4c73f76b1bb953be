"""Who else holds the iPhone: Find My, activation, an organisation (facts, iOS §1). Reads only.

Whether somebody is signed in to an Apple Account cannot be read over USB. Find My can, and it is what locks an erased
device to that account: nobody holds it by an account where Find My is off, or where the device is not activated, since
then Apple's server says whose it is. Unreadable is unknown, never off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiles.schema import Profile
from provision.ios import cloud
from provision.ios.keybag import Keybag
from provision.ios.questions import Activation, Question, Value
from provision.ios.reading import switch
from provision.model import Identity, Locks
from provision.setting import Answer


@dataclass(frozen=True)
class LocksReader:
    """``keybag``: what it supervises is held by nobody else."""

    keybag: Keybag | None

    def probes(self, _profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
        """Whatever the profile, the same is asked."""
        return {**cloud.QUESTIONS, "find_my": Value("com.apple.fmip", "IsAssociated"), "activation": Activation()}

    def parse(self, answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Locks:
        """See :class:`provision.model.Locks`. An iPhone has one user."""
        held = cloud.holder(answers, self.keybag)
        find_my = switch(answers.get("find_my"))
        activation = cloud.activation(answers.get("activation")) or None
        free = find_my is False or (find_my is None and activation == cloud.UNACTIVATED)
        return Locks(
            accounts={} if free else None,
            users=1,
            owner=held.other,
            owner_known=held.known,
            find_my=find_my,
            activation=activation,
        )
