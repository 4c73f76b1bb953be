"""How many devices the children of one household need, and who of them is served by those that there are. Pure.

The children come in an order: who has a device of their own first, then by key. A child is served without one of their
own when fewer than ``most`` children per device come before it, and fewer than there are devices have lessons at its
hours.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleet.account.programme.in_force import Programme


def served(programme: Programme, devices: int, before: int, clashing: int) -> bool:
    """Whether ``devices`` of the household serve a child after ``before`` others, ``clashing`` of them at its hours."""
    if not programme.shares or not devices:
        return False
    few_enough = programme.most is None or before < programme.most * devices
    return few_enough and (not programme.another or clashing < devices)


def needed(programme: Programme, grades: Sequence[str]) -> int:
    """The devices for children of these grades, in their order."""
    if not programme.shares:
        return len(grades)
    devices = min(len(grades), 1)
    for before, grade in enumerate(grades):
        clashing = sum((other, grade) in programme.clashes for other in grades[:before])
        while not served(programme, devices, before, clashing):
            devices += 1
    return devices
