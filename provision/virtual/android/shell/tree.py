"""What a shell script is made of, once it is parsed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Literal:
    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Parameter:
    """``${name}`` or ``${name OP argument}``; OP ``len`` is ``${#name}``, ``sub`` is ``${name:offset:length}``."""

    name: str
    operator: str = ""
    argument: Word | None = None
    second: Word | None = None
    quoted: bool = False


@dataclass(frozen=True)
class Substitution:
    """``$( … )`` or the same in backquotes."""

    body: Sequence
    quoted: bool = False


@dataclass(frozen=True)
class Arithmetic:
    """``$(( … ))``"""

    expression: Word
    quoted: bool = False


@dataclass(frozen=True)
class Word:
    parts: tuple[Literal | Parameter | Substitution | Arithmetic, ...] = ()

    @property
    def plain(self) -> str | None:
        """The text of a word that is written without any quoting or expansion, else None."""
        if any(not isinstance(part, Literal) or part.quoted for part in self.parts):
            return None
        return "".join(part.text for part in self.parts if isinstance(part, Literal))


@dataclass
class Redirection:
    """``kind`` is one of ``< > >> <> >& <& &> &>> <<``. The text of a here-document comes when its lines are read."""

    descriptor: int
    kind: str
    target: Word


@dataclass(frozen=True)
class Simple:
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]


@dataclass(frozen=True)
class Pipeline:
    commands: tuple[Command, ...]
    negated: bool = False


@dataclass(frozen=True)
class AndOr:
    """``first``, then each pipeline after its ``&&`` or ``||``."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...] = ()
    background: bool = False


@dataclass(frozen=True)
class Sequence:
    items: tuple[AndOr, ...] = ()


@dataclass(frozen=True)
class Compound:
    """``body`` with redirections of its own; in a ``subshell`` what it sets is lost."""

    body: Sequence | If | For | While | Case
    redirections: tuple[Redirection, ...] = field(default=())
    subshell: bool = False


@dataclass(frozen=True)
class If:
    branches: tuple[tuple[Sequence, Sequence], ...]
    otherwise: Sequence | None


@dataclass(frozen=True)
class For:
    """Without ``words``, over the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Sequence


@dataclass(frozen=True)
class While:
    condition: Sequence
    body: Sequence
    until: bool


@dataclass(frozen=True)
class Case:
    word: Word
    branches: tuple[tuple[tuple[Word, ...], Sequence], ...]


@dataclass(frozen=True)
class Function:
    name: str
    body: Command


Command = Simple | Compound | Function
