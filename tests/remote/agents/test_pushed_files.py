"""Pushes reach phones through the server: what changed is fetched once more, and nothing else; new builds of the agent
go by ``lastUpdate`` alone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from tests.remote.agents.at_home import begun, release
from tests.remote.agents.conftest import AtHome
from tests.remote.agents.phones import SECRET, Phone, enrol, profile, serving


class NewBuild:
    """What an agent has noted of its files: it fetches what it never fetched, and what has a greater stamp."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.noted: dict[str, Any] = {}

    def update(self) -> list[str]:
        """The paths that it fetches, as its configuration says now."""
        data = self.phone.configuration().data
        fetched = []
        for file in data["files"]:
            there = self.noted.get(file["path"])
            if there is None or there["lastUpdate"] < file["lastUpdate"]:
                fetched.append(file["path"])
                self.noted[file["path"]] = file
        self.phone.carry_out(data)
        return fetched

    def report(self) -> None:
        self.phone.said["files"] = [
            {"path": path, "checksum": one["checksum"]} for path, one in self.noted.items() if path
        ]
        self.phone.info()


def _with_two(folder: Path, book: str) -> Profile:
    profile(folder, book=book)
    (folder / "other.txt").write_text("The same for ever.")
    text = (
        (folder / "small.yaml")
        .read_text()
        .replace("content: [", "content: [{id: other, from: other.txt, to: Always}, ")
    )
    (folder / "small.yaml").write_text(text)
    return load(str(folder / "small.yaml"), Secrets({"FLEET_SECRET_AGENT": SECRET}))


def test_what_changed_is_fetched_and_nothing_else(at_home: AtHome, tmp_path: Path) -> None:
    one, two = _with_two(tmp_path / "one", "One."), _with_two(tmp_path / "two", "Two.")
    registry = at_home.registry
    with serving(registry, at_home.profile, one, two) as port:
        agent = NewBuild(Phone(port, at_home.phone.number))
        assert agent.update() == ["/Learning/book.txt"]
        for number, pushed, fetched in (
            (1, one, ["/Always/other.txt", "/Learning/book.txt"]),
            (2, two, ["/Learning/book.txt"]),
            (3, one, ["/Learning/book.txt"]),
        ):
            release(registry, number, {"small": pushed.digest})
            begun(registry, number, {"small": pushed.digest})
            _stand(agent.phone, pushed.digest, at_home)
            assert agent.update() == fetched
            assert agent.update() == []
            agent.report()
            assert at_home.contact().confirmed == pushed.digest


def test_who_was_told_nothing_in_between_fetches_what_changed_since(at_home: AtHome, tmp_path: Path) -> None:
    one, two = _with_two(tmp_path / "one", "One."), _with_two(tmp_path / "two", "Two.")
    registry = at_home.registry
    for number, pushed in enumerate((one, two, one), 1):
        release(registry, number, {"small": pushed.digest})
        begun(registry, number, {"small": pushed.digest})
    with serving(registry, at_home.profile, one, two) as port:
        agent = NewBuild(Phone(port, at_home.phone.number))
        assert agent.update() == ["/Always/other.txt", "/Learning/book.txt"]
        agent.report()
        assert at_home.contact().confirmed == one.digest


def test_an_enrolment_anew_tells_everything_anew(at_home: AtHome) -> None:
    """A bench may have put other bytes there meanwhile, of which the agent knows nothing."""
    agent = NewBuild(at_home.phone)
    assert agent.update() == ["/Learning/book.txt"]
    agent.phone = Phone(at_home.port, enrol(at_home.registry, at_home.unit, at_home.profile))
    assert agent.update() == ["/Learning/book.txt"]


def test_a_push_may_name_another_secret_than_the_phones_agent_has(at_home: AtHome, tmp_path: Path) -> None:
    """It is signed by what the agent was built with, on a server, too, that has never seen the old profile."""
    profile(tmp_path / "next")
    file = tmp_path / "next" / "small.yaml"
    file.write_text(file.read_text().replace("!secret agent", "!secret next"))
    wanted = load(str(file), Secrets({"FLEET_SECRET_NEXT": "of-the-next-build"}))
    release(at_home.registry, 1, {"small": wanted.digest})
    begun(at_home.registry, 1, {"small": wanted.digest})
    secrets = {"FLEET_SECRET_AGENT": SECRET, "FLEET_SECRET_NEXT": "of-the-next-build"}
    with serving(at_home.registry, wanted, secrets=secrets) as port:
        phone = Phone(port, at_home.phone.number)
        assert phone.configuration().status == 200
        assert replace(phone, secret="of-the-next-build").configuration().status == 200
        assert replace(phone, secret="of-no-build").configuration().status == 404
        assert at_home.contact().fetched == wanted.digest


def _stand(phone: Phone, digest: str, at_home: AtHome) -> None:
    """What stands is read anew every two seconds: until then the phone has what it had."""
    end = time.monotonic() + 10
    while phone.configuration().status == 200 and at_home.contact().fetched != digest:
        assert time.monotonic() < end
        time.sleep(0.3)
