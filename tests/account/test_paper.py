"""What is printed: read back from the PDF by other people's tools, letters and codes."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from fleet.account.assign.by_hand import unassign
from fleet.account.paper import labels, register
from fleet.account.paper.fonts import Fonts, find
from fleet.account.paper.labels import KINDS, Label
from fleet.account.paper.layouts import layouts
from fleet.account.paper.words import LANGUAGES, Words
from fleet.account.people.vault import Person, the_vault
from fleet.db import snapshot, transaction
from fleet.errors import AccountError, PrefixError
from fleet.models import events
from fleet.tags import next_free
from fleet.units import Registry
from fleet.values import Json
from tests.account.custody_making import assert_replays, enrol, furnish, take_in

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ENGLISH = Words("en")


def read(pdf: bytes, folder: Path) -> tuple[str, list[str]]:
    """The text of a PDF, and what its QR codes say."""
    file = folder / "printed.pdf"
    file.write_bytes(pdf)
    text = subprocess.run(["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True).stdout
    subprocess.run(["pdftoppm", "-r", "200", "-gray", "-png", file, folder / "page"], check=True)
    said = subprocess.run(
        ["zbarimg", "-q", "--raw", *sorted(folder.glob("page*.png"))], check=True, capture_output=True, text=True
    )
    return text, said.stdout.split()


@pytest.mark.parametrize("layout", list(layouts()))
def test_every_label_of_every_sheet_can_be_scanned(layout: str, tmp_path: Path) -> None:
    tags = [f"HN-{number:04d}" for number in range(1, 8)]
    printed = [Label(tag, tag, ("Samsung Galaxy Tab", "Bộ sạc", "充电器 0912 345 678")) for tag in tags]
    text, codes = read(labels.pdf(printed, layouts()[layout], find(), AT, skip=1), tmp_path)
    assert sorted(codes) == tags
    assert all(tag in text for tag in tags)
    assert "Bộ sạc" in text


@pytest.mark.parametrize("layout", list(layouts()))
def test_labels_lie_on_their_page(layout: str) -> None:
    sheet = layouts()[layout]
    places = sheet.places()
    on_first = [next(places) for _ in range(sheet.columns * sheet.rows)]
    assert {page for page, _, _ in on_first} == {0}
    assert max(x for _, x, _ in on_first) + sheet.label[0] <= sheet.page[0] + 0.1
    assert max(y for _, _, y in on_first) + sheet.label[1] <= sheet.page[1] + 0.1
    assert next(places)[0] == 1


def test_a_letter_that_no_font_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(AccountError, match=r"U\+13000"):
        labels.pdf([Label("A", "A 𓀀", ())], layouts()["a4-24"], find(), AT)
    latin = Fonts(find().files[:1])
    with pytest.raises(AccountError, match="阮"):
        labels.pdf([Label("A", "阮", ())], layouts()["a4-24"], latin, AT)
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(AccountError, match="cannot be used as a font"):
        find([broken])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_can_be_printed(language: str) -> None:
    words = Words(language)
    find().check([words.of("register"), words.of("private"), words.of("call", contact="x"), words.piece("charger")])
    assert words.piece("hotspot") == "hotspot"


def test_labels_of_units(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001", "A-0002"], model="Galaxy")
    found = labels.of_units(registry, ["A-0001..A-0002"], ("device", "box"), "0912", ENGLISH)
    assert [label.code for label in found] == ["A-0001", "A-0001", "A-0002", "A-0002"]
    assert found[0].lines == ("samsung Galaxy", "S/N SNA0001", "0912")
    assert found[1].lines == ("Box", "0912")
    with pytest.raises(AccountError, match="A-0009"):
        labels.of_units(registry, ["A-0001", "A-0009"], KINDS, "", ENGLISH)


def test_a_number_that_was_printed_is_not_given_again(registry: Registry) -> None:
    first = labels.of_new(registry, "hn", 3, ("device", "charger"), "", ENGLISH)
    assert [label.title for label in first] == ["HN-0001", "HN-0001", "HN-0002", "HN-0002", "HN-0003", "HN-0003"]
    assert labels.of_new(registry, "HN", 1, ("device",), "", ENGLISH)[0].title == "HN-0004"
    with transaction(registry.engine) as conn:
        assert next_free(conn, "HN") == "HN-0005"
    with pytest.raises(PrefixError):
        labels.of_new(registry, "Lê", 1, ("device",), "", ENGLISH)
    assert_replays(registry)


def assigned(registry: Registry) -> None:
    """Two students of 3A with names, each meant to get a unit."""
    furnish(registry, ())
    take_in(registry, ["A-0001", "A-0002"], place="LE-LOI", model="Galaxy")
    with transaction(registry.engine) as conn:
        vault = the_vault(registry.home, conn)
        for number, name in enumerate(("Nguyễn Thị Ánh", "阮文明"), start=1):
            student = f"S00000000{number}"
            enrol(conn, registry, student, class_name="3A", grade="3")
            vault.put(conn, student, Person(name=name))
            body: dict[str, Json] = {"v": 1, "student": student, "why": "test"}
            registry.ledger.append(conn, "unit.assigned", f"android:SNA000{number}", body)


@pytest.mark.parametrize("group", ["3A", "3"])
def test_the_register_of_a_class(registry: Registry, tmp_path: Path, group: str) -> None:
    assigned(registry)
    found = register.lines(registry, "le-loi", group, "hand-over")
    assert [(line.name, line.tag) for line in found] == [("Nguyễn Thị Ánh", "A-0001"), ("阮文明", "A-0002")]
    told = register.Register("LE-LOI", group, ("device", "charger"), "0912 345 678")
    text, codes = read(register.pdf(found * 5, told, Words("vi"), find(), AT), tmp_path)
    assert sorted(codes) == ["S000000001"] * 5 + ["S000000002"] * 5
    assert "Nguyễn Thị Ánh" in text
    assert "阮文明" in text
    assert "Khi có sự cố xin gọi: 0912 345 678" in text
    assert "Trang 2/2" in text


def test_every_name_on_the_register_is_an_event(registry: Registry) -> None:
    assigned(registry)
    register.lines(registry, "LE-LOI", "3A", "hand-over of 1 March")
    with snapshot(registry.engine) as conn:
        read_names = conn.scalars(select(events.c.body).where(events.c.kind == "vault.read")).all()
    assert len(read_names) == 2
    assert all("hand-over of 1 March" in body for body in read_names)


def test_nobody_to_hand_anything_to(registry: Registry) -> None:
    assigned(registry)
    for tag in ("A-0001", "A-0002"):
        unassign(registry, tag, "test")
    with pytest.raises(AccountError, match="No student of 3A at LE-LOI"):
        register.lines(registry, "LE-LOI", "3A", "hand-over")
    with pytest.raises(AccountError, match="No place has the code"):
        register.lines(registry, "LE-LOY", "3A", "hand-over")
