"""The papers of an intake, as plain text: the letter to the donor of a refused device, and what was seen of a reset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet.intake_view import LastIntake
from provision.intake import Letter
from provision.intake_words import words
from provision.text import printable


def letter(facts: Letter, language: str, at: str) -> str:
    """``at`` is now: since when it is refused, when it was not before."""
    say = _Group("letter", language)
    lines = [
        say("title"),
        "",
        f"{say('device')}: {facts.maker} {facts.model}",
        f"{say('serial')}: {facts.serial}",
        f"{say('imei')}: {facts.imei or say('unknown')}",
        *([f"{say('label')}: {facts.label}"] if facts.label else []),
        f"{say('since')}: {(facts.since or at)[:10]}",
        "",
        f"{say('why')}:",
        *_listed(text[language] for text in facts.locks),
        "",
        f"{say('please')}:",
        *_listed(text[language] for text in facts.donor_does),
    ]
    return "\n".join(map(printable, lines)) + "\n"


def certificate(found: LastIntake, language: str) -> str:
    """What was proved of a reset, and what was not."""
    return "\n".join(map(printable, _certificate(found, language))) + "\n"


def _certificate(found: LastIntake, language: str) -> Iterator[str]:
    say, paper = _Group("certificate", language), _Group("letter", language)
    unit, row = found.unit, found.row
    yield say("title")
    yield ""
    yield f"{paper('device')}: {unit['maker']} {unit['model']}" + (f", {unit['tag']}" if unit["tag"] else "")
    yield f"{paper('serial')}: {unit['serial']}"
    yield f"{paper('imei')}: {unit['imei'] or paper('unknown')}"
    if row:
        verdict = words()["verdicts"][row["verdict"]][language]
        yield f"{say('last')}: {_minute(row['at'])}, {verdict}, {row['actor']}"
    yield ""
    if row and row["reset_at"]:
        yield say("proved").format(before=_minute(row["reset_before"]), at=_minute(row["reset_at"]))
    else:
        yield say("once" if row is None or row["times"] == 1 else "none")
    yield from _signs(found, language)


def _signs(found: LastIntake, language: str) -> Iterator[str]:
    say, sign = _Group("certificate", language), _Group("signs", language)
    if found.shown:
        yield ""
        yield f"{say('shown')}:"
        yield from _listed(map(sign, found.shown))
    yield ""
    yield f"{say('not_shown')}:"
    yield from _listed([*map(sign, found.not_shown), say("limits"), say("reader")])


def _listed(texts: Iterable[str]) -> Iterator[str]:
    return (f"- {text}" for text in texts)


def _minute(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


class _Group:
    """``say("title")``: a text of one group in one language."""

    def __init__(self, group: str, language: str) -> None:
        self._texts = words()[group]
        self._language = language

    def __call__(self, key: str) -> str:
        return self._texts[key][self._language]
