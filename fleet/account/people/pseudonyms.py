"""The keys of students as people see and type them. Needs no vault: whoever lists students does not load it."""

from __future__ import annotations

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of keys (Crockford): none that is taken for another."""

_KEY_LETTERS = 9


def shown(student: str) -> str:
    """A pseudonym for people: ``S-4Q7…``."""
    return f"{student[:1]}-{student[1:]}"


def typed(text: str) -> str:
    """A pseudonym as a person typed it: small letters, O for 0, I and L for 1 and the dash do not matter."""
    capitals = text.strip().upper().replace("-", "").replace(" ", "")
    return capitals[:1] + capitals[1:].translate(str.maketrans("OIL", "011"))


def is_student(text: str) -> bool:
    """Whether it has the form of a pseudonym."""
    key = typed(text)
    return len(key) == _KEY_LETTERS + 1 and key[0] == "S" and set(key[1:]) <= set(LETTERS)
