"""Installing: the APK's bytes go straight into the phone's package manager, nothing is left behind (facts §2.2, §7.3).

One APK goes through ``exec:cmd package install -S SIZE``. Several, and anything on a phone without ``cmd``, go through
one ``exec:`` service that keeps an install session for them: a shell script on the phone creates it, writes each APK
from its standard input, and commits when it reads the word at the end. Whatever fails, and when the cable is pulled,
the script abandons the session itself; on a phone that ends its scripts with the cable, the next install does, because
the session's number is kept beside it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from provision.android.connection import Chunk, Connection, mapped
from provision.android.states import plain
from provision.errors import NoAnswer, Refused, Unplugged

KEPT = "/data/local/tmp/.schoolbag-session"
_PIECE = 1 << 19
_MOST_OF_A_VERDICT = 1 << 20

Progress = Callable[[int], None]
COMMIT = b"commit\n"

# $1 is the total size, then a size and a name per APK. Everything that prints is kept until the end, because a pulled
# cable would end the script at its first word; and the session is given up before anything is said.
_SESSION = """\
f={kept}
drop() {{ [ -z "$s" ] || {pm} install-abandon "$s" </dev/null >/dev/null 2>&1; rm -f "$f"; s=; }}
fail() {{ drop; printf '%s\\n' "$o"; exit 1; }}
check() {{ case "
$o" in *"
Success"*) ;; *) fail ;; esac; }}
s=$(cat "$f" 2>/dev/null); drop
o=$({pm} install-create {options} -S "$1" </dev/null 2>&1); check
s=${{o##*\\[}}; s=${{s%%\\]*}}
case $s in ''|*[!0-9]*) s=; o="Error: no session number in '$o'"; fail ;; esac
echo "$s" 2>/dev/null >"$f"
shift
while [ $# -gt 0 ]; do
o=$({pm} install-write -S "$1" "$s" "$2" - 2>&1); check
shift 2
done
read -r w && [ "$w" = commit ] || {{ o='Error: cut off'; fail; }}
o=$({pm} install-commit "$s" </dev/null 2>&1); check
rm -f "$f"
printf '%s\\n' "$o"
"""


def one_service(apk: Path, options: Sequence[str]) -> str:
    """The adb service that installs one APK, whose bytes have to follow (:func:`send`). Needs the feature ``cmd``."""
    return f"exec:cmd package install {shlex.join(options)} -S {len(mapped(apk))}"


def session_service(apks: Sequence[Path], options: Sequence[str], label: str, *, has_cmd: bool) -> str:
    """The adb service that installs all APKs as one app; after their bytes it waits for :data:`COMMIT`.

    ``label`` keeps apart the numbers of sessions that may be open at the same time.
    """
    sizes = [len(mapped(apk)) for apk in apks]
    pairs = " ".join(f"{size} {at}.apk" for at, size in enumerate(sizes))
    script = _SESSION.format(
        pm="cmd package" if has_cmd else "pm", options=shlex.join(options), kept=shlex.quote(KEPT + label)
    )
    return f"exec:set -- {sum(sizes)} {pairs}\n{script}"


def send(connection: Connection, name: str, apks: Sequence[Path], tail: bytes, progress: Progress) -> str:
    """Send the bytes and read the verdict to its end: the phone's text on success, else Refused with it as evidence."""
    said = bytearray()

    def hear(piece: bytes) -> bool:
        said.extend(piece)
        if len(said) > _MOST_OF_A_VERDICT:
            raise Refused(f"{name} answers without end.", "Restart the phone and run again.")
        return False

    try:
        connection.exchange(_content(apks, tail, progress), hear)
    except NoAnswer as error:
        raise NoAnswer(
            f"{name} did not say in time whether it installed {_names(apks)}.",
            "Look at its screen for a question, answer it and run again.",
        ) from error
    return _verdict(said.decode("utf-8", "replace"), name, apks)


def _verdict(text: str, name: str, apks: Sequence[Path]) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise Unplugged(
            f"The link to {name} ended while {_names(apks)} was being installed.", "Plug it in and run again."
        )
    for line in lines:
        if line.startswith("Success"):
            return line
    told = next((line for line in lines if line.startswith(("Failure", "Error"))), lines[-1])
    raise Refused(f"{name} refused {_names(apks)}: {plain(told)}", evidence=text.strip())


def _content(apks: Sequence[Path], tail: bytes, progress: Progress) -> Iterator[tuple[Chunk]]:
    for apk in apks:
        content = mapped(apk)
        for at in range(0, len(content), _PIECE):
            piece = content[at : at + _PIECE]
            yield (piece,)
            progress(len(piece))
    yield (tail,)


def _names(apks: Sequence[Path]) -> str:
    more = f" and {len(apks) - 1} more" if len(apks) > 1 else ""
    return plain(apks[0].name) + more
