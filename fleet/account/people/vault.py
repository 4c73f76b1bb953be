"""The vault: names, birthdays, phones and guardians, encrypted; the keyed hashes by which they are compared.

Its key lies in the home folder, never in the database: whoever has only the database knows no child. Two benches with
one key give one child the same pseudonym. What a person gets to see of the vault is an event of the ledger; that an
import compares a new list with it is none.
"""

from __future__ import annotations

import binascii
import hashlib
import itertools
import json
import os
import secrets
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, exists, insert, select

from fleet import ledger_vaults
from fleet.account.people.pseudonyms import LETTERS
from fleet.errors import VaultError
from fleet.home import Home
from fleet.ledger import Ledger
from fleet.models import bench_vaults, vault
from fleet.values import encoded, storable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_HASH_BYTES, _HASH_LETTERS = 12, 16
_PIN_DIGITS, _DIFFERENT = 6, 4
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_RESTORE = "Put back the backup of it: fleet vault restore FILE."


@dataclass(frozen=True)
class Person:
    """Who a student is. ``birthday`` is 2012-03-05, or 2012 where no more is known; ``phones`` are +84912345678."""

    name: str = ""
    birthday: str = ""
    phones: tuple[str, ...] = ()
    guardian: str = ""
    address: str = ""
    number: str = ""

    def with_news(self, newer: Person) -> Person:
        """What ``newer`` says; where it says nothing, what was known before."""
        said = {name: value for name, value in vars(newer).items() if value}
        return Person(**{**vars(self), **said})

    def plain(self) -> bytes:
        """As it is sealed."""
        return plain(vars(self))


def plain(said: Mapping[str, str | tuple[str, ...]]) -> bytes:
    """What is said of a person, by the names of :class:`Person`, as it is sealed."""
    return encoded({name: value for name, value in said.items() if value}).encode()


@dataclass(frozen=True)
class Vault:
    """The key, and what is done with it. Nothing here prints it."""

    key: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """By which two benches can tell whether they have one key. It says nothing of the key."""
        return ledger_vaults.fingerprint(self.key)

    def hashed(self, kind: str, *parts: str) -> str:
        """The keyed hash (BLAKE2b, 96 bits) of a normalised identifier, 16 letters."""
        return self.hasher(kind)(("\0".join(parts),))[0]

    def hasher(self, kind: str) -> Callable[[Iterable[str]], list[str]]:
        """The same for many of one kind; parts are joined by NUL."""
        if (made := self._hashers.get(kind)) is None:
            key = hashlib.blake2b(b"identifiers", key=self.key, digest_size=KEY_BYTES).digest()
            made = self._hashers[kind] = _hasher(
                hashlib.blake2b(key=key, digest_size=_HASH_BYTES, person=kind.encode())
            )
        return made

    def student_key(self, identifier: str, attempt: int = 0) -> str:
        """The pseudonym of whose strongest identifier this is (a keyed hash).

        ``attempt``: the next one, where another student has that already; one in some ten thousand has to take it.
        """
        return self.student_keys([f"{identifier}{attempt or ''}"])[0]

    def student_keys(self, identifiers: Iterable[str]) -> list[str]:
        """The first pseudonyms of many: 45 bits of a keyed hash, in letters of pseudonyms."""
        heads = "".join([hashed[:8] for hashed in self.hasher("student")(identifiers)]).translate(_FROM_URL_SAFE)
        three = _three_letters()
        numbers = struct.iter_unpack(">HHH", binascii.a2b_base64(heads))
        return [
            f"S{three[a >> 1]}{three[(a & 1) << 14 | b >> 2]}{three[(b & 3) << 13 | c >> 3]}" for a, b, c in numbers
        ]

    def teacher_key(self, school: str, name: str) -> str:
        """The pseudonym of a teacher, by the school's code and the normalised name: ``T`` and nine letters."""
        return "T" + self.student_key(self.hashed("teacher", school, name))[1:]

    def seal(self, subject: str, plain: bytes) -> bytes:
        """``plain``, encrypted; only whoever has the key and names the same ``subject`` can open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, subject.encode())

    def unseal(self, subject: str, sealed: bytes) -> Mapping[str, Any]:
        """What was sealed of ``subject``. VaultError when it was sealed with another key, or changed since."""
        from cryptography.exceptions import InvalidTag

        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], subject.encode())
        except (InvalidTag, ValueError):
            raise VaultError("The key of this bench does not open the vault of this registry.", _RESTORE) from None
        found = json.loads(plain)
        assert isinstance(found, dict)
        return found

    def mark(self, said: str) -> str:
        """A keyed hash of what a list said of somebody: when it says the same again, nothing has to be opened."""
        return self.hashed("mark", said)

    def put(self, conn: Connection, subject: str, person: Person) -> None:
        """Keep who the student (or teacher) is, instead of what was kept before."""
        plain = person.plain()
        row = {"student": subject, "sealed": self.seal(subject, plain), "mark": self.mark(plain.decode())}
        conn.execute(delete(vault).where(vault.c.student == subject))
        conn.execute(insert(vault).values(row))

    def open(self, conn: Connection, ledger: Ledger, student: str, why: str) -> Person | None:
        """Who the student is, for somebody who wants to know it because of ``why``: the ledger tells that they did.

        ``None`` when nothing is kept: then nothing was read. VaultError when the key is another one; nothing is told
        then, either.
        """
        found = self._person(conn, student)
        if found:
            ledger.append(conn, "vault.read", student, {"v": 1, "why": storable(why)})
        return found

    def forget(self, conn: Connection, student: str) -> None:
        """Take away who the student is. It cannot be brought back."""
        conn.execute(delete(vault).where(vault.c.student == student))

    def unit_pin(self, conn: Connection, unit: str) -> str:
        """The PIN of the screen lock of one unit (its key): six digits, kept from when it is first asked for.

        Without the key it cannot be told from a random one; benches with one key come to the same, also where they
        are never connected. A person gets to see it by :meth:`show_pin`, which is told in the ledger.
        """
        if pin := self.kept_pin(conn, unit):
            return pin
        pin = self._new_pin(unit)
        sealed = self.seal(unit, encoded({"pin": pin}).encode())
        conn.execute(insert(vault).values(student=unit, sealed=sealed, mark=""))
        return pin

    def show_pin(self, conn: Connection, ledger: Ledger, unit: str, why: str) -> str:
        """The PIN of a unit, for somebody who wants to know it because of ``why``; "" when none was made yet."""
        pin = self.kept_pin(conn, unit)
        if pin:
            ledger.append(conn, "vault.read", unit, {"v": 1, "why": storable(why)})
        return pin

    def agree(self, conn: Connection) -> None:
        """VaultError when the students who are there were named with another key, and none with this one."""
        known = set(conn.scalars(select(bench_vaults.c.vault)))
        if known and self.fingerprint not in known:
            raise VaultError(
                "The students of this registry were named with another key of the vault: a child would be there twice.",
                "Put that key on this bench before it has students of its own: fleet vault restore FILE.",
            )

    def announce(self, conn: Connection, ledger: Ledger) -> None:
        """Tell in the chain that this bench names students with this key: before the first one, then never again."""
        self.agree(conn)
        mine = (bench_vaults.c.bench == ledger.bench.id) & (bench_vaults.c.vault == self.fingerprint)
        if not conn.scalar(select(exists().where(mine))):
            ledger.append(conn, "bench.vault", ledger.bench.id, {"v": 1, "vault": self.fingerprint})

    def check(self, conn: Connection) -> None:
        """VaultError when the people of this registry were sealed with another key. PINs of units may have been, at a
        bench from which they came with a backup: each tells when it is asked for."""
        people = vault.c.student.not_like("%:%")
        if row := conn.execute(select(vault.c.student, vault.c.sealed).where(people).limit(1)).one_or_none():
            self.unseal(row.student, row.sealed)

    def kept_pin(self, conn: Connection, unit: str) -> str:
        """The PIN of a unit, for setting it on the device; "" when none was made yet."""
        sealed = conn.scalar(select(vault.c.sealed).where(vault.c.student == unit))
        return "" if sealed is None else str(self.unseal(unit, sealed)["pin"])

    def _new_pin(self, unit: str) -> str:
        numbers = (binascii.a2b_base64(self._letters("pin", unit, attempt)) for attempt in itertools.count())
        pins = (f"{int.from_bytes(number) % 10**_PIN_DIGITS:0{_PIN_DIGITS}}" for number in numbers)
        return next(pin for pin in pins if not weak(pin))

    def _letters(self, kind: str, identifier: str, attempt: int) -> str:
        """A keyed hash in the letters of base64; another for each ``attempt``."""
        return self.hashed(kind, f"{identifier}{attempt or ''}").translate(_FROM_URL_SAFE)

    def _person(self, conn: Connection, student: str) -> Person | None:
        sealed = conn.scalar(select(vault.c.sealed).where(vault.c.student == student))
        return None if sealed is None else person_of(self.unseal(student, sealed))

    @cached_property
    def _hashers(self) -> dict[str, Callable[[Iterable[str]], list[str]]]:
        return {}

    @cached_property
    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(hashlib.blake2b(b"people", key=self.key, digest_size=KEY_BYTES).digest())


def _hasher(started: hashlib.blake2b) -> Callable[[Iterable[str]], list[str]]:
    copied = started.copy

    def hashed(texts: Iterable[str]) -> list[str]:
        digests = []
        for text in texts:
            hashing = copied()
            hashing.update(text.encode("utf-8", "surrogatepass"))
            digests.append(hashing.digest())
        # All at once, as what is done for each of a million counts: twelve bytes are sixteen letters.
        letters = binascii.b2a_base64(b"".join(digests), newline=False).translate(_URL_SAFE).decode()
        return [letters[at : at + _HASH_LETTERS] for at in range(0, len(letters), _HASH_LETTERS)]

    return hashed


@cache
def _three_letters() -> tuple[str, ...]:
    """What 15 bits are in letters."""
    return tuple("".join(letters) for letters in itertools.product(LETTERS, repeat=3))


def person_of(found: Mapping[str, Any]) -> Person:
    """The person in what was unsealed."""
    return Person(**{**found, "phones": tuple(found.get("phones", ()))})


def the_vault(home: Home, conn: Connection) -> Vault:
    """The vault of this bench for the registry of ``conn``; its key is made at the first use.

    VaultError when the key is missing though something is kept already, is damaged, or is not the one it was kept with.
    """
    key = home.vault_key()
    if key is None:
        if _in_use(conn):
            raise VaultError("The key of the vault is not on this bench, but the registry has students.", _RESTORE)
        key = home.keep_vault_key(secrets.token_bytes(KEY_BYTES))
    found = Vault(checked(key))
    found.check(conn)
    return found


def passing_vault(home: Home, conn: Connection) -> Vault:
    """The same for who only looks: where there is no key yet, and nothing kept, one that is thrown away."""
    if home.vault_key() is None and not _in_use(conn):
        return Vault(secrets.token_bytes(KEY_BYTES))
    return the_vault(home, conn)


def checked(key: bytes) -> bytes:
    """The key, if it can be one. VaultError."""
    if len(key) != KEY_BYTES:
        raise VaultError("The key of the vault (vault.key) is damaged.", _RESTORE)
    return key


def _in_use(conn: Connection) -> bool:
    return bool(conn.scalar(select(exists(select(vault.c.student))))) or bool(
        conn.scalar(select(exists(select(bench_vaults.c.bench))))
    )


def weak(pin: str) -> bool:
    """Whether a child tries this PIN first: fewer than four different digits (121212, 112233), or all in a row."""
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    return len(set(pin)) < _DIFFERENT or steps in ({1}, {9})
