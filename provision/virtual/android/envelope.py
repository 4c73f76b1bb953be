"""How Android's own commands take their arguments and how they fail (§2.0)."""

from __future__ import annotations

from collections.abc import Callable

from provision.virtual.android.process import Process

Service = Callable[[Process, "Args"], int]
"""A service behind ``cmd``: gets the words after its name, returns the exit status (−1 becomes 255)."""

FAILED = 255


class JavaError(Exception):
    """An exception of the phone's own code that reaches the person at the shell."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"

    def trace(self) -> str:
        """As ``printStackTrace`` writes it. The frames are shortened: nobody may rely on them."""
        return (
            f"{self}\n"
            "\tat android.os.Parcel.createException(Parcel.java:1950)\n"
            "\tat android.os.Parcel.readException(Parcel.java:1918)\n"
            "\tat android.os.Binder.execTransact(Binder.java:731)\n"
        )


def denied(message: str) -> JavaError:
    return JavaError("java.lang.SecurityException", message)


def lacks(permission: str, doing: str = "") -> JavaError:
    """What ``enforceCallingOrSelfPermission`` throws at shell."""
    prefix = f"{doing}: " if doing else ""
    return denied(f"{prefix}Neither user 2000 nor current process has android.permission.{permission}.")


def illegal(message: str) -> JavaError:
    return JavaError("java.lang.IllegalArgumentException", message)


def illegal_state(message: str) -> JavaError:
    return JavaError("java.lang.IllegalStateException", message)


class Args:
    """The words of a command, taken one after the other as android.os.ShellCommand does."""

    def __init__(self, words: list[str]) -> None:
        self._words = list(words)
        self._joined: str | None = None
        self._last = ""

    def peek(self) -> str | None:
        return self._joined if self._joined is not None else (self._words[0] if self._words else None)

    def next(self) -> str | None:
        """The next word, None at the end."""
        if self._joined is not None:
            word, self._joined = self._joined, None
            return word
        if not self._words:
            return None
        self._last = self._words.pop(0)
        return self._last

    def need(self) -> str:
        """The next word; throws when there is none."""
        before = self._last
        word = self.next()
        if word is None:
            raise illegal(f'Argument expected after "{before}"')
        return word

    def option(self) -> str | None:
        """The next word if it is an option. ``-S12`` gives ``-S`` and leaves ``12`` for :meth:`next`."""
        if self._joined is not None:
            raise illegal(f'No argument expected after "{self._last}"')
        if not self._words or not self._words[0].startswith("-") or self._words[0] == "-":
            return None
        word = self._words.pop(0)
        self._last = word
        if word == "--":
            return None
        if len(word) > 2 and word[1] != "-":
            self._joined = word[2:]
            return word[:2]
        return word

    def number(self) -> int:
        """The next word as Java's ``Integer.parseInt`` takes it."""
        return java_int(self.next())

    def rest(self) -> list[str]:
        """All words that are left."""
        words = [] if self._joined is None else [self._joined]
        words += self._words
        self._joined, self._words = None, []
        return words


def java_int(text: str | None) -> int:
    """``Integer.parseInt``, with its exception."""
    digits = (text or "").removeprefix("-").removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        shown = "null" if text is None else f'For input string: "{text}"'
        raise JavaError("java.lang.NumberFormatException", shown)
    return int(text or "")


def user_argument(args: Args) -> int | None:
    """The value of ``--user``: a number, ``current`` or ``cur`` (0 here), ``all`` (None)."""
    word = args.need()
    if word in {"current", "cur"}:
        return 0
    if word == "all":
        return None
    try:
        return java_int(word)
    except JavaError:
        raise illegal(f"Bad user number: {word}") from None


def behind_cmd(process: Process, sub: str, body: Callable[[], int]) -> int:
    """Runs a command that lives in a system service; its exceptions come out as this Android shows them, status 255."""
    api = process.phone.api
    try:
        return body() & 0xFF
    except JavaError as error:
        if api >= 30:
            process.complain(f"\nException occurred while executing '{sub}':\n{error.trace()}")
        elif error.kind == "java.lang.SecurityException":
            process.complain(f"Security exception: {error.message}\n\n{error.trace()}")
        else:
            process.complain(f"\nException occurred while executing:\n{error.trace()}")
        return FAILED


def app_process(process: Process, usage: str, body: Callable[[], int]) -> int:
    """Runs a command that is a Java program of its own: usage and ``Error:`` with status 0, or a trace and 1."""
    try:
        return body() & 0xFF
    except JavaError as error:
        if error.kind == "java.lang.IllegalArgumentException":
            process.complain(f"{usage}\nError: {error.message}\n")
            return 0  # [inferred] BaseCommand.run catches it and returns
        process.complain(error.trace())
        return 1
