"""The programme for people: what is in force, what was taken over, how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.account.programme.in_force import Phase, Programme, Target
from fleet.account.programme.progress import Progress, Reached
from fleet.account.programme.store import Applied
from provision.screen import table, text
from provision.text import counted

_TICKS = "▁▂▃▄▅▆▇█"


def applied(found: Applied) -> Iterator[RenderableType]:
    if found.changed:
        yield text(f"{found.programme} is the programme in force.")
    else:
        yield text(f"{found.programme} was in force already, just so. Nothing was changed.")
    if not found.seen_within:
        yield Text("Whoever is handed a device counts as never seen at once: seen_within: 30 would give it 30 days.")
    for one in found.strangers:
        whose = counted(one.students, "student")
        have = "has" if one.students == 1 else "have"
        if one.value:
            what = f'{have} the {one.what} "{one.value}", which the programme does not list{one.hint}'
        else:
            what = f"{have} no {one.what} that is known"
        yield text(f"{whose} {what}: they come last.", "yellow")


def programme(found: Programme) -> Iterator[RenderableType]:
    if not found.key:
        yield Text("No programme is in force. fleet programme apply FILE takes one over.")
        return
    yield text(f"{found.name} ({found.key})" if found.name != found.key else found.key, "bold")
    yield _rules(found)
    if found.areas:
        yield from (Text(), _areas(found))
    for phase in found.phases:
        yield from (Text(), *_phase(phase))


def _rules(found: Programme) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    rows = {
        "One per": found.one_per + _sharing(found),
        "Categories": ", ".join(found.categories),
        "Units": "; ".join(f"{_grades(kind.grades)}: {kind.words}" for kind in found.kinds),
        "Lesson apps": _apps(found),
        "Data plans": "; ".join(
            f"{', '.join(offer.categories) or 'all'}: {offer.quota}" + (f", {offer.days} days" if offer.days else "")
            for offer in found.data_plans
        ),
        "Hand-over to": ", ".join(found.hand_over.takers),
        "Wiping": "takes a second person" if found.second_person_wipes else "",
        "Kit": ", ".join(f"{number} {piece}" for piece, number in found.hand_over.kit.items()),
        "Quiet": "; ".join(f"{begin} to {end} ({why})" for begin, end, why in found.quiet),
    }
    for name, value in rows.items():
        if value:
            grid.add_row(Text(name, "bold"), text(value))
    return grid


def _sharing(found: Programme) -> str:
    if not found.shares:
        return ""
    most = f", at most {found.most} children to a device" if found.most else ""
    return most + (", another one for lessons at the same hour" if found.another else "")


def _apps(found: Programme) -> str:
    by_apps: dict[tuple[str, ...], list[str]] = {}
    for grade, apps in found.lesson_apps.items():
        by_apps.setdefault(apps, []).append(grade)
    return "; ".join(f"{_grades(grades)}: {', '.join(apps)}" for apps, grades in by_apps.items())


def _grades(grades: Iterable[str]) -> str:
    return "grades " + ", ".join(sorted(grades, key=lambda grade: (not grade.isdigit(), grade.zfill(2))))


def _areas(found: Programme) -> Table:
    grid = table("", "AREA", "RESPONSIBLE")
    for number, area in enumerate(found.areas, 1):
        name = area.area if area.name == area.area else f"{area.area}, {area.name}"
        grid.add_row(str(number), text(name), text(area.officer))
    return grid


def _phase(phase: Phase) -> Iterator[RenderableType]:
    whom = ", ".join((*phase.areas, *phase.categories)) or "everybody"
    yield text(f"Phase {phase.phase}, {phase.begin} to {phase.end}: {whom}", "bold")
    for target in phase.targets:
        yield text(f"  {_target(target)} by {target.by}")


def _target(target: Target) -> str:
    where = ", ".join(part for part in (target.area, target.category) if part)
    return f"{target.number or 'all'} {target.what}" + (f" ({where})" if where else "")


def progress(found: Progress) -> Iterator[RenderableType]:
    if not found.targets:
        yield Text("The programme in force has no targets. fleet programme show tells what it says.")
        return
    grid = table("TARGET", "DONE", "BY", "AT THIS PACE", "SO FAR")
    for column in (1, 2, 4):
        grid.columns[column].no_wrap = True
    for one in found.targets:
        grid.add_row(
            text(_what(one)),
            _done(one),
            one.by,
            _verdict(one),
            Text(_sparks([done for _, done in one.burn_up])),
        )
    yield grid


def _what(one: Reached) -> str:
    where = ", ".join(part for part in (one.area, one.category) if part)
    return f"{one.phase}: {one.what}" + (f", {where}" if where else "")


def _done(one: Reached) -> Text:
    share = f" ({one.done * 100 // one.number} %)" if one.number else ""
    return Text(f"{one.done} of {one.number}{share}")


def _verdict(one: Reached) -> Text:
    match one.verdict:
        case "reached":
            return Text("reached", "green")
        case "nobody":
            return Text("nobody is in it")
        case "no pace":
            return Text("no pace: nothing in 28 days" + ("; overdue" if one.overdue else ""), "bold red")
        case "in time":
            return Text(f"{one.expected}, in time ({_pace(one)})", "green")
    return Text(f"{one.expected or 'not in ten years'}, late ({_pace(one)})", "yellow")


def _pace(one: Reached) -> str:
    return f"{one.per_week or 0:.1f} a week"


def _sparks(values: list[int]) -> str:
    most = max(values, default=0)
    return "".join(_TICKS[value * (len(_TICKS) - 1) // most] for value in values) if most else ""
