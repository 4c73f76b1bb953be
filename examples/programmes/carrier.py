"""The operator's side of a programme: what comes back from it, made from what was sent.

    python examples/programmes/carrier.py answer request.xlsx answer.csv --refuse 8986…
    python examples/programmes/carrier.py usage sims.xlsx usage.csv --not 8986…

An operator is asked with the file of ``fleet sim request``, and answers row by row; its usage file has a line per SIM
and day. Both are in UTF-8, with headings as the operators of the example have them.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import openpyxl


def main() -> None:
    """One of the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["answer", "usage"])
    parser.add_argument("sent", type=Path, help="what the operator has: a request, or the list of its SIMs")
    parser.add_argument("out", type=Path)
    parser.add_argument("--refuse", nargs="*", default=[], help="answer: numbers that it does not find")
    parser.add_argument("--not", dest="unused", nargs="*", default=[], help="usage: SIMs that were not used")
    said = parser.parse_args()
    lines: list[list[object]]
    if said.what == "answer":
        lines = [["request", "status"], *answers(said.sent, said.refuse)]
    else:
        lines = [["ICCID", "date", "MB"], *usage(said.sent, said.unused)]
    with said.out.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def answers(request: Path, refused: list[str]) -> Iterator[list[object]]:
    """A status for each line of the request."""
    for row in rows(request, "iccid"):
        yield [row["request"], "no match for number" if row["iccid"] in refused else "done"]


def usage(sims: Path, unused: list[str]) -> Iterator[list[object]]:
    """Half a GB of today for each SIM."""
    today = datetime.now(UTC).date().isoformat()
    for row in rows(sims, "iccid"):
        if row["iccid"] not in unused:
            yield [row["iccid"], today, 512]


def rows(file: Path, column: str) -> Iterator[dict[str, str]]:
    """The rows of a sheet below the line that has ``column``, by the words of that line in small letters."""
    sheet = openpyxl.load_workbook(file, read_only=True).worksheets[0]
    head: list[str] = []
    for cells in sheet.iter_rows(values_only=True):
        texts = ["" if cell is None else str(cell) for cell in cells]
        if head and texts[head.index(column)]:
            yield dict(zip(head, texts, strict=False))
        elif column in (names := [text.strip().casefold() for text in texts]):
            head = names


if __name__ == "__main__":
    main()
