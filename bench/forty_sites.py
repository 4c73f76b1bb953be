"""Pushes a release to sites behind OpenSSH servers of their own, beside Ansible, pyinfra and sftp, turn by turn.

    .venv/bin/python -m bench.forty_sites [--sites 40] [--megabytes 50] [--rounds 3]

Two numbers, each the median over the rounds of one run:

- an unchanged release pushed again to all sites, against Ansible (``copy`` of the same files, and ``command``;
  pipelining, the best of several numbers of forks) and pyinfra (``files.put`` and ``server.shell``): at least 5 and 2
  times as fast;
- the first push, against as many OpenSSH ``sftp`` puts at once: at most 1.4 times as long.

Ansible and pyinfra are installed from PyPI, as ``requirements-forty-sites.txt`` pins them, into the system's temporary
folder. Nothing keeps a connection from one round to the next.
"""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.sshd import FLEET, Sshd, keygen

REQUIREMENTS = Path(__file__).with_name("requirements-forty-sites.txt")
FORKS = (10, 40)
FILES = 5
"""So many files share the bytes of the release: its apps."""

ANSIBLE, PYINFRA, SFTP, MEMORY = 5.0, 2.0, 1.4, 300
MB = 1_000_000


@dataclasses.dataclass(frozen=True)
class Took:
    """Seconds on the clock, of processors by what was started here (``cpu``), and the memory of the largest in MB."""

    wall: float
    cpu: float
    memory: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=40)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    programs = anchors()
    with tempfile.TemporaryDirectory() as directory:
        field = Field(Path(directory), wanted.sites, wanted.megabytes, programs)
        try:
            return measured(field, wanted.rounds)
        finally:
            field.close()


def measured(field: Field, rounds: int) -> int:
    """Prints what was found; the exit code."""
    field.add()
    first = in_turns(rounds, {"fleet": field.push_first, "sftp": field.sftp})
    field.push()
    forks = min(FORKS, key=lambda number: field.ansible(number).wall)
    field.pyinfra()
    again = in_turns(rounds, {"fleet": field.push, "ansible": partial(field.ansible, forks), "pyinfra": field.pyinfra})
    print(f"{len(field.sites)} sites, {field.size / MB:.0f} MB in {FILES} files; ansible with {forks} forks")
    for title, found in (("first push", first), ("pushed again, unchanged", again)):
        print(title)
        for name, tooks in found.items():
            wall, cpu = (statistics.median(getattr(one, what) for one in tooks) for what in ("wall", "cpu"))
            print(f"  {name:8} {wall:7.1f} s, {cpu:6.1f} s of processors here")
    ansible, pyinfra = (ratio(again[name], again["fleet"]) for name in ("ansible", "pyinfra"))
    sftp = ratio(first["fleet"], first["sftp"])
    memory = max(one.memory for one in (*first["fleet"], *again["fleet"]))
    print(f"again: {ansible:.2f} times as fast as ansible (at least {ANSIBLE}), {pyinfra:.2f} as pyinfra ({PYINFRA})")
    print(f"first: {sftp:.2f} times as long as sftp (at most {SFTP}); hub {memory:.0f} MB (at most {MEMORY})")
    return 0 if ansible >= ANSIBLE and pyinfra >= PYINFRA and sftp <= SFTP and memory <= MEMORY else 1


def in_turns(rounds: int, ways: Mapping[str, Callable[[], Took]]) -> dict[str, list[Took]]:
    """Each way once per round, in another order each time."""
    found: dict[str, list[Took]] = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(ways[name]())
            print(f"  {name} {found[name][-1].wall:.1f} s", file=sys.stderr, flush=True)
    return found


def ratio(ones: Sequence[Took], others: Sequence[Took]) -> float:
    """How many times as long the ones took."""
    return statistics.median(one.wall / other.wall for one, other in zip(ones, others, strict=True))


class Field:
    """The sites, a hub that knows them, and what the anchors need to reach the same hosts with a key of theirs."""

    def __init__(self, folder: Path, number: int, megabytes: int, programs: Path) -> None:
        self.folder = folder
        self.size = megabytes * MB
        self._programs = programs
        self._home = folder / "hub"
        (self._home / "ssh").mkdir(parents=True)
        forced, free = keygen(self._home / "ssh" / "id_ed25519"), keygen(folder / "key")
        self._source = folder / "source"
        self._files = _apps(self._source, self.size)
        self.sites = [Sshd(folder / f"site-{at:02}", forced) for at in range(number)]
        for site in self.sites:
            with (site.folder / "authorized_keys").open("a", encoding="ascii") as keys:
                keys.write(f"{free}\n")
            site.start()
        self._known = folder / "known_hosts"
        self._known.write_text("".join(f"[127.0.0.1]:{one.port} {one.host_key}\n" for one in self.sites))
        self._release = ""

    def close(self) -> None:
        """End every server."""
        for site in self.sites:
            site.stop()

    def add(self) -> None:
        """Make the hub: its key, its sites, the release."""
        self._fleet("release", "key", "init")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._add, self.sites))
        told = self._fleet("release", "build", str(self._source / "bench.yaml"), "--note", "bench", "--json")
        self._release = str(json.loads(told)["number"])

    def push(self) -> Took:
        """Push the release; what is there already does not travel."""
        return self._run([str(FLEET), "push", self._release, "--no-bring"])

    def push_first(self) -> Took:
        """The same to sites that have nothing of it."""
        for site in self.sites:
            releases = site.home / "releases"
            (releases / "current").unlink(missing_ok=True)
            for name in (self._release, "blobs"):
                shutil.rmtree(releases / name, ignore_errors=True)
        os.sync()
        return self.push()

    def sftp(self) -> Took:
        """All files to all sites, each by an sftp of its own, all at once."""
        for site in self.sites:
            shutil.rmtree(site.folder / "put", ignore_errors=True)
            (site.folder / "put").mkdir()
        os.sync()
        with ThreadPoolExecutor(len(self.sites)) as pool:
            start, before = time.perf_counter(), _processors()
            list(pool.map(self._put, self.sites))
            return Took(time.perf_counter() - start, _processors() - before, 0.0)

    def ansible(self, forks: int) -> Took:
        """The same files by ``copy``, and a ``command``."""
        folder = self.folder / "ansible"
        folder.mkdir(exist_ok=True)
        login = {"ansible_user": getpass.getuser(), "ansible_ssh_private_key_file": str(self.folder / "key")}
        hosts = {
            site.folder.name: {
                "ansible_host": "127.0.0.1",
                "ansible_port": site.port,
                "ansible_python_interpreter": shutil.which("python3", path="/usr/bin:/bin") or sys.executable,
                "target": str(site.folder / "copied"),
                **login,
            }
            for site in self.sites
        }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        tasks = [
            {"copy": {"src": f"{self._source}/", "dest": "{{ target }}/"}},
            {"command": "test -e {{ target }}", "changed_when": False},
        ]
        (folder / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        shutil.rmtree(folder / "control", ignore_errors=True)
        told = {
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_FORKS": str(forks),
            "ANSIBLE_HOME": str(folder),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "control"),
            "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist=5s -o UserKnownHostsFile={self._known}",
        }
        words = ["ansible-playbook", "-i", str(folder / "hosts.json"), str(folder / "play.json")]
        return self._run([str(self._programs / words[0]), *words[1:]], told)

    def pyinfra(self) -> Took:
        """The same files by ``files.put``, and a ``server.shell``."""
        folder = self.folder / "pyinfra"
        folder.mkdir(exist_ok=True)
        common = {
            "ssh_hostname": "127.0.0.1",
            "ssh_user": getpass.getuser(),
            "ssh_key": str(self.folder / "key"),
            "ssh_known_hosts_file": str(self._known),
        }
        hosts = [
            (one.folder.name, {**common, "ssh_port": one.port, "target": str(one.folder / "put-again")})
            for one in self.sites
        ]
        (folder / "inventory.py").write_text(f"sites = {hosts!r}\n")
        (folder / "deploy.py").write_text(_DEPLOY.format(files=[str(one) for one in self._files]))
        words = ["--parallel", str(len(self.sites)), "-y", str(folder / "inventory.py"), str(folder / "deploy.py")]
        return self._run([str(self._programs / "pyinfra"), *words], {"HOME": str(folder)})

    def _add(self, site: Sshd) -> None:
        self._fleet("site", "add", site.folder.name, site.address(), "--host-key", site.host_key)

    def _put(self, site: Sshd) -> None:
        options = [f"UserKnownHostsFile={self._known}", "BatchMode=yes", f"IdentityFile={self.folder / 'key'}"]
        words = [word for option in options for word in ("-o", option)]
        batch = "".join(f"put {one} {site.folder / 'put'}\n" for one in self._files)
        where = f"{getpass.getuser()}@127.0.0.1"
        command = ["sftp", "-q", "-b", "-", *words, "-P", str(site.port), where]
        subprocess.run(command, input=batch.encode(), stdout=subprocess.DEVNULL, check=True)

    def _fleet(self, *words: str) -> str:
        done = subprocess.run([str(FLEET), *words], env=self._environment(), capture_output=True, text=True, check=True)
        return done.stdout

    def _run(self, command: Sequence[str], told: Mapping[str, str] | None = None) -> Took:
        log = self.folder / "log"
        start = time.perf_counter()
        before = _processors()
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                env={**self._environment(), **(told or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        return Took(wall, _processors() - before, used.ru_maxrss * 1024 / MB)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "FLEET_HOME": str(self._home), "LC_ALL": "C.UTF-8"}


_DEPLOY = """
from pathlib import Path

from pyinfra import host
from pyinfra.operations import files, server

for file in {files!r}:
    files.put(src=file, dest=host.data.target + "/" + Path(file).name)
server.shell(commands=["test -e " + host.data.target])
"""


def _processors() -> float:
    """Seconds of processors that ended children of this process took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _apps(folder: Path, size: int) -> list[Path]:
    """A profile and its files, of random bytes."""
    folder.mkdir()
    found = []
    for number in range(FILES):
        found.append(folder / f"content-{number}.bin")
        found[-1].write_bytes(random.Random(number).randbytes(size // FILES))
    entries = "\n".join(f"  - {{id: c{n}, from: {one.name}, to: Learning/{one.name}}}" for n, one in enumerate(found))
    (folder / "bench.yaml").write_text(f"profile: bench\ncontent:\n{entries}\n")
    return [*found, folder / "bench.yaml"]


def anchors() -> Path:
    """The folder with the programs of Ansible and pyinfra, installed if need be."""
    known = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"schoolbag-forty-sites-{os.getuid()}-{known}"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
        (folder / "ready").touch()
    return folder / "bin"


if __name__ == "__main__":
    sys.exit(main())
