"""What has a name in the store is complete and was hashed; when it is cut off, what came stays."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from fleet.home import Home
from fleet.remote.errors import ReleaseError
from fleet.remote.releases import keys
from fleet.remote.releases.manifest import File, Manifest
from fleet.remote.releases.store import Signed, Store
from fleet.remote.wire.frames import Cut

CONTENT = random.Random(1).randbytes(300_000)
FILE = File(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home(tmp_path))


def release(store: Store, number: int = 1, files: dict[str, File] | None = None) -> Signed:
    found = files or {"p/profile.yaml": FILE}
    manifest = Manifest(number, "2026-11-22T00:00:00.000Z", "", "1", {"p": "a" * 64}, found)
    return Signed(manifest.content(), b"s" * keys.SIGNATURE_BYTES)


def put(store: Store, content: bytes = CONTENT, file: File = FILE, offset: int = 0) -> None:
    with store.receiving(file, offset) as target:
        target.write(content[offset:])


def put_until(store: Store, offset: int, end: int) -> None:
    with store.receiving(FILE, offset) as target:
        target.write(CONTENT[offset:end])
        raise Cut


def test_a_transfer_goes_on_where_it_was_cut(store: Store) -> None:
    manifest = release(store).manifest
    assert store.missing(manifest) == {FILE.sha256: 0}
    for end in (1, 1000, 299_999):
        offset = store.missing(manifest)[FILE.sha256]
        with pytest.raises(Cut):
            put_until(store, offset, end)
        assert store.missing(manifest) == {FILE.sha256: end}
        assert not store.blob(FILE.sha256).exists()
    put(store, offset=299_999)
    assert store.missing(manifest) == {}
    assert store.blob(FILE.sha256).read_bytes() == CONTENT


def test_another_content_is_thrown_away(store: Store) -> None:
    with pytest.raises(ReleaseError):
        put(store, bytes(len(CONTENT)))
    assert store.missing(release(store).manifest) == {FILE.sha256: 0}


def test_it_cannot_go_on_behind_what_came(store: Store) -> None:
    with pytest.raises(ReleaseError):
        put(store, offset=5)


def test_a_release_is_there_whole_or_not(store: Store) -> None:
    signed = release(store)
    with pytest.raises(ReleaseError):
        store.keep(signed)
    assert store.numbers() == []
    put(store)
    store.keep(signed)
    assert store.numbers() == [1]
    assert (store.tree(1) / "p" / "profile.yaml").read_bytes() == CONTENT
    assert store.check(1) == store.keep(signed)
    assert store.signed(1) == signed


def test_a_number_is_given_once(store: Store) -> None:
    put(store)
    store.keep(release(store))
    with pytest.raises(ReleaseError):
        store.keep(Signed(release(store).content, b"t" * 64))


def test_what_was_changed_is_found(store: Store) -> None:
    put(store)
    store.keep(release(store))
    place = store.tree(1) / "p" / "profile.yaml"
    place.unlink()
    with pytest.raises(ReleaseError, match=r"p/profile\.yaml"):
        store.check(1)
    place.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ReleaseError, match="was changed"):
        store.check(1)


def test_one_is_in_force_at_every_moment(store: Store) -> None:
    put(store)
    assert store.current() is None
    for number in (1, 2, 1):
        store.keep(release(store, number))
        store.activate(number)
        assert store.current() == number


def test_old_releases_go_but_not_what_others_need(store: Store) -> None:
    put(store)
    other = File(hashlib.sha256(b"x").hexdigest(), 1)
    put(store, b"x", other)
    store.keep(release(store, 1, {"p/profile.yaml": FILE, "p/old": other}))
    store.activate(1)
    for number in (2, 3, 4):
        store.keep(release(store, number))
    assert store.sweep(2) == 0
    assert store.numbers() == [1, 3, 4]
    store.activate(4)
    assert store.sweep(2) == 1
    assert store.numbers() == [3, 4]
    assert store.blob(FILE.sha256).exists()
    assert not store.blob(other.sha256).exists()


def test_only_the_owner_reads_it(store: Store) -> None:
    put(store)
    store.keep(release(store))
    assert store.tree(1).stat().st_mode & 0o077 == 0
    assert store.blob(FILE.sha256).stat().st_mode & 0o277 == 0


def test_nobody_waits_for_the_disk_before_all_is_in_force(store: Store) -> None:
    put(store)
    assert store.doubtful()
    store.settle([FILE.sha256])
    assert not store.doubtful()


def test_what_a_power_cut_damaged_comes_again(store: Store, tmp_path: Path) -> None:
    """Its name was on the disk, its bytes were not; another store than the one that received it looks."""
    put(store)
    signed = release(store)
    store.keep(signed)
    store.activate(1)
    store.blob(FILE.sha256).chmod(0o600)
    store.blob(FILE.sha256).write_bytes(bytes(len(CONTENT)))

    later = Store(Home(tmp_path))
    assert later.doubtful()
    assert not later.look_again()
    assert not later.doubtful()
    assert later.missing(signed.manifest) == {FILE.sha256: 0}
    put(later)
    later.keep(signed)
    assert (later.tree(1) / "p/profile.yaml").read_bytes() == CONTENT
    assert later.check(1) == signed.manifest


def test_a_kill_before_the_disk_has_all_costs_a_look(store: Store, tmp_path: Path) -> None:
    put(store)
    later = Store(Home(tmp_path))
    assert later.look_again()
    assert not later.doubtful()
    assert later.missing(release(later).manifest) == {}


def test_a_release_that_is_not_here_is_said_so(store: Store) -> None:
    with pytest.raises(ReleaseError, match=r"There is no release 7 on this computer\."):
        store.signed(7)
