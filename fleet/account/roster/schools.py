"""Which place a school of a list is: by its code or its name; one that is not known yet becomes a new place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet.account.custody.places import Place
from fleet.account.people.identifiers import Unusable, folded, spelled
from fleet.errors import AccountError
from profiles.errors import meant

_LONGEST = 28
_CODE = re.compile(r"[A-Z0-9]([A-Z0-9._-]{0,30}[A-Z0-9])?")


@dataclass
class Schools:
    """``known`` are the places of the registry; ``new`` those that the list adds, by code."""

    known: Iterable[Place]
    new: dict[str, Place] = field(default_factory=dict)
    _codes: dict[str, Place] = field(default_factory=dict)
    _named: dict[str, list[Place]] = field(default_factory=dict)
    _found: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in self.known:
            self._add(place)

    def code(self, name: str, code: str, area: str) -> str:
        """The code of the school that is called so. Unusable when it may be two, or is no school."""
        asked = (name, code, area)
        if asked not in self._found:
            self._found[asked] = self._code(spelled(name), code.strip().upper(), spelled(area))
        return self._found[asked]

    def near(self, place: Place) -> str:
        """The known school that a new one may have been meant to be."""
        return meant(place.name, (known.name for known in self._codes.values() if known.place not in self.new))

    def areas(self) -> dict[str, str]:
        """Where each school is, as far as it is known."""
        return {code: place.area for code, place in self._codes.items() if place.area}

    def _code(self, name: str, code: str, area: str) -> str:
        for said in (code, name.upper()):
            if said in self._codes:
                return self._school(self._codes[said])
        if code:
            if not _CODE.fullmatch(code):
                raise Unusable("cannot be the code of a school: letters A-Z, digits and - between them")
            return self._new(code, name or code, area)
        found = self._named.get(folded(name), [])
        if len(found) > 1:
            found = [place for place in found if folded(place.area) == folded(area)] or found
        if len(found) > 1:
            raise Unusable(f"may be {' or '.join(sorted(place.place for place in found))}: write the code")
        if found and (not area or not found[0].area or folded(found[0].area) == folded(area)):
            return self._school(found[0])
        return self._new(self._free(name, area), name, area)

    def _school(self, place: Place) -> str:
        if place.kind != "school":
            raise Unusable(f"is a {place.kind}, not a school: {place.place}")
        return place.place

    def _free(self, name: str, area: str) -> str:
        """A code for a new school, the same on every bench: its name in capitals; of Chinese a short hash of it."""
        letters = re.sub(r"[^A-Z0-9]+", "-", folded(name).upper()).strip("-")
        hashed = hashlib.sha256(f"{folded(name)}\0{folded(area)}".encode()).hexdigest()[:6].upper()
        code = letters[:_LONGEST].strip("-") if len(letters) > 2 else f"SCHOOL-{hashed}"
        return code if code not in self._codes and len(letters) <= _LONGEST else f"{code[:21].strip('-')}-{hashed}"

    def _new(self, code: str, name: str, area: str) -> str:
        self.new[code] = Place(code, name[:120], "school", area[:120])
        self._add(self.new[code])
        return code

    def _add(self, place: Place) -> None:
        self._codes[place.place] = place
        self._named.setdefault(folded(place.name), []).append(place)


def only(places: Iterable[Place], code: str) -> str:
    """The code that was passed for all rows. AccountError when there is no such school."""
    known = {place.place: place for place in places}
    found = known.get(code.strip().upper())
    if found is None:
        raise AccountError(
            f"No school has the code {code!r}{meant(code, known)}.",
            "fleet place list --kind school shows those that are; fleet place add makes a new one.",
        )
    if found.kind != "school":
        raise AccountError(f"{found.place} is a {found.kind}, not a school.", "Name a school.")
    return found.place
