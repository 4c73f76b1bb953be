"""Install sessions (§2.2): they outlive the connection that opened them, until committed or abandoned."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from provision.virtual.android.envelope import denied
from provision.virtual.android.files import Files
from provision.virtual.android.packages import SYSTEM
from provision.virtual.android.presets import Tree, made_up
from provision.virtual.android.process import Reader

CHUNK = 1 << 16


@dataclass(frozen=True)
class Options:
    """What was asked for when the session was made. ``user`` None is all users; ``size`` in bytes, −1 unknown;
    ``package`` is the only one that it may hold."""

    user: int | None = None
    replace: bool = False
    test_ok: bool = False
    grant: bool = False
    downgrade: bool = False
    low_target_ok: bool = False
    installer: str | None = None
    abi: str | None = None
    inherit: str | None = None
    size: int = -1
    from_adb: bool = True
    package: str | None = None


@dataclass
class Session:
    """An open session. ``staged`` is the name given to each APK, with its path; in the order written."""

    id: int
    options: Options
    staged: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return f"/data/app/vmdl{self.id}.tmp"


class Sessions:
    """The open sessions, by id."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._made = 0
        self._open: dict[int, Session] = {}

    def create(self, options: Options) -> Session:
        self._made += 1
        session = Session(100_000_000 + int(made_up(9, "session", self._made)), options)
        self._files.mkdir(session.folder, uid=SYSTEM)
        self._open[session.id] = session
        return session

    def get(self, number: int) -> Session:
        """The session; throws at the caller, as for one of another app, when there is none."""
        if number not in self._open:
            raise denied(f"Caller has no access to session {number}")
        return self._open[number]

    def write(self, session: Session, name: str, size: int, source: Reader) -> None:
        """Stages exactly ``size`` bytes as ``name``, over what had this name.

        Raises OSError when the room ends and EOFError when the stream does; then nothing of it stays.
        """
        path = f"{session.folder}/{name}"
        left = size
        try:
            with self._files.create(path, uid=SYSTEM) as file:
                while left > 0 and (part := source.read(min(left, CHUNK))):
                    file.write(part)
                    left -= len(part)
            if left:
                raise EOFError(f"{left} of {size} bytes missing")
        except BaseException:
            session.staged.pop(name, None)
            with contextlib.suppress(OSError):
                self._files.unlink(path, uid=SYSTEM)
            raise
        session.staged[name] = path

    def close(self, session: Session) -> None:
        """Forgets the session and whatever is still staged."""
        self._open.pop(session.id, None)
        for path in session.staged.values():
            with contextlib.suppress(OSError):
                self._files.unlink(path, uid=SYSTEM)
        with contextlib.suppress(OSError):
            self._files.rmdir(session.folder, uid=SYSTEM)

    def to_list(self) -> list[Tree]:
        """For :meth:`Phone.state`."""
        return [{"id": session.id, "staged": list(session.staged)} for session in self._open.values()]
