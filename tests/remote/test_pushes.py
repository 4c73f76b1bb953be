"""A push over real OpenSSH: first, again, cut in every phase, killed, with sites that are off, full, or not ours."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fleet.home import Home
from fleet.remote.releases.store import Store
from tests.fleets import FLEET, Fleet
from tests.links import Link
from tests.remote.conftest import SiteMaker
from tests.remote.making import built, profile
from tests.sshd import Sshd


def current(site: Sshd) -> int | None:
    """What is in force at a site, by its own folder."""
    link = site.home / "releases" / "current"
    return int(link.readlink().name) if link.is_symlink() else None


def leftovers(site: Sshd) -> list[str]:
    """Files that are no content, no release and no key: nothing half-done stays but parts of contents.

    The hub does not wait until a site's disk has all.
    """
    end = time.monotonic() + 30
    while Store(Home(site.home)).doubtful() and time.monotonic() < end:
        time.sleep(0.05)
    found = [path.name for path in (site.home / "releases").iterdir() if path.name.startswith(".")]
    return found + [
        path.name for path in (site.home / "releases" / "blobs").glob(".*") if not path.name.endswith(".part")
    ]


def status(hub: Fleet) -> dict[str, Any]:
    done = hub("push", "status", "--all", "--json")
    assert done.code == 0, done.err
    return done.lines[-1]


def point(hub: Fleet, name: str, site: Sshd, port: int) -> None:
    """The hub reaches the site through this port from now on."""
    done = hub("site", "add", name, site.address(port), "--host-key", site.host_key)
    assert done.code == 0, done.err


def test_a_release_goes_out_comes_into_force_and_again_nothing_is_sent(
    hub: Fleet, site: SiteMaker, tmp_path: Path
) -> None:
    sites = [site("one"), site("two")]
    first = built(hub, profile(tmp_path / "p", size=300_000))
    done = hub("push", first, "--no-bring")
    assert done.code == 0, done.err + done.out
    assert [current(one) for one in sites] == [first, first]
    link = Link(sites[0].port)
    point(hub, "one", sites[0], link.port)
    link.passed = 0
    again = hub("push", first, "--no-bring", "--json")
    assert (again.code, again.lines[-1]["state"]) == (0, "done")
    assert link.passed < 20_000
    tree = sites[0].home / "releases" / str(first) / "small" / "files" / "1" / "book.bin"
    assert tree.read_bytes() == (tmp_path / "p" / "book.bin").read_bytes()
    second = built(hub, profile(tmp_path / "p", size=300_000, extra="identity: {time_zone: Asia/Ho_Chi_Minh}"))
    link.passed = 0
    assert hub("push", second, "--no-bring").code == 0
    assert current(sites[0]) == second
    assert link.passed < 20_000, "only what is new travels"
    link.close()
    back = hub("push", "rollback", "--no-bring", "--sites", "two")
    assert back.code == 0, back.err
    assert (current(sites[0]), current(sites[1])) == (second, first)


@pytest.mark.slow
def test_links_that_break_in_every_phase(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """Each site's link breaks once, elsewhere: as it connects, says hello, sends the book, or puts it in force."""
    phases = {f"after-{after}": after for after in (0, 500, 2500, 4000, 6000, 200_000, 399_000, 402_000)}
    sites = {name: site(name) for name in phases}
    release = built(hub, profile(tmp_path / "p", size=400_000))
    links = {name: Link(one.port, rate=200_000) for name, one in sites.items()}
    for name, link in links.items():
        point(hub, name, sites[name], link.port)
        link.cut_after = phases[name]
    done = hub("push", release, "--no-bring", "--json")
    assert [name for name, link in links.items() if link.breaks != 1] == []
    assert (done.code, done.lines[-1]["state"]) == (0, "done")
    assert {name: current(one) for name, one in sites.items()} == dict.fromkeys(sites, release)
    assert {name: left for name, one in sites.items() if (left := leftovers(one))} == {}
    assert links["after-399000"].passed < 500_000, "what had arrived is not sent again"
    for link in links.values():
        link.close()
    assert hub("ledger", "verify").code == 0


@pytest.mark.slow
def test_a_push_that_is_killed_and_started_twice_ends_the_same(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    sites = [site("one"), site("two")]
    release = built(hub, profile(tmp_path / "p", size=3_000_000))
    command: list[str | Path] = [FLEET, "push", str(release), "--no-bring"]
    for wait in (0.5, 1.5, 2.5, 3.5):
        with subprocess.Popen(command, env=hub.environment(), stdout=-3, stderr=-3) as run:
            time.sleep(wait)
            run.send_signal(signal.SIGKILL)
    both = [subprocess.Popen(command, env=hub.environment(), stdout=-3, stderr=-3) for _ in range(2)]
    assert {one.wait(120) for one in both} <= {0, 1}
    assert hub("push", release, "--no-bring").code == 0
    assert [current(one) for one in sites] == [release, release]
    assert hub("ledger", "verify").code == 0


@pytest.mark.slow
def test_sites_that_are_off_hold_nobody_up_and_get_it_later(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    sites = [site(name) for name in ("one", "two")]
    release = built(hub, profile(tmp_path / "p"))
    sites[1].stop()
    done = hub("push", release, "--no-bring", "--json")
    assert (done.code, done.lines[-1]["state"]) == (1, "running")
    told = {one["site"]: one for one in status(hub)["sites"]}
    assert (told["one"]["state"], told["two"]["state"]) == ("done", "waiting")
    assert "does not answer" in told["two"]["error"]
    sites[1].start()
    assert hub("push", release, "--no-bring").code == 0
    assert current(sites[1]) == release


def test_a_host_with_another_key_is_refused(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one, other = site("one"), site("other", add=False)
    release = built(hub, profile(tmp_path / "p"))
    link = Link(one.port)
    point(hub, "one", one, link.port)
    link.target = other.port
    done = hub("push", release, "--no-bring")
    assert done.code == 1
    told = status(hub)["sites"][0]
    assert (told["state"], current(other)) == ("failed", None)
    assert "is not the host that was noted" in told["error"]
    check = hub("site", "check")
    assert check.code == 1
    assert "is not the host that was noted" in " ".join(check.out.split())
    link.close()


@pytest.mark.slow
def test_a_second_hub_is_refused(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one")
    rival = Fleet(tmp_path / "rival", adb_port=1, timeout=180)
    assert rival("release", "key", "init").code == 0
    (rival.home / "ssh").mkdir()
    (rival.home / "ssh" / "id_ed25519").write_bytes((hub.home / "ssh" / "id_ed25519").read_bytes())
    (rival.home / "ssh" / "id_ed25519").chmod(0o600)
    added = rival("site", "add", "one", one.address(), "--host-key", one.host_key)
    assert added.code == 1
    assert "takes releases of another hub" in " ".join(added.out.split())


@pytest.mark.slow
@pytest.mark.parametrize("where", ["manifest.sig", "manifest.json", "small/profile.yaml", "small/files/1/book.bin"])
def test_a_release_that_was_changed_goes_nowhere(hub: Fleet, site: SiteMaker, tmp_path: Path, where: str) -> None:
    one = site("one")
    release = built(hub, profile(tmp_path / "p"))
    place = hub.home / "releases" / str(release) / where
    content = bytearray(place.read_bytes())
    content[-5] ^= 1
    place.unlink()
    place.write_bytes(content)
    done = hub("push", release, "--no-bring")
    assert done.code in (1, 2)
    assert done.err.startswith("Error: ")
    assert current(one) is None
    assert hub("release", "verify", release).code == 1


def test_a_release_whose_file_vanished(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    site("one")
    release = built(hub, profile(tmp_path / "p"))
    (hub.home / "releases" / str(release) / "small" / "files" / "1" / "book.bin").unlink()
    done = hub("push", release, "--no-bring")
    assert done.code == 1
    assert "small/files/1/book.bin cannot be read" in done.err


@pytest.mark.slow
def test_a_secret_that_the_site_lacks_keeps_what_was_in_force(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one")
    first = built(hub, profile(tmp_path / "p"))
    assert hub("push", first, "--no-bring").code == 0
    wifi = "network: {wifi: [{ssid: Truong-A, password: !secret wifi}]}"
    second = built(hub, profile(tmp_path / "p", extra=wifi))
    assert hub("push", second, "--no-bring").code == 1
    assert current(one) == first
    assert 'the secret "wifi" is not known' in status(hub)["sites"][0]["error"]
    (one.home / "secrets.yaml").write_text("wifi: secret-of-school\n")
    (one.home / "secrets.yaml").chmod(0o600)
    assert hub("push", second, "--no-bring").code == 0
    assert current(one) == second
    assert "secret-of-school" not in json.dumps(status(hub))


@pytest.mark.slow
def test_a_site_that_is_removed_gets_nothing_more(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    sites = [site("one"), site("two")]
    release = built(hub, profile(tmp_path / "p"))
    sites[1].stop()
    assert hub("push", release, "--no-bring").code == 1
    assert hub("site", "remove", "two").code == 0
    sites[1].start()
    assert hub("push", release, "--no-bring").code == 0
    assert [current(one) for one in sites] == [release, None]
    assert "There is no site 'two'" in hub("push", release, "--sites", "two", "--no-bring").err


@pytest.mark.slow
def test_an_older_release_does_not_come_back_by_itself(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one")
    first = built(hub, profile(tmp_path / "p"))
    second = built(hub, profile(tmp_path / "p"), note="two")
    assert hub("push", second, "--no-bring").code == 0
    assert hub("push", first, "--no-bring").code == 1
    assert "is older than" in status(hub)["sites"][0]["error"]
    assert current(one) == second


@pytest.mark.slow
def test_a_first_wave_that_fails_stops_the_others(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    sites = [site("one"), site("two")]
    wifi = "network: {wifi: [{ssid: Truong-A, password: !secret wifi}]}"
    release = built(hub, profile(tmp_path / "p", extra=wifi))
    done = hub("push", release, "--no-bring", "--waves", "1,100%", "--json")
    assert (done.code, done.lines[-1]["state"]) == (1, "paused")
    assert [current(one) for one in sites] == [None, None]
    for one in sites:
        (one.home / "secrets.yaml").write_text("wifi: secret-of-school\n")
        (one.home / "secrets.yaml").chmod(0o600)
    assert hub("push", "resume").code == 0
    assert hub("push", release, "--no-bring", "--waves", "1,100%").code == 0
    assert [current(one) for one in sites] == [release, release]


def test_a_power_cut_before_the_disk_had_all(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """The release is in force there by name, but a content of it is zeros: the next push sends that one again."""
    one = site("one")
    release = built(hub, profile(tmp_path / "p", size=300_000))
    assert hub("push", release, "--no-bring").code == 0
    assert leftovers(one) == []
    book = one.home / "releases" / str(release) / "small" / "files" / "1" / "book.bin"
    book.chmod(0o600)
    book.write_bytes(bytes(300_000))
    (one.home / "releases" / "blobs" / ".new.0.unsettled").touch()
    done = hub("push", release, "--no-bring", "--json")
    assert (done.code, done.lines[-1]["state"]) == (0, "done")
    assert book.read_bytes() == (tmp_path / "p" / "book.bin").read_bytes()
    assert leftovers(one) == []


def test_hours_that_are_not_now(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one", {"TZ": "UTC"})
    release = built(hub, profile(tmp_path / "p"))
    hour = (time.gmtime().tm_hour + 3) % 24
    done = hub("push", release, "--no-bring", "--hours", f"{hour:02}:00-{hour:02}:30", "--json")
    assert (done.code, done.lines[-1]["state"]) == (1, "running")
    assert current(one) is None
    told = status(hub)["sites"][0]
    assert (told["state"], told["error"], told["next_at"][11:16]) == ("waiting", "", f"{hour:02}:00")


def test_fleet_is_not_installed_there(hub: Fleet, site: SiteMaker) -> None:
    one = site("one", add=False)
    keys = one.folder / "authorized_keys"
    keys.write_text(keys.read_text().replace(str(FLEET), "/nowhere/fleet"))
    done = hub("site", "add", "one", one.address(), "--host-key", one.host_key)
    assert done.code == 1
    assert "does not run there" in " ".join(done.out.split())
