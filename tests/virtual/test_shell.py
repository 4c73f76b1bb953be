"""The phone's shell: every case also against a real shell of this machine, where both should agree."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.virtual.conftest import Inside

_CASES = Path(__file__).parent.parent / "data" / "virtual" / "shell"


def _cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load((_CASES / name).read_text("utf-8"))]


def _real(script: str, directory: Path, shell: str = "/bin/sh") -> subprocess.CompletedProcess[bytes]:
    directory.mkdir(exist_ok=True)
    return subprocess.run(
        [shell, "-c", script], cwd=directory, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.parametrize("case", _cases("language.yaml"))
def test_language(case: dict[str, Any], phone: Inside, tmp_path: Path) -> None:
    wanted, code = case["out"].encode(), case.get("code", 0)
    answer = phone.run(case["script"])
    assert (answer.out, answer.code) == (wanted, code), answer.err
    if "err" in case:
        assert answer.err == case["err"].encode()
    if "only_here" not in case:
        real = _real(case["script"], tmp_path / "real")
        assert (real.stdout, real.returncode) == (wanted, code), real.stderr


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(_TEXT, min_size=1, max_size=4))
def test_quoted_words_arrive_as_they_are(phone: Inside, words: list[str]) -> None:
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    answer = phone.run(f'set -- {quoted}; for w in "$@"; do printf \'%s\\0\' "$w"; done')
    assert answer.out.decode().split("\0")[:-1] == words


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("ab :\t\n*?$\"'\\`(){};|&<>#!-", max_size=25))
def test_any_text_ends(phone: Inside, text: str) -> None:
    """Nonsense is refused or run, and never hangs or breaks the shell itself."""
    assert 0 <= phone.run(text).code <= 255


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text("a b:\t", max_size=8), separators=st.sampled_from([" ", ":", " :", "\t:"]))
def test_splitting_is_that_of_a_real_shell(
    phone: Inside, tmp_path_factory: pytest.TempPathFactory, value: str, separators: str
) -> None:
    script = f"IFS='{separators}'; x='{value}'; set -- $x; echo $#; for i in \"$@\"; do printf '[%s]' \"$i\"; done"
    real = _real(script, tmp_path_factory.getbasetemp() / "split")
    assert phone.run(script).out == real.stdout


def test_script_on_the_standard_input(phone: Inside) -> None:
    script = b'echo a\nx=1\nif true; then\n  echo $x\nfi\nread -r line\nnext line\necho "got $line"\nexit 5\necho no\n'
    answer = phone.run("", script, "/system/bin/sh")
    assert answer.out == b"a\n1\ngot next line\n"
    assert answer.code == 5


def test_script_from_a_file(phone: Inside) -> None:
    phone.files.write_bytes("/data/local/tmp/s.sh", b'echo "$0 $1"\n', mode=0o755)
    assert phone.run("./s.sh a; sh s.sh b").out == b"./s.sh a\ns.sh b\n"
    phone.files.write_bytes("/sdcard/s.sh", b"echo no\n")
    refused = phone.run("/sdcard/s.sh")
    assert (refused.code, refused.err) == (126, b"/system/bin/sh: /sdcard/s.sh: can't execute: Permission denied\n")


def test_old_phones_have_another_text_for_what_is_missing(make_phone: Any) -> None:
    assert make_phone("pixel-7").run("foo").err == b"/system/bin/sh: foo: not found\n"


@pytest.mark.parametrize("case", _cases("toybox.yaml"))
def test_toybox(case: dict[str, Any], phone: Inside) -> None:
    answer = phone.run(case["script"])
    assert (answer.out.decode(), answer.code) == (case["out"], case.get("code", 0)), answer.err
    if "err" in case:
        assert answer.err.decode() == case["err"]


def test_long_scripts_do_not_take_for_ever(phone: Inside) -> None:
    lines = "".join(f"echo 'line {number}'\n" for number in range(2000))
    script = f"( eval '{lines.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}' ) </dev/null\n".encode()
    start = time.monotonic()
    answer = phone.run("", script, "/system/bin/sh")
    assert answer.out.count(b"\n") == 2000
    assert time.monotonic() - start < 5
