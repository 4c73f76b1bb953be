"""Sites in trouble: far, full, with a wrong clock, another fleet or another key; and orders that do not add up."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleets import FLEET, Fleet
from tests.links import Link
from tests.remote.conftest import SiteMaker
from tests.remote.making import built, profile
from tests.remote.test_pushes import current, point, status
from tests.sshd import Sshd


def told(hub: Fleet) -> tuple[str, str, str]:
    """State, error and next action of the only site."""
    [one] = status(hub)["sites"]
    return one["state"], one["error"], one["next_action"]


def runs(site: Sshd, *before: str) -> None:
    """The forced command of a site is this from now on, in front of what it was."""
    keys = site.folder / "authorized_keys"
    assert site.command is not None
    command = shlex.join(["sh", "-c", f"{' '.join(before)} exec {site.command}"])
    keys.write_text(keys.read_text().replace(site.command, command.replace('"', '\\"')))


@pytest.mark.slow
def test_a_link_of_64_kb_and_600_ms(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """The first push takes what its bytes take; one that changes nothing costs few round trips, whatever its size."""
    one = site("one")
    release = built(hub, profile(tmp_path / "p", size=300_000))
    link = Link(one.port, delay=0.3, rate=64_000)
    point(hub, "one", one, link.port)
    link.trips = link.passed = 0
    assert hub("push", release, "--no-bring").code == 0
    assert current(one) == release
    assert link.passed < 330_000
    first = link.trips
    link.trips = link.passed = 0
    assert hub("push", release, "--no-bring").code == 0
    assert link.connections == 3
    assert (link.trips <= 14, first <= 22) == (True, True), (link.trips, first)
    assert link.passed < 10_000
    link.close()


def test_a_site_whose_files_may_not_grow(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """As on a full disk: what was in force stays, the reason is told, and once there is room it goes on."""
    one = site("one")
    first = built(hub, profile(tmp_path / "p"))
    assert hub("push", first, "--no-bring").code == 0
    keys = one.folder / "authorized_keys"
    before = keys.read_text()
    runs(one, "ulimit -f 500;")  # blocks of 512 bytes
    second = built(hub, profile(tmp_path / "p", size=2_000_000))
    assert hub("push", second, "--no-bring").code == 1
    state, error, action = told(hub)
    assert (state, current(one)) == ("failed", first)
    assert "cannot be written: File too large" in error
    assert "Free some space there" in action
    keys.write_text(before)
    assert hub("push", second, "--no-bring").code == 0
    assert current(one) == second


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of this size; skipped where none may be mounted."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("nobody may mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
def test_a_disk_that_is_full_before_and_meanwhile(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "one" / "home", "3m"):
        one = site("one")
        release = built(hub, profile(tmp_path / "p", size=4_000_000))
        assert hub("push", release, "--no-bring").code == 1
        state, error, action = told(hub)
        assert state == "failed"
        assert "MB free, and 4 MB are to come" in error
        assert action == "Free some space there."
        small = built(hub, profile(tmp_path / "p", size=2_000_000))
        filler = one.home / "filler"
        link = Link(one.port, rate=500_000)
        point(hub, "one", one, link.port)
        with subprocess.Popen(
            [FLEET, "push", str(small), "--no-bring"], env=hub.environment(), stdout=-3, stderr=-3
        ) as push:
            end = time.monotonic() + 60
            while not list((one.home / "releases").glob("blobs/.*.part")):
                assert time.monotonic() < end
                time.sleep(0.05)
            filler.write_bytes(bytes(max(0, shutil.disk_usage(one.home).free - 300_000)))
        assert push.returncode == 1
        state, error, action = told(hub)
        assert state == "failed"
        assert "No space left on device" in error
        assert "Free some space there" in action
        filler.unlink()
        assert hub("push", small, "--no-bring").code == 0
        assert current(one) == small
        link.close()


CLOCK = """
import datetime, time
_real, _datetime = time.time, datetime.datetime
time.time = lambda: _real() + {ahead}
class _Ahead(_datetime):
    @classmethod
    def now(cls, tz=None):
        return _datetime.fromtimestamp(_real() + {ahead}, tz)
datetime.datetime = _Ahead
"""


def with_clock(site: Sshd, ahead: int) -> None:
    """The python of the site takes its clock to be so many seconds ahead."""
    folder = site.folder / f"clock{ahead}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CLOCK.format(ahead=ahead))
    runs(site, f"export PYTHONPATH={folder};")


@pytest.mark.slow
def test_a_clock_that_is_wrong_is_told_and_hinders_nothing(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one")
    with_clock(one, 7200)
    hour = time.gmtime(time.time()).tm_hour
    release = built(hub, profile(tmp_path / "p"))
    zone = time.localtime().tm_gmtoff // 3600
    now = (hour + zone) % 24
    window = f"{now:02}:00-{(now + 1) % 24:02}:30"
    assert hub("push", release, "--no-bring", "--hours", window).code == 0, "hours go by our clock in their zone"
    state, error, action = told(hub)
    assert (state, action) == ("done", "Set one of them: timedatectl.")
    assert error.startswith(("one: its clock is 7200 s ahead of ours", "one: its clock is 7199 s ahead of ours"))
    check = hub("site", "check")
    assert "ahead of ours" in check.out


@pytest.mark.slow
def test_events_from_a_clock_that_is_years_ahead_are_not_taken(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """They would drag along the time of all that comes after; the release is in force all the same."""
    one = site("one")
    with_clock(one, 10**8)
    bench = Fleet(one.home, adb_port=1, env={"PYTHONPATH": str(one.folder / "clock100000000")})
    assert bench("place", "add", "HN-1", "--kind", "school", "--name", "Truong 1").code == 0
    release = built(hub, profile(tmp_path / "p"))
    assert hub("push", release, "--no-bring").code == 1
    state, error, action = told(hub)
    assert (state, current(one)) == ("failed", release)
    assert "what it recorded cannot be taken over" in error
    assert "clock" in f"{error} {action}"
    assert hub("place", "list").out.count("HN-1") == 0


@pytest.mark.slow
@pytest.mark.parametrize(("revision", "words"), [("9999", "newer version of fleet"), ("0003", "")])
def test_a_registry_of_another_fleet(hub: Fleet, site: SiteMaker, tmp_path: Path, revision: str, words: str) -> None:
    """A newer one is told; an older one is brought up to date, as by any command that writes."""
    one = site("one")
    bench = Fleet(one.home, adb_port=1)
    assert bench("place", "add", "HN-1", "--kind", "school", "--name", "Truong 1").code == 0
    with sqlite3.connect(one.home / "registry.db") as conn:
        if revision < "0004":
            later = ("orders", "agent_configs", "agent_contacts", "agents")
            for table in (*later, "wants", "contacts", "push_sites", "pushes", "sites", "releases"):
                conn.execute(f"DROP TABLE {table}")
            conn.execute("DROP INDEX ix_runs_bench")
            conn.execute("DROP INDEX ix_chains_at")
            conn.execute("ALTER TABLE chains DROP COLUMN at")
        conn.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    conn.close()
    release = built(hub, profile(tmp_path / "p"))
    done = hub("push", release, "--no-bring")
    state, error, action = told(hub)
    assert current(one) == release
    if words:
        assert (done.code, state) == (1, "failed")
        assert words in error
        assert action == "At the site: Update fleet on this computer."
    else:
        assert (done.code, state, error) == (0, "done", "")
        assert "HN-1" in hub("place", "list").out


@pytest.mark.slow
def test_a_site_with_another_key_of_the_vault(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """The release is in force there; what it recorded waits until people have agreed on one key."""
    one = site("one")
    for fleet in (hub, Fleet(one.home, adb_port=1)):
        sheet = tmp_path / "class.csv"
        sheet.write_text("name,class,birthday,school\nNguyen Van An,3A,2017-03-04,HN-1\n", encoding="utf-8")
        assert fleet("place", "add", "HN-1", "--kind", "school", "--name", "Truong 1").code == 0
        done = fleet("roster", "import", sheet, "--school", "HN-1", "--apply")
        assert done.code == 0, done.out + done.err
    release = built(hub, profile(tmp_path / "p"))
    done = hub("push", release, "--no-bring")
    assert (done.code, current(one)) == (0, release), done.out + done.err
    state, error, action = told(hub)
    assert state == "done"
    assert "names students with another key of the vault" in error
    assert "fleet vault restore" in action
    assert "--other-key" in action


@pytest.mark.slow
def test_a_content_that_was_changed_at_the_site_is_sent_again(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one")
    first = built(hub, profile(tmp_path / "p", size=50_000))
    assert hub("push", first, "--no-bring").code == 0
    book = one.home / "releases" / str(first) / "small" / "files" / "1" / "book.bin"
    book.chmod(0o600)
    book.write_bytes(bytes(50_000))
    second = built(hub, profile(tmp_path / "p", size=50_000), note="two")
    assert hub("push", second, "--no-bring").code == 1
    state, error, action = told(hub)
    assert (state, current(one)) == ("failed", first)
    assert "was changed" in error
    assert "sends it again" in action
    assert hub("push", second, "--no-bring").code == 0
    assert current(one) == second
    assert (
        book.parents[4].joinpath(str(second), "small/files/1/book.bin").read_bytes()
        == (tmp_path / "p/book.bin").read_bytes()
    )


@pytest.mark.slow
def test_a_site_that_is_removed_in_the_middle_of_a_push(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one, two = site("one"), site("two")
    release = built(hub, profile(tmp_path / "p", size=12_000_000))
    link = Link(one.port, rate=1_500_000)
    point(hub, "one", one, link.port)
    with subprocess.Popen(
        [FLEET, "push", str(release), "--no-bring"], env=hub.environment(), stdout=-3, stderr=-3
    ) as push:
        end = time.monotonic() + 60
        while not list((one.home / "releases").glob("blobs/.*.part")):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert hub("site", "remove", "one").code == 0
    assert push.returncode == 0
    assert [current(one), current(two)] == [None, release]
    assert [site["site"] for site in status(hub)["sites"]] == ["two"]
    link.close()


ORDERS = {
    "--sites onne": "There is no site 'onne' (did you mean \"one\"?).",
    "--waves 2,1,100%": "do not grow",
    "--waves 50%": "are no waves",
    "--hours 08:00-08:00": "never opens",
    "--hours 8-9": "are no hours",
    "--until 2020-01-01": "is over",
    "--profile smal": "has no profile smal",
    "--where no_such_field=1": "no_such_field",
    "--where model=Nothing": "No site is meant by that",
}


def test_orders_that_do_not_add_up_begin_nothing(hub: Fleet, tmp_path: Path) -> None:
    added = hub("site", "add", "one", "ssh://x@127.0.0.1:1", "--host-key", f"ssh-ed25519 {'A' * 68}")
    assert added.code == 1, "it does not answer, and is noted"
    release = built(hub, profile(tmp_path / "p"))
    done = {words: hub("push", release, *words.split()) for words in ORDERS}
    assert {words: says for words, says in ORDERS.items() if says not in " ".join(done[words].err.split())} == {}
    assert {one.code for one in done.values()} <= {1, 2}
    assert "Traceback" not in "".join(one.err for one in done.values())
    assert hub("push", "list", "--json").lines[0]["pushes"] == []


def test_a_profile_that_no_longer_resolves(hub: Fleet, tmp_path: Path) -> None:
    file = profile(tmp_path / "p")
    first = built(hub, file)
    file.write_text("profile: small\nextends: [gone]\n")
    done = hub("release", "build", file, "--note", "two")
    assert (done.code, "gone" in done.err) == (2, True)
    file.write_text("profile: small\ncontent: [{id: book, from: gone.bin, to: Learning/book.bin}]\n")
    done = hub("release", "build", file, "--note", "two")
    assert (done.code, "gone.bin" in done.err) == (2, True)
    assert [one["number"] for one in hub("release", "list", "--json").lines[0]["releases"]] == [first]


def test_there_is_no_ssh_at_the_hub(hub: Fleet, tmp_path: Path) -> None:
    bare = Fleet(hub.home, adb_port=1, env={"PATH": str(tmp_path)})
    done = bare("site", "add", "one", "ssh://x@127.0.0.1:1", "--host-key", f"ssh-ed25519 {'A' * 68}")
    assert done.code == 1
    assert "There is no ssh on this computer" in done.out
