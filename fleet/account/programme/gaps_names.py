"""Names beside pseudonyms, for those who work with the children themselves. Every one that is read is an event."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from fleet.account.people.vault import the_vault
from fleet.units import Registry


def names(conn: Connection, registry: Registry, students: Iterable[str], why: str) -> dict[str, str]:
    """The names of ``students`` that the vault holds, read because of ``why`` in the transaction of ``conn``.

    Raises VaultError when the vault cannot be opened; nothing is read then.
    """
    vault = the_vault(registry.home, conn)
    people = {student: vault.open(conn, registry.ledger, student, why) for student in students}
    return {student: person.name for student, person in people.items() if person and person.name}
