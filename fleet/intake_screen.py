"""What a technician sees of an intake: the verdict of each device, what was found, and what to tap, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from fleet.intakes import Inspected
from profiles.errors import SchoolbagError
from provision.intake import Finding, Intake
from provision.intake_rules import Lead
from provision.intake_words import words
from provision.text import printable

_SYSTEMS = {"android": "Android ", "ios": "iOS "}
_STYLES = {"accept": "bold green", "needs hands": "bold yellow", "refuse": "bold red"}
_SIGNS = {Lead.NOTE: ("·", ""), Lead.HANDS: ("→", "yellow"), Lead.REFUSE: ("✗", "red")}


def results(found: Sequence[Inspected], language: str) -> RenderableType:
    """One block per device, in the order of the ports."""
    return Group(*(part for one in found for part in _device(one, language)))


def in_short(one: Inspected, language: str) -> SchoolbagError:
    """Why a device is not taken, and what to do next, for one row."""
    assert one.intake is not None
    worst = max(one.intake.findings, key=lambda finding: finding.lead)
    return SchoolbagError(worst.what[language], next_action(one.intake, language))


def next_action(intake: Intake, language: str) -> str:
    """What is done with a device that is not taken: whoever has to let go of it, else all taps. "" of one that is."""
    worst = max(intake.findings, key=lambda finding: finding.lead, default=None)
    if worst is None or worst.lead < Lead.HANDS:
        return ""
    if worst.lead is Lead.REFUSE:
        return _refused(worst, language)
    taps = [tap for finding in intake.findings for tap in _taps(finding, language)]
    return " → ".join(taps) or words()["bench"].get(worst.key, {}).get(language, "")


def _refused(finding: Finding, language: str) -> str:
    said = words()["bench"]
    return said.get(finding.key, said["other"])[language]


def _device(one: Inspected, language: str) -> Iterator[RenderableType]:
    who = one.place.device.identity if one.place.device else None
    name = one.tag or one.place.serial or one.place.address
    about = f"{who.maker} {who.model}, {who.skin or _SYSTEMS[who.platform] + who.version}" if who else one.place.state
    head = Text(f"{printable(name)}  {printable(about)}  ")
    if one.intake is None:
        yield head
        yield Padding(Text(printable(str(one.error)), "red"), (0, 0, 1, 2), expand=False)
        return
    verdict = str(one.intake.verdict)
    head.append(words()["verdicts"][verdict][language], _STYLES[verdict])
    yield head
    yield Padding(Group(*_findings(one.intake, language)), (0, 0, 1, 2), expand=False)


def _findings(intake: Intake, language: str) -> Iterator[RenderableType]:
    for finding in intake.findings:
        yield _finding(finding, language)
        if finding.lead is Lead.REFUSE:
            yield Padding(Text(_refused(finding, language)), (0, 0, 0, 4), expand=False)
        for number, tap in enumerate(_taps(finding, language), 1):
            yield Padding(Text(f"{number}. {printable(tap)}"), (0, 0, 0, 4), expand=False)


def _taps(finding: Finding, language: str) -> tuple[str, ...]:
    return finding.taps.get(language, ()) if finding.lead is Lead.HANDS else ()


def _finding(finding: Finding, language: str) -> Text:
    sign, style = _SIGNS[finding.lead]
    return Text(f"{sign} {printable(finding.what[language])}", style)
