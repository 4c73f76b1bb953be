"""Shell commands for the phone as values: quoting belongs to the type, and secrets have a masked form.

Nothing that came from a device, a file name or a profile reaches the phone's shell unquoted: words are quoted here,
and a script takes its values as positional parameters.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from profiles.secrets import MASK, Secret

Word = str | int | Secret


@dataclass(frozen=True)
class Command:
    """One command line. ``raw`` is for the phone only; ``masked`` is for people, plans and logs.

    ``says`` stands for a script that is too long to be read in a plan.
    """

    text: str
    words: tuple[Word, ...] = ()
    is_script: bool = False
    says: str = ""

    @property
    def raw(self) -> str:
        return self._render([_quote(w.reveal() if isinstance(w, Secret) else str(w)) for w in self.words])

    @property
    def masked(self) -> str:
        return self.says or self._render([MASK if isinstance(w, Secret) else _quote(str(w)) for w in self.words])

    def hide(self, said: str) -> str:
        """``said`` by the phone in answer to this, with every secret of it masked, as it is and as it was quoted."""
        for secret in (word.reveal() for word in self.words if isinstance(word, Secret)):
            for form in (_quote(secret), secret):
                said = said.replace(form, MASK) if secret else said
        return said

    def _render(self, words: list[str]) -> str:
        if not self.is_script:
            return " ".join([self.text, *words])
        return f"( set -- {' '.join(words)}; {self.text} )" if words else f"( {self.text} )"


def command(program: str, *words: Word) -> Command:
    """``command("settings", "put", "global", key, value)``: a program and its words, each quoted."""
    return Command(program, words)


def script(text: str, *words: Word, says: str = "") -> Command:
    """A piece of shell that we wrote ourselves, run in a subshell with ``words`` as ``$1``, ``$2``, …."""
    return Command(text, words, is_script=True, says=says)


def _quote(word: str) -> str:
    if "\0" in word:
        raise ValueError("a NUL byte cannot be passed to a shell")
    return shlex.quote(word)
