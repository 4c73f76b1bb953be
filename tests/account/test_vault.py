"""Names are encrypted with a key that is not in the database; who reads one is told of in the ledger."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from fleet.account.people import vault_backup
from fleet.account.people.pseudonyms import is_student, shown, typed
from fleet.account.people.vault import Person, Vault, passing_vault, the_vault, weak
from fleet.db import snapshot, transaction
from fleet.errors import VaultError
from fleet.home import Home
from fleet.models import events, vault
from fleet.units import Registry, open_registry

ANN = Person("Nguyễn Thị Ánh", "2012-03-05", ("+84912345678",), "Trần Thị Bé", "Ấp 3", "17")
STUDENT = "S0123456789"[:10]
PASSPHRASE = "four words are enough"


@pytest.fixture
def database_url(home: Home) -> str:
    """SQLite alone: what is asked of the database here, test_roster_import.py asks of both."""
    return f"sqlite:///{home.database_file}"


def keep(registry: Registry, student: str = STUDENT, person: Person = ANN) -> Vault:
    with transaction(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        keys.put(conn, student, person)
    return keys


def test_what_is_kept_is_read_again_and_the_reading_is_told(registry: Registry) -> None:
    keys = keep(registry)
    with transaction(registry.engine) as conn:
        assert keys.open(conn, registry.ledger, STUDENT, "the family is to be called") == ANN
        assert keys.open(conn, registry.ledger, "SZZZZZZZZZ", "a slip") is None
        rows = conn.execute(select(events.c.kind, events.c.subject, events.c.body).order_by(events.c.seq)).all()
    read = [(row.subject, json.loads(row.body)["why"]) for row in rows if row.kind == "vault.read"]
    assert read == [(STUDENT, "the family is to be called")]


def test_nothing_of_it_is_in_plain_in_the_database(registry: Registry) -> None:
    keep(registry)
    with snapshot(registry.engine) as conn:
        (row,) = conn.execute(select(vault)).all()
    for secret in (*ANN.phones, ANN.name, ANN.guardian, ANN.birthday):
        assert secret.encode() not in bytes(row.sealed)
        assert secret not in row.mark


def test_a_row_belongs_to_its_student(registry: Registry) -> None:
    """Who writes to the database cannot put one child's name under another's pseudonym."""
    keys = keep(registry)
    with transaction(registry.engine) as conn:
        sealed = conn.scalar(select(vault.c.sealed))
        assert sealed is not None
        with pytest.raises(VaultError, match="does not open"):
            keys.unseal("SZZZZZZZZZ", bytes(sealed))
        with pytest.raises(VaultError):
            keys.unseal(STUDENT, bytes(sealed)[:-1])
        with pytest.raises(VaultError):
            keys.unseal(STUDENT, b"")


def test_forgetting_takes_the_row_away(registry: Registry) -> None:
    keys = keep(registry)
    keep(registry, "SZZZZZZZZZ")
    with transaction(registry.engine) as conn:
        keys.forget(conn, STUDENT)
        assert conn.scalars(select(vault.c.student)).all() == ["SZZZZZZZZZ"]


def test_the_key_is_made_once_for_the_owner_only(registry: Registry) -> None:
    keep(registry)
    file = registry.home.path / "vault.key"
    assert len(file.read_bytes()) == 32
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with snapshot(registry.engine) as conn:
        assert the_vault(registry.home, conn).key == file.read_bytes()


def test_a_key_that_is_missing_is_told_and_not_made_anew(registry: Registry) -> None:
    keep(registry)
    file = registry.home.path / "vault.key"
    file.unlink()
    for opening in (the_vault, passing_vault):
        with snapshot(registry.engine) as conn, pytest.raises(VaultError, match="fleet vault restore FILE"):
            opening(registry.home, conn)
    assert not file.exists()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_key_is_told(registry: Registry, content: bytes) -> None:
    keep(registry)
    (registry.home.path / "vault.key").write_bytes(content)
    with snapshot(registry.engine) as conn, pytest.raises(VaultError, match="damaged"):
        the_vault(registry.home, conn)


def test_another_key_is_told_before_anything_is_done(registry: Registry) -> None:
    keep(registry)
    (registry.home.path / "vault.key").write_bytes(bytes(32))
    with snapshot(registry.engine) as conn, pytest.raises(VaultError, match="does not open the vault"):
        the_vault(registry.home, conn)


def test_who_only_looks_makes_no_key(home: Home) -> None:
    with open_registry(home, None, "lan") as registry, snapshot(registry.engine) as conn:
        passing_vault(home, conn)
    assert home.vault_key() is None


def test_two_benches_with_one_key_agree_and_with_two_they_do_not() -> None:
    one, same, other = Vault(b"1" * 32), Vault(b"1" * 32), Vault(b"2" * 32)
    hashed = one.hashed("id", "096212000111")
    assert same.hashed("id", "096212000111") == hashed != other.hashed("id", "096212000111")
    assert one.hashed("number", "096212000111") != hashed
    assert one.hashed("birth", "a", "bc") != one.hashed("birth", "ab", "c")
    assert len(hashed) == 16
    assert same.student_key(hashed) == one.student_key(hashed) != one.student_key(hashed, 1)
    assert one.student_key(hashed) != other.student_key(hashed)
    assert one.fingerprint != other.fingerprint
    assert "1111" not in repr(one)


def test_pseudonyms_as_people_type_them() -> None:
    key = Vault(bytes(32)).student_key("x")
    assert is_student(key)
    assert typed(shown(key).lower()) == key
    assert typed("s-oil000000") == "S011000000"
    for text in ("", "S", "A-0001", "S-12345678", "S-1234567890", "S-12345678U", "R58M12ABCD"):
        assert not is_student(text)


def test_the_pin_of_a_unit_stays_and_is_none_that_a_child_tries_first(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        pins = {unit: keys.unit_pin(conn, unit) for unit in (f"android:S{number}" for number in range(50))}
        assert {unit: keys.unit_pin(conn, unit) for unit in pins} == pins
    assert all(len(pin) == 6 and pin.isdigit() for pin in pins.values())
    assert len(set(pins.values())) > 45
    assert not any(map(weak, pins.values()))
    with snapshot(registry.engine) as conn:
        assert not any(
            pin.encode() in bytes(row) for pin in pins.values() for row in conn.scalars(select(vault.c.sealed))
        )


@pytest.mark.parametrize(
    "pin", ["000000", "123456", "654321", "789012", "121212", "112233", "123123", "123321", "100000"]
)
def test_pins_that_a_child_tries_first(pin: str) -> None:
    assert weak(pin)
    assert not weak("482915")


def test_benches_with_one_key_come_to_one_pin(registry: Registry, tmp_path: Path) -> None:
    """A unit that was at two benches which were never connected would lock itself at the second one."""
    other, stranger = Home(tmp_path / "other"), Home(tmp_path / "stranger")
    pins = []
    with transaction(registry.engine) as conn:
        pins.append(the_vault(registry.home, conn).unit_pin(conn, "android:S1"))
    other.keep_vault_key(registry.home.vault_key() or b"")
    for home in (other, stranger):
        with open_registry(home, f"sqlite:///{home.database_file}", "lan") as there, transaction(there.engine) as conn:
            pins.append(the_vault(home, conn).unit_pin(conn, "android:S1"))
    assert pins[0] == pins[1] != pins[2]


def test_who_reads_a_pin_is_told_of(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        assert keys.show_pin(conn, registry.ledger, "android:A", "to unlock it") == ""
        pin = keys.unit_pin(conn, "android:A")
        assert keys.show_pin(conn, registry.ledger, "android:A", "to unlock it") == pin
        read = conn.execute(select(events.c.subject, events.c.body).where(events.c.kind == "vault.read")).all()
    assert [(row.subject, json.loads(row.body)["why"]) for row in read] == [("android:A", "to unlock it")]
    assert not any(pin in row.body for row in read)


def test_a_backup_gives_the_key_to_who_has_the_passphrase() -> None:
    key = os.urandom(32)
    content = vault_backup.backup(key, PASSPHRASE)
    assert key not in content
    assert vault_backup.restored(content, PASSPHRASE) == key
    with pytest.raises(VaultError, match="passphrase is not that"):
        vault_backup.restored(content, PASSPHRASE + "!")
    with pytest.raises(VaultError, match="too short"):
        vault_backup.backup(key, "123456789")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"[]", b"{}", b'{"v":2}', b'{"v":1,"what":"key of a schoolbag vault","sealed":"!"}', b"\xff\xfe"],
)
def test_what_is_no_backup_is_told(content: bytes) -> None:
    with pytest.raises(VaultError, match="no backup"):
        vault_backup.restored(content, PASSPHRASE)


def test_a_backup_that_was_cut_is_told() -> None:
    fields = json.loads(vault_backup.backup(bytes(32), PASSPHRASE))
    with pytest.raises(VaultError):
        vault_backup.restored(json.dumps({**fields, "sealed": fields["sealed"][:-8]}).encode(), PASSPHRASE)
    with pytest.raises(VaultError):
        vault_backup.restored(json.dumps({**fields, "sealed": ""}).encode(), PASSPHRASE)


def test_restored_on_another_bench_and_never_over_a_key(home: Home, tmp_path: Path) -> None:
    first = home.keep_vault_key(b"1" * 32)
    assert home.keep_vault_key(b"2" * 32) == first == b"1" * 32
    assert Home(tmp_path / "other").keep_vault_key(b"2" * 32) == b"2" * 32
