"""Lists one after the other: who is new, who is the same in another spelling, who came back, who is missing."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from fleet.account.assign import by_hand
from fleet.account.custody.places import Place, put
from fleet.account.people import students as one_student
from fleet.account.people.vault import the_vault
from fleet.account.roster.read import Request, gathered
from fleet.account.roster.rejects import write
from fleet.account.roster.schools import Schools
from fleet.db import snapshot, transaction
from fleet.errors import AccountError
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.ledger_replay import replay
from fleet.models import events, metadata, places, student_ids, students, vault
from fleet.units import Registry, open_registry
from tests.account.custody_making import assert_replays, furnish, make_ready, take_in, where
from tests.account.roster_making import TODAY, bring, listed, people
from tests.fleet.making import tables, ticking

HEAD = "Họ tên,Ngày sinh,CCCD,Mã học sinh,Trường,Lớp,Đối tượng,SĐT,Địa chỉ"
AN = "Nguyễn Văn An,05/03/2012,096212000111,,TH A,3A,Hộ nghèo,0912000001,Ấp 1"
BE = "Trần Thị Bé,06/04/2012,,17,TH A,3A,,0912000002,Ấp 2"
CU = "Lê Cu,07/05/2012,,,TH A,3B,,,"


def csv(folder: Path, *rows: str, head: str = HEAD, name: str = "list.csv") -> Path:
    file = folder / name
    file.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return file


def counts(report: Any) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.unchanged, len(report.refused)


def key_of(registry: Registry, name: str) -> str:
    (key,) = [key for key, (_, person) in people(registry).items() if person.name == name]
    return key


def test_what_changed_is_changed_and_nothing_else(registry: Registry, tmp_path: Path) -> None:
    assert counts(bring(registry, csv(tmp_path, AN, BE, CU))) == (3, 0, 0, 0)
    news = csv(
        tmp_path, AN.replace("3A", "4A"), BE.replace("0912000002", "0912000009"), CU, "Mới Mẻ,01/01/2013,,,TH A,1A,,,"
    )
    assert counts(bring(registry, news)) == (1, 2, 1, 0)
    found = {person.name: (row, person) for row, person in people(registry).values()}
    assert found["Nguyễn Văn An"][0]["class_name"] == "4A"
    assert found["Nguyễn Văn An"][0]["grade"] == "4"
    assert found["Trần Thị Bé"][1].phones == ("+84912000009",)
    with snapshot(registry.engine) as conn:
        last = conn.execute(select(events.c.body).where(events.c.kind == "student.set").order_by(events.c.seq)).all()
    bodies = [json.loads(row.body)["fields"] for row in last[3:]]
    assert {"class_name": "4A", "grade": "4"} in bodies


def test_a_list_that_says_less_takes_nothing_away(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE))
    before = listed(registry)
    less = csv(tmp_path, "Nguyễn Văn An,05/03/2012,TH A", "Trần Thị Bé,06/04/2012,TH A", head="Họ tên,Ngày sinh,Trường")
    assert counts(bring(registry, less)) == (0, 0, 2, 0)
    assert listed(registry) == before


def test_who_is_not_in_the_list_is_told_and_stays(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE, CU.replace("TH A", "TH B")))
    again = bring(registry, csv(tmp_path, AN))
    assert again.missing == (key_of(registry, "Trần Thị Bé"),)
    assert again.missing_count == 1
    assert len(people(registry)) == 3
    assert bring(registry, csv(tmp_path, AN), source="another").missing_count == 0


def test_who_left_is_back_when_a_list_names_them(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN))
    with transaction(registry.engine) as conn:
        one_student.leave(conn, registry.ledger, key_of(registry, "Nguyễn Văn An"), "moved")
    report = bring(registry, csv(tmp_path, AN))
    assert (counts(report), report.back) == ((0, 1, 0, 0), 1)
    ((row, _),) = people(registry).values()
    assert row["state"] == "enrolled"


def test_who_was_forgotten_is_not_taken_again(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE))
    with transaction(registry.engine) as conn:
        key = one_student.forget(
            conn, registry.ledger, the_vault(registry.home, conn), key_of(registry, "Nguyễn Văn An"), "asked"
        )
    report = bring(registry, csv(tmp_path, AN, BE))
    assert counts(report) == (0, 0, 1, 1)
    assert "was forgotten" in report.refused[0].why
    with snapshot(registry.engine) as conn:
        assert conn.scalars(select(student_ids.c.hash).where(student_ids.c.student == key)).all() == []
        assert conn.scalar(select(vault.c.student).where(vault.c.student == key)) is None
        assert isinstance(verify(conn), Verified)


SAME = {
    "no marks": "NGUYEN VAN AN,05/03/2012,,,TH A,3A,,,",
    "other spaces": "  Nguyễn  Văn An,5-3-2012,,,th  a,3A,,,",
    "by number, misspelled": "Nguyễn Văn Ẩm,05/03/2012,096212000111,,TH A,3A,,,",
    "at another school, by number": "Nguyễn Văn An,05/03/2012,96212000111,,TH B,3A,,,",
    "at another school, by phone": "Nguyen Van An,05/03/2012,,,TH B,3A,,84912000001,",
    "without a birthday, by phone": "Nguyễn Văn An,,,,TH B,3A,,0912 000 001,",
}
OTHER = {
    "another tone": "Nguyễn Văn Ân,05/03/2012,,,TH A,3A,,,",
    "another number": "Nguyễn Văn An,05/03/2012,096212000999,,TH A,3A,,,",
    "another birthday": "Nguyễn Văn An,06/03/2012,,,TH A,3A,,0912000001,",
    "another school, no phone": "Nguyễn Văn An,05/03/2012,,,TH B,3A,,,",
    "a brother": "Nguyễn Văn Bình,05/03/2014,,,TH A,1A,,0912000001,",
}


@pytest.mark.parametrize("row", SAME.values(), ids=SAME)
def test_one_child_in_two_lists_is_one_student(registry: Registry, tmp_path: Path, row: str) -> None:
    bring(registry, csv(tmp_path, AN))
    report = bring(registry, csv(tmp_path, row), source="hospital")
    assert (report.new, report.changed + report.unchanged, len(report.refused)) == (0, 1, 0)
    ((key, (_, person)),) = people(registry).items()
    assert person.name == ("Nguyễn Văn Ẩm" if "Ẩm" in row else "Nguyễn Văn An")
    assert counts(bring(registry, csv(tmp_path, row), source="hospital")) == (0, 0, 1, 0)
    assert key_of(registry, person.name) == key


@pytest.mark.parametrize("row", OTHER.values(), ids=OTHER)
def test_two_children_who_look_alike_are_two(registry: Registry, tmp_path: Path, row: str) -> None:
    bring(registry, csv(tmp_path, AN))
    assert counts(bring(registry, csv(tmp_path, row))) == (1, 0, 0, 0)
    assert counts(bring(registry, csv(tmp_path, AN, row))) == (0, 0, 2, 0)
    assert len(people(registry)) == 2


def test_namesakes_share_no_identifier_that_proves_one_child(registry: Registry, tmp_path: Path) -> None:
    """A programme that gives to a child once must not take them for one."""
    twin = AN.replace("096212000111", "096212000112").replace("0912000001", "0912000005")
    for rows in ((AN, twin), (CU,)):
        bring(registry, csv(tmp_path, *rows))
    bring(
        registry,
        csv(tmp_path, CU.replace(",,,TH A", ",096212000113,,TH A"), CU.replace(",,,TH A", ",096212000114,,TH A")),
    )
    with snapshot(registry.engine) as conn:
        proofs = conn.execute(select(student_ids).where(student_ids.c.kind.in_(("id", "number", "birth")))).all()
    assert len({row.hash for row in proofs}) == len(proofs)
    assert len(people(registry)) == 4


def test_a_row_that_may_be_two_students_is_refused(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, CU.replace(",,,TH A", ",,1,TH A"), CU.replace(",,,TH A", ",,2,TH A")))
    report = bring(registry, csv(tmp_path, CU))
    assert counts(report) == (0, 0, 0, 1)
    assert "may be S-" in report.refused[0].why


def test_a_number_of_somebody_else_is_refused(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE))
    for row in (CU.replace(",,,TH A", ",,17,TH A"), CU.replace(",,,TH A", ",96212000111,,TH A")):
        report = bring(registry, csv(tmp_path, row))
        assert counts(report) == (0, 0, 0, 1)
        assert "but another name and birthday" in report.refused[0].why


def test_numbers_of_two_students_in_one_row_are_refused(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE))
    report = bring(registry, csv(tmp_path, AN.replace(",,TH A", ",17,TH A")))
    assert "by its numbers" in report.refused[0].why


def test_two_rows_that_are_one_student_of_the_registry(registry: Registry, tmp_path: Path) -> None:
    """Neither looks like the other, and the registry knows that both are one."""
    bring(registry, csv(tmp_path, AN.replace(",,TH A", ",55,TH A")))
    by_id, by_number = "An Xưa,,096212000111,,TH A,,,,", "An Nay,,,55,TH A,,,,"
    for rows in ((by_id, by_number), (by_number, by_id)):
        report = bring(registry, csv(tmp_path, *rows), apply=False)
        assert report.new == 0
        assert len(report.refused) == 1
        assert "another row of this list" in report.refused[0].why or "as row" in report.refused[0].why


def test_siblings_share_a_household_and_a_school_phone_makes_none(registry: Registry, tmp_path: Path) -> None:
    rows = [f"Học Trò {chr(65 + n // 26)}{chr(65 + n % 26)},05/03/2012,,,TH A,,,0912999999," for n in range(40)]
    bring(registry, csv(tmp_path, AN, AN.replace("Văn An", "Văn Em").replace("2012,096212000111", "2014,"), *rows))
    homes: dict[str, list[str]] = {}
    for row, person in people(registry).values():
        homes.setdefault(row["household"], []).append(person.name)
    assert len(homes.pop("")) == 40
    assert sorted(*homes.values()) == ["Nguyễn Văn An", "Nguyễn Văn Em"]


def test_a_household_number_counts_within_its_area(registry: Registry, tmp_path: Path) -> None:
    head = "Họ tên,Ngày sinh,Trường,Xã,Số hộ"
    file = csv(tmp_path, "An An,01/01/2012,A,X,7", "Bình An,01/01/2013,A,X,7", "Chi An,01/01/2013,A,Y,7", head=head)
    bring(registry, file)
    homes = {person.name: row["household"] for row, person in people(registry).values()}
    assert homes["An An"] == homes["Bình An"] != homes["Chi An"]


def test_a_teacher_is_a_pseudonym_and_the_name_is_in_the_vault(registry: Registry, tmp_path: Path) -> None:
    head = "Họ tên,Ngày sinh,Trường,GVCN"
    file = csv(
        tmp_path,
        "An An,01/01/2012,A,Lê Thị Thu",
        "Bình An,01/01/2013,A,LE THI THU",
        "Chi An,01/01/2013,A,GV-12",
        head=head,
    )
    bring(registry, file)
    found = {person.name: row["teacher"] for row, person in people(registry).values()}
    assert found["An An"] == found["Bình An"] != found["Chi An"] == "GV-12"
    with transaction(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        teacher = keys.open(conn, registry.ledger, found["An An"], "to be called")
        assert teacher is not None
        assert teacher.name == "Lê Thị Thu"
        said = " ".join(conn.scalars(select(events.c.body)))
    assert "Lê Thị Thu" not in said


def test_nothing_of_a_person_is_in_the_ledger(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE))
    with snapshot(registry.engine) as conn:
        said = " ".join(conn.scalars(select(events.c.body)))
        rows = repr(tables(conn))
    for secret in ("Nguyễn", "Bé", "2012-03", "912000001", "096212000111", "Ấp 1"):
        assert secret not in said
        assert secret not in rows


def test_replay_gives_the_same_tables(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN, BE, CU))
    bring(registry, csv(tmp_path, AN.replace("3A", "4A"), CU))
    with transaction(registry.engine) as conn:
        one_student.forget(conn, registry.ledger, the_vault(registry.home, conn), key_of(registry, "Lê Cu"), "asked")
    target = create_engine("sqlite://")
    metadata.create_all(target)
    with snapshot(registry.engine) as source, target.connect() as conn:
        replay(source, conn)
        assert tables(conn) == tables(source)
    target.dispose()


def test_a_new_school_is_a_place_and_one_that_was_made_meanwhile_stays(registry: Registry, tmp_path: Path) -> None:
    bring(registry, csv(tmp_path, AN))
    with snapshot(registry.engine) as conn:
        assert [tuple(row)[:3] for row in conn.execute(select(places))] == [("TH-A", "TH A", "school")]
    with pytest.raises(AccountError, match="did you mean"):
        bring(registry, csv(tmp_path, AN), school="TH-B")


def test_no_school_is_made_of_rows_that_cannot_be_taken(registry: Registry, tmp_path: Path) -> None:
    report = bring(registry, csv(tmp_path, AN, CU.replace("TH A", "Tổng").replace("07/05/2012", "31/31/2012")))
    assert [school.place for school in report.schools] == ["TH-A"]
    with snapshot(registry.engine) as conn:
        assert conn.scalars(select(places.c.place)).all() == ["TH-A"]


def test_the_area_of_a_new_student_is_that_of_the_school_if_nobody_says_another(
    registry: Registry, tmp_path: Path
) -> None:
    with transaction(registry.engine) as conn:
        put(conn, registry.ledger, Place("TH-A", "TH A", "school", "Ngọc Hiển"))
    bring(registry, csv(tmp_path, AN, f"{CU},Năm Căn", head=f"{HEAD},Huyện"))
    areas = {person.name: row["area"] for row, person in people(registry).values()}
    assert areas == {"Nguyễn Văn An": "Ngọc Hiển", "Lê Cu": "Năm Căn"}
    assert bring(registry, csv(tmp_path, AN, CU)).changed == 0


def test_refused_rows_come_back_corrected(registry: Registry, tmp_path: Path) -> None:
    bad = ["Trần Thị Bé,31/02/2012,,17,TH A,3A,,+84912000002,-", "=1+1,06/04/2012,,18,TH A,3A,,,", AN]
    file, rejects = csv(tmp_path, *bad), tmp_path / "rejects.csv"
    with snapshot(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
    with gathered(Request(file, TODAY), keys, Schools(())) as found:
        write(rejects, file, "", found, found.refused)
    text = rejects.read_text("utf-8-sig")
    assert text.splitlines()[1].startswith("birthday is no day of the calendar: 31/02/2012,2,Trần Thị Bé,31/02/2012")
    assert "'=1+1" in text
    assert ",'+84912000002," in text
    rejects.write_text(text.replace("31/02/2012", "28/02/2012").replace("'=1+1", "Lý Đúng"), encoding="utf-8-sig")
    assert counts(bring(registry, rejects)) == (2, 0, 0, 0)
    assert {person.name: person.phones for _, person in people(registry).values()} == {
        "Trần Thị Bé": ("+84912000002",),
        "Lý Đúng": (),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty registry, to be copied."""
    folder = tmp_path_factory.mktemp("made") / "home"
    with open_registry(Home(folder), None, "lan"):
        return folder


_NAMES = st.sampled_from(["An Lê", "an le", "Ân Lê", "Bé Trần", "Cu", "x", "", "=1"])
_ROWS = st.tuples(
    _NAMES,
    st.sampled_from(["05/03/2012", "2012-03-05", "40973", "13/13/2013", ""]),
    st.sampled_from(["096212000111", "96212000111", "096212000112", "1E+11", ""]),
    st.sampled_from(["17", "18", ""]),
    st.sampled_from(["TH A", "th a", "TH B"]),
    st.sampled_from(["3A", ""]),
    st.sampled_from(["Hộ nghèo", ""]),
    st.sampled_from(["0912000001", "912000001", "12", ""]),
    st.sampled_from(["Ấp 1", ""]),
)


@settings(max_examples=25)
@given(first=st.lists(_ROWS, max_size=8), second=st.lists(_ROWS, max_size=8), seed=st.integers(0, 99))
def test_importing_twice_is_nothing_and_the_order_of_columns_does_not_matter(
    made: Path, first: list[tuple[str, ...]], second: list[tuple[str, ...]], seed: int
) -> None:
    import shutil

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(Path(shutil.copytree(made, folder / "home")))
        with open_registry(home, None, "lan", clock=ticking()) as registry:
            for rows in (first, second):
                _both_orders(registry, folder, rows, seed)
            with snapshot(registry.engine) as conn:
                assert isinstance(verify(conn), Verified)


def _both_orders(registry: Registry, folder: Path, rows: list[tuple[str, ...]], seed: int) -> None:
    order = list(range(9))
    random.Random(seed).shuffle(order)
    file = csv(folder, *(",".join(row) for row in rows))
    other = csv(
        folder,
        *(",".join(row[place] for place in order) for row in rows),
        head=",".join(HEAD.split(",")[place] for place in order),
        name="other.csv",
    )
    planned = bring(registry, other, apply=False)
    done = bring(registry, file)
    assert counts(planned) == counts(done)
    assert planned.refused == done.refused
    for again in (file, other):
        before = listed(registry)
        report = bring(registry, again)
        assert (report.new, report.changed) == (0, 0)
        assert report.unchanged == done.new + done.changed + done.unchanged
        assert listed(registry) == before
    with snapshot(registry.engine) as conn:
        assert len(people(registry)) == len(conn.scalars(select(students.c.student)).all())


def test_who_is_said_to_have_left_is_seen_off(registry: Registry, tmp_path: Path) -> None:
    furnish(registry, ())
    file = tmp_path / "list.csv"
    head = "Name,Student number,School code,Enrolment status\n"
    file.write_text(f"{head}Nguyen An,1001,LE-LOI,enrolled\nTran Binh,1002,LE-LOI,\n", encoding="utf-8")
    assert bring(registry, file).left == 0
    take_in(registry, ["A-0001"])
    make_ready(registry, ["A-0001"])
    [an] = [student for student, (_, person) in people(registry).items() if person.name == "Nguyen An"]
    by_hand.assign(registry, "A-0001", an, "2026-01-01")
    file.write_text(f"{head}Nguyen An,1001,LE-LOI,dropped out\nTran Binh,1002,LE-LOI,enrolled\n", encoding="utf-8")
    for _ in range(2):
        planned, told = bring(registry, file, apply=False), bring(registry, file)
        assert (planned.changed, planned.left) == (told.changed, told.left)
        assert people(registry)[an][0]["state"] == "left"
        assert where(registry, "A-0001")[3] is None
    assert (told.changed, told.unchanged, told.left) == (0, 2, 0)
    file.write_text(f"{head}Nguyen An,1001,LE-LOI,\n", encoding="utf-8")
    assert bring(registry, file).back == 1
    assert_replays(registry)
