"""The PIN of each unit's own screen lock, out of the vault, for whoever sets it: it is kept before it is given."""

from __future__ import annotations

from fleet.account.people.vault import passing_vault, the_vault
from fleet.db import snapshot, transaction
from fleet.provisioning import OwnPin
from fleet.runs import key_of
from fleet.units import Registry
from profiles.secrets import UnitPin
from provision.model import Identity


def own_pins(registry: Registry) -> OwnPin:
    """What a bench asks for the PIN of a unit. It raises VaultError and RegistryError.

    That a bench sets a PIN is no reading of the vault: no person sees it.
    """

    def own_pin(who: Identity, make: bool) -> UnitPin | None:
        key = key_of(who.platform, who.serial)
        if make:
            with transaction(registry.engine) as conn:
                kept = the_vault(registry.home, conn).unit_pin(conn, key)
        else:
            with snapshot(registry.engine) as conn:
                kept = passing_vault(registry.home, conn).kept_pin(conn, key)
        return UnitPin(kept) if kept else None

    return own_pin
