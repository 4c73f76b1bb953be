"""The user restrictions of a phone: those of its own and those that the owner of the device has set (§3.7)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import yaml

from provision.virtual.android.envelope import denied


@cache
def table() -> dict[str, Any]:
    """user_restrictions.yaml as it stands."""
    text = resources.files("provision.virtual.android").joinpath("user_restrictions.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


@cache
def known(api: int) -> frozenset[str]:
    """The keys that this Android knows."""
    return frozenset(key for since, keys in table()["since"].items() if since <= api for key in keys.split())


def is_global(key: str) -> bool:
    """Whether an owner sets it for the whole device."""
    return key in table()["global"].split()


class Restrictions:
    """``own`` are set by the system itself, ``policy`` by the owner; what is in force is both."""

    def __init__(self, api: int, own: Iterable[str] = (), policy: Iterable[str] = ()) -> None:
        self._api = api
        self.own = set(own)
        self.policy = set(policy)

    @property
    def effective(self) -> frozenset[str]:
        return frozenset(self.own | self.policy)

    def by_owner(self, key: str, *, on: bool) -> bool:
        """The owner sets or clears one; whether it took hold just now. Unknown keys are passed over, as on phones.

        Throws at the owner for those that only the system sets.
        """
        if key not in known(self._api):
            return False
        if key in table()["not_by_owner"].split():
            raise denied(f"User cannot set user restriction {key}")  # [inferred] text
        before = self.effective
        (self.policy.add if on else self.policy.discard)(key)
        return on and key not in before
