"""Files that are damaged, forked or made to deceive: one sentence names the place, and nothing is taken over."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet import runs
from fleet.db import snapshot, transaction
from fleet.errors import FileError, RegistryError
from fleet.home import Bench
from fleet.ledger import Ledger
from fleet.ledger_export import export
from fleet.ledger_file import check
from fleet.ledger_merge import merge
from fleet.units import Registry
from tests.fleet.making import POSTGRES, SQLITE, identity, report, tables, ticking
from tests.fleet.test_ledger_many import received
from tests.fleet.test_merge import NOW, Side, side

CASES = yaml.safe_load((Path(__file__).parents[1] / "data" / "ledger" / "bad.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A file as it should be: header, three events, a reading, the end."""
    one = side("a")
    one.ledger = Ledger(Bench("a" * 8, "hanoi"), "lan", ticking())
    one.write(received("S1"))
    one.write(("unit.tagged", "android:S1", {"v": 1, "tag": "A-0001", "was": None}))
    with one.engine.begin() as conn:
        conn.exec_driver_sql(
            "INSERT INTO health (unit, at, bench, battery_level, battery_temperature, battery_faked) "
            "VALUES ('android:S1', '2025-03-01T08:00:00.000Z', 'aaaaaaaa', 80, 25.5, 0)"
        )
    path = one.export(tmp_path_factory.mktemp("good") / "file")
    one.engine.dispose()
    return path.read_bytes().splitlines(keepends=True)


def spoiled(lines: list[bytes], case: Mapping[str, Any]) -> bytes:
    found = list(lines)
    if edit := case.get("edit"):
        number, old, new = edit
        found[number - 1] = edited(found[number - 1].decode(), old, new).encode()
    if edit := case.get("bytes_edit"):
        found[edit[0] - 1] = found[edit[0] - 1].replace(edit[1].encode(), edit[2].encode("latin-1"))
    if number := case.get("delete"):
        del found[number - 1]
    if swap := case.get("swap"):
        one, other = swap
        found[one - 1], found[other - 1] = found[other - 1], found[one - 1]
    assert found != lines or not {"edit", "bytes_edit"} & case.keys(), "the case changes nothing"
    if case.get("repair"):
        found = repaired(found)
    whole: bytes = b"".join(found[: case.get("keep")]) + case.get("append", "").encode()
    return whole[: case.get("bytes")]


def edited(line: str, old: str, new: str) -> str:
    """``9{1000}`` in ``new`` is a thousand nines; ``\\1`` a group of ``old``."""
    new = re.sub(r"(.)\{(\d+)\}", lambda match: match[1] * int(match[2]), new)
    return (
        re.sub(old, lambda match: new.replace(r"\1", match[1] if match.groups() else ""), line.rstrip("\n"), count=1)
        + "\n"
    )


def repaired(found: list[bytes]) -> list[bytes]:
    """All hashes as they have to be, so that only what was put in is wrong."""
    prev = ""
    for place in (1, 2, 3):
        line = re.sub(rb'"prev":"[^"]*"', f'"prev":"{prev}"'.encode(), found[place])
        found[place] = line
        prev = hashlib.sha256(line[:-1]).hexdigest()
    found[0] = re.sub(rb'"hash":"[^"]*"', f'"hash":"{prev}"'.encode(), found[0])
    whole = hashlib.sha256(b"".join(found[:-1])).hexdigest()
    return [*found[:-1], b'{"sha256":"' + whole.encode() + b'"}\n']


def refused(registry: Registry, path: Path, says: str) -> None:
    with snapshot(registry.engine) as conn:
        before = tables(conn)
    with pytest.raises(FileError) as told, transaction(registry.engine) as conn:
        merge(conn, [path], NOW)
    assert re.search(says, told.value.what), told.value.what
    assert told.value.what.isprintable()
    assert str(path) in told.value.what
    assert told.value.next_action
    with snapshot(registry.engine) as conn:
        assert tables(conn) == before


def test_the_file_itself_is_taken(registry: Registry, lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"".join(repaired(list(lines))))
    assert check(path).events == 3
    with transaction(registry.engine) as conn:
        assert merge(conn, [path], NOW).events == 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@SQLITE
def test_bad_files(registry: Registry, lines: list[bytes], tmp_path: Path, case: dict[str, Any]) -> None:
    path = tmp_path / "file"
    path.write_bytes(spoiled(lines, case))
    refused(registry, path, case["says"])


@POSTGRES
def test_rows_that_a_table_does_not_take(registry: Registry, tmp_path: Path) -> None:
    """SQLite keeps numbers of any size where PostgreSQL does not."""
    one = side("a")
    one.write(received("S1"))
    who = identity("S1")
    one.write(("unit.run", "android:S1", {**runs.body_of(report(who), who), "steps": 2**40}))
    refused(registry, one.export(tmp_path / "file"), "its events do not fit together")
    one.engine.dispose()


def test_endless_files(registry: Registry) -> None:
    refused(registry, Path("/dev/zero"), "longer than any line of a ledger")


def test_files_that_are_none(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    refused(registry, tmp_path / "empty", "the file is cut off here")
    refused(registry, tmp_path / "nowhere", "cannot be read: No such file")
    refused(registry, tmp_path, "cannot be read: Is a directory")


def forked(tmp_path: Path, events: int) -> tuple[Side, Path]:
    """Two computers write the chain of one bench."""
    one, other = side("a"), side("a")
    for number in range(events):
        one.write(received(str(number)))
        other.write(received(str(number)))
    one.write(received("one"))
    other.write(received("other"))
    other.write(received("another"))
    path = other.export(tmp_path / "other")
    other.engine.dispose()
    return one, path


@pytest.mark.parametrize("events", [0, 3])
def test_forked_chains(tmp_path: Path, events: int) -> None:
    one, path = forked(tmp_path, events)
    before = one.tables()
    with pytest.raises(FileError, match=rf"event {events + 2} of bench bench a \(aaaaaaaa\) is another one here"):
        one.merge(path)
    assert one.tables() == before
    one.engine.dispose()


def test_a_fork_before_the_file_begins(tmp_path: Path) -> None:
    """The file goes on from an event that is another one here."""
    one, path = forked(tmp_path, 3)
    lines = path.read_bytes().splitlines()
    header = json.loads(lines[0])
    header["chains"][0] |= {"first": 6, "prev": json.loads(lines[6])["prev"]}
    header["events"] = 1
    whole = b"".join(line + b"\n" for line in (json.dumps(header).encode(), lines[6]))
    path.write_bytes(whole + b'{"sha256":"' + hashlib.sha256(whole).hexdigest().encode() + b'"}\n')
    with pytest.raises(FileError, match=r"event 5 of bench bench a .* is another one here"):
        one.merge(path)
    one.engine.dispose()


def test_an_export_that_begins_after_our_end(tmp_path: Path) -> None:
    one, other = side("a"), side("b")
    one.write(received("1"))
    early = one.export(tmp_path / "early")
    for number in range(5):
        one.write(received(f"more {number}"))
    with one.engine.connect() as conn:
        export(conn, tmp_path / "late", NOW, since="2025-03-01T08:00:05.000Z")
    other.merge(early)
    with pytest.raises(FileError, match="it begins with event 6, and this registry has the events up to 2"):
        other.merge(tmp_path / "late")
    for each in (one, other):
        each.engine.dispose()


def test_a_broken_ledger_is_not_handed_on(registry: Registry, tmp_path: Path) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append_many(conn, [received("1"), received("2")])
        conn.exec_driver_sql("UPDATE events SET actor = 'nobody' WHERE seq = 2")
    with snapshot(registry.engine) as conn, pytest.raises(RegistryError, match="broken at event 2 of bench"):
        export(conn, tmp_path / "file", NOW)
    assert list(tmp_path.glob("*file*")) == []


def test_a_file_that_is_there_is_kept(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with snapshot(registry.engine) as conn, pytest.raises(FileError, match="is there already"):
        export(conn, tmp_path / "file", NOW)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_disk_that_is_full(registry: Registry) -> None:
    with snapshot(registry.engine) as conn, pytest.raises(FileError, match="cannot be written"):
        export(conn, Path("/proc/nowhere/file"), NOW)
