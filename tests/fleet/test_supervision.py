"""``fleet supervision``, by the program itself: the keybag is made once, backed up, carried to another bench."""

from __future__ import annotations

import json
import os
import pty
import selectors
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from sqlalchemy import select

from fleet import ledger, supervision
from fleet.db import database_of, reading
from fleet.home import Home
from fleet.models import events
from provision.ios.keybag import Keybag, KeybagError, create
from tests.fleets import FLEET, ROOT, Done, Fleet

PASSPHRASE = "vier Worte sind genug"


@pytest.fixture
def bench(tmp_path: Path) -> Fleet:
    """A bench of its own, with no adb server."""
    return Fleet(tmp_path / "home", 1, {"FLEET_ACTOR": "lan"})


@pytest.fixture(scope="module")
def bag() -> Keybag:
    return create("Trường A")


@pytest.fixture
def made(bench: Fleet, bag: Keybag) -> Fleet:
    """A bench that has its keybag."""
    supervision.keep(Home(bench.home), bag)
    return bench


def backup(bench: Fleet, to: Path, passphrase: str = PASSPHRASE) -> Done:
    return _with(bench, passphrase)("supervision", "backup", to)


def restore(bench: Fleet, file: Path, passphrase: str = PASSPHRASE) -> Done:
    return _with(bench, passphrase)("supervision", "restore", file)


def _with(bench: Fleet, passphrase: str) -> Fleet:
    return Fleet(bench.home, bench.adb_port, {**bench.env, "FLEET_KEYBAG_PASSPHRASE": passphrase})


def shown(bench: Fleet) -> dict[str, str]:
    done = bench("supervision", "show", "--json")
    assert done.code == 0, done.err
    (line,) = done.lines
    assert (line.pop("v"), line.pop("event")) == (1, "supervision")
    assert line.pop("at")
    return line


def test_it_is_made_once_and_shown_without_its_key(bench: Fleet) -> None:
    done = bench("supervision", "init", "--organisation", "Trường A")
    assert done.code == 0, done.err
    kept = supervision.the_keybag(Home(bench.home))
    ends = kept.ends.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert shown(bench) == {"organisation": "Trường A", "fingerprint": kept.fingerprint, "ends": ends}
    again = bench("supervision", "init", "--organisation", "Trường B")
    assert again.code == 1
    assert "has a keybag already" in again.err
    assert supervision.the_keybag(Home(bench.home)) == kept
    said = bench("-vv", "supervision", "show")
    body = kept.key.decode().splitlines()[1]
    assert body not in done.out + done.err + said.out + said.err + again.out + again.err
    assert kept.fingerprint in said.out
    with reading(database_of(None, Home(bench.home))) as conn:
        rows = conn.execute(select(events).where(events.c.kind == "supervision.init")).all()
        assert isinstance(ledger.verify(conn), ledger.Verified)
    assert [(row.actor, row.subject) for row in rows] == [("lan", kept.fingerprint)], "what was refused is not there"
    assert json.loads(rows[0].body) == {"v": 1, "organisation": "Trường A", "ends": ends}


def test_a_bench_without_one_says_how_to_get_it(bench: Fleet, tmp_path: Path) -> None:
    for words in (("show",), ("backup", tmp_path / "b.p12")):
        done = bench("supervision", *words)
        assert done.code == 1
        assert "This bench has no keybag." in done.err
        assert "fleet supervision init" in done.err
    assert not bench.home.exists(), "to look makes nothing"


def test_a_backup_is_encrypted_and_makes_another_bench_the_same(made: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "keybag.p12"
    assert backup(made, file).code == 0
    assert file.stat().st_mode & 0o077 == 0
    kept = supervision.the_keybag(Home(made.home))
    assert kept.key.split(b"\n")[1] not in file.read_bytes()
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(file.read_bytes(), b"")
    told = subprocess.run(
        ["openssl", "pkcs12", "-in", file, "-passin", f"pass:{PASSPHRASE}", "-noout", "-info"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert "PBES2" in told.stderr

    second = Fleet(tmp_path / "second", 1)
    assert restore(second, file).code == 0
    assert supervision.the_keybag(Home(second.home)) == kept
    nowhere = restore(second, tmp_path / "nowhere.p12")
    assert nowhere.code == 2
    assert "cannot be read" in nowhere.err


def test_nothing_is_written_over(made: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("something else")
    assert backup(made, file).code == 1
    assert file.read_text() == "something else"
    other = tmp_path / "other.p12"
    other.write_bytes(supervision.backup(create("Trường B"), PASSPHRASE))
    before = shown(made)
    done = restore(made, other)
    assert done.code == 1
    assert "has a keybag already" in done.err
    assert shown(made) == before


@pytest.mark.parametrize("content", [b"", b"hello", b"\x30\x82\x01\x00"], ids=["empty", "text", "cut off"])
def test_what_is_no_backup_is_told(content: bytes) -> None:
    with pytest.raises(KeybagError, match="no backup of a keybag"):
        supervision.restored(content, PASSPHRASE)


def test_the_wrong_passphrase_and_one_that_guards_nothing(made: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "keybag.p12"
    short = backup(made, file, "123456789")
    assert short.code == 1
    assert "too short" in short.err
    assert not file.exists()
    file.write_bytes(supervision.backup(supervision.the_keybag(Home(made.home)), PASSPHRASE))
    with pytest.raises(KeybagError, match="passphrase is not that"):
        supervision.restored(file.read_bytes(), PASSPHRASE + "!")


def test_a_script_is_told_what_to_pass_and_a_file_may_hold_it(made: Fleet, tmp_path: Path) -> None:
    file, phrase = tmp_path / "keybag.p12", tmp_path / "phrase.txt"
    done = made("supervision", "backup", file)
    assert done.code == 2
    assert "--passphrase-file FILE or FLEET_KEYBAG_PASSPHRASE" in done.err
    phrase.write_text(f"{PASSPHRASE}\nand a second line\n", encoding="utf-8")
    assert made("supervision", "backup", file, "--passphrase-file", phrase).code == 0
    supervision.restored(file.read_bytes(), PASSPHRASE)


def test_a_person_is_asked_twice_and_sees_nothing_of_it(made: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "keybag.p12"
    screen, terminal = pty.openpty()
    waiting = selectors.DefaultSelector()
    waiting.register(screen, selectors.EVENT_READ)
    with subprocess.Popen(
        [FLEET, "supervision", "backup", str(file)],
        env=made.environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        said = b""
        for _ in range(2):
            while not said.endswith(b": "):  # the space comes when nothing is echoed any more
                assert waiting.select(20), said
                said += os.read(screen, 4096)
            os.write(screen, f"{PASSPHRASE}\n".encode())
            said += b"\n"
        try:
            while piece := os.read(screen, 4096):
                said += piece
        except OSError:
            pass  # linux says so when the last writer has gone
        assert process.wait(60) == 0, said
    waiting.close()
    os.close(screen)
    assert PASSPHRASE.encode() not in said
    supervision.restored(file.read_bytes(), PASSPHRASE)


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_one_that_others_may_read_stops_the_bench_with_the_cure(made: Fleet) -> None:
    file = supervision.file_of(Home(made.home))
    file.chmod(0o644)
    done = made("supervision", "show")
    assert done.code == 1
    assert f"chmod 600 {file}" in done.err
