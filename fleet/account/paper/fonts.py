"""Fonts that have every letter of what is printed; a letter that none has is an error, never an empty box.

One font for Latin letters with all of Vietnamese, one for Chinese; both are looked for where systems keep them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fleet.errors import AccountError
from provision.text import printable

LATIN = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf")
HAN = (
    *("DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "NotoSansSC-Regular.ttf", "wqy-microhei.ttc"),
    *("wqy-zenhei.ttc", "Arial Unicode.ttf", "simhei.ttf"),
)
_INSTALL = "Install fonts (Debian: apt install fonts-dejavu-core fonts-droid-fallback), or pass --font FILE."


@dataclass(frozen=True)
class Fonts:
    """Font files in the order in which a letter is looked for in them; the first is the one that texts begin with."""

    files: tuple[Path, ...]

    def check(self, texts: Iterable[str]) -> None:
        """AccountError, with the letters, when one of ``texts`` cannot be printed whole."""
        known = [_letters(file) for file in self.files]
        lacking = {letter for text in texts for letter in text if not any(ord(letter) in one for one in known)}
        if lacking:
            shown = ", ".join(f"{printable(one)} (U+{ord(one):04X})" for one in sorted(lacking)[:8])
            raise AccountError(f"No font here has the letters {shown}.", _INSTALL)


def find(own: Iterable[Path] = ()) -> Fonts:
    """The fonts of ``own`` first, then those that are installed. AccountError where there is none at all."""
    chosen = tuple(own)
    for file in chosen:
        _letters(file)
    installed = {file.name: file for folder in _folders() for file in _files(folder)}
    found = [next((installed[name] for name in names if name in installed), None) for names in (LATIN, HAN)]
    files = (*chosen, *(file for file in found if file))
    if not files:
        raise AccountError("No font is found to print with.", _INSTALL)
    return Fonts(files)


def _folders() -> Iterator[Path]:
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library/Fonts")
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/share/fonts-droid-fallback"), Path("/usr/local/share/fonts"))
        yield from (Path.home() / ".fonts", Path.home() / ".local/share/fonts")


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (file for file in folder.rglob("*") if file.suffix.lower() in (".ttf", ".ttc"))


@cache
def _letters(file: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with file.open("rb") as data, TTFont(data, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError) as error:
        raise AccountError(f"{file} cannot be used as a font: {error}.", "Pass another one (.ttf).") from error
