"""Scripts: exit codes, separate errors, odd bytes, cut links; with sh of this computer behind the scripted server."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.android import shell
from provision.android.shell import Packets, ShellResult
from provision.errors import NoAnswer, Refused, Stopped, Unplugged
from tests.provision.adb.conftest import Attach
from tests.provision.adb.scripted import Handler, Talk, packet, programs, real_shell

NEW, OLD = b"shell_v2,cmd", b""


@pytest.fixture
def sh(tmp_path: Path) -> Handler:
    return real_shell(programs(tmp_path / "bin"))


def answering(*pieces: bytes, drip: bool = False) -> Handler:
    """A phone that reads the whole script, says ``pieces`` and closes."""

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        read_script(talk)
        for piece in pieces:
            (talk.drip if drip else talk.say)(piece)

    return service


def read_script(talk: Talk) -> bytes:
    script = b""
    while (head := talk.read(5))[:1] == b"\0":
        script += talk.read(int.from_bytes(head[1:], "little"))
    return script


def read_old_script(talk: Talk) -> bytes:
    script = b""
    while not script.endswith(b"exit\n"):
        script += talk.read(1)
    return script


def test_output_errors_and_code_come_apart(attach: Attach, sh: Handler) -> None:
    result = attach(sh).shell("echo out; echo err >&2; exit 3")
    assert result == ShellResult(b"out\n", b"err\n", 3)


def test_without_shell_v2_the_code_comes_behind_the_output(attach: Attach, sh: Handler) -> None:
    link = attach(sh, features=OLD)
    assert link.shell("echo out; echo err >&2; exit 3") == ShellResult(b"out\nerr\n", b"", 3)
    assert link.shell("printf 'no line end\\r\\n\\377'") == ShellResult(b"no line end\r\n\xff", b"", 0)


@pytest.mark.parametrize("features", [NEW, OLD])
def test_a_script_may_be_longer_than_any_request(attach: Attach, sh: Handler, features: bytes) -> None:
    text = "\n".join(f"x={at}  # {'a comment ' * 3}" for at in range(3000))
    assert len(text) > 0xFFFF
    result = attach(sh, features=features).shell(f"{text}\necho $x\n# and a comment at its end")
    assert (result.stdout, result.code) == (b"2999\n", 0)


@pytest.mark.parametrize("features", [NEW, OLD])
def test_a_command_cannot_eat_the_script(attach: Attach, sh: Handler, features: bytes) -> None:
    assert attach(sh, features=features).shell("cat; echo still here").stdout == b"still here\n"


@pytest.mark.parametrize("features", [NEW, OLD])
def test_of_a_cut_off_script_nothing_is_run(attach: Attach, tmp_path: Path, features: bytes) -> None:
    """The cable goes while the script is on its way: the shell gets the first part and then the end."""
    mark = tmp_path / "mark"
    heard = []

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        heard.append(read_script(talk) if features else read_old_script(talk))

    script = f"echo done >{mark}\n" + ": padding\n" * 1900
    with pytest.raises(Unplugged):
        attach(service, features=features).shell(script)
    cut = heard[0][: len(script) // 2]
    done = subprocess.run(["/bin/sh"], input=cut, capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert not mark.exists()
    whole = subprocess.run(["/bin/sh"], input=heard[0], capture_output=True, timeout=60, check=False)
    assert whole.returncode == 0
    assert mark.exists()


def test_bytes_that_are_no_text_come_as_they_are(attach: Attach) -> None:
    noise = bytes(range(256)) * 10
    assert attach(answering(packet(1, noise), packet(3, b"\0"), drip=True)).shell("x").stdout == noise


def test_the_end_without_an_exit_code_is_not_success(attach: Attach) -> None:
    with pytest.raises(Unplugged, match="how far it came is unknown"):
        attach(answering(packet(1, b"all well\n"))).shell("x")


def test_the_end_in_the_middle_of_a_packet(attach: Attach) -> None:
    with pytest.raises(Unplugged):
        attach(answering(packet(1, b"all well\n"), packet(3, b"\0")[:-1])).shell("x")


def test_without_shell_v2_the_end_before_the_code_is_not_success(attach: Attach) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.read(10)
        talk.say(b"all well\n0\n")

    with pytest.raises(Unplugged, match="how far it came is unknown"):
        attach(service, features=OLD).shell("x")


@pytest.mark.parametrize("code", [b"", b"1", b"12", b"\n", b"x\n"])
def test_without_shell_v2_a_code_that_was_cut_off_is_none(attach: Attach, code: bytes) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        word = read_old_script(talk).split(b"echo ")[-1].split(b"$?")[0]
        talk.say(b"all well\n" + word + code)

    with pytest.raises(Unplugged, match="how far it came is unknown"):
        attach(service, features=OLD).shell("x")


def test_output_while_the_script_is_still_on_its_way(attach: Attach) -> None:
    """A linker's warning comes before the shell has read anything; the rest of the script has to follow."""
    scripts = []

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.say(packet(2, b"WARNING: linker\n") * 5000)
        scripts.append(read_script(talk))
        talk.say(packet(3, b"\0"))

    script = "# " + "x" * 5_000_000
    result = attach(service).shell(script)
    assert result.stderr == b"WARNING: linker\n" * 5000
    assert script.encode() in scripts[0]


@pytest.mark.parametrize("features", [NEW, OLD])
def test_noise_without_end_is_refused(attach: Attach, monkeypatch: pytest.MonkeyPatch, features: bytes) -> None:
    monkeypatch.setattr(shell, "MOST", 1 << 20)

    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        for _ in range(100):
            talk.say(packet(1, b"\x1b[2J" * 16000))

    with pytest.raises(Refused, match="answers without end"):
        attach(service, features=features).shell("x")


def test_a_packet_of_gigabytes_is_refused_at_once(attach: Attach) -> None:
    with pytest.raises(Refused, match="broke the shell protocol"):
        attach(answering(b"\x01\xff\xff\xff\xff")).shell("x")


@pytest.mark.parametrize("features", [NEW, OLD])
def test_the_time_limit_is_for_the_whole_call(attach: Attach, features: bytes) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        for _ in range(50):
            talk.say(packet(1, b"still working\n"))
            time.sleep(0.2)

    before = time.monotonic()
    with pytest.raises(NoAnswer):
        attach(service, features=features).shell("x", timeout=0.8)
    assert time.monotonic() - before < 8, "it would have gone on for ten seconds"


@pytest.mark.parametrize("features", [NEW, OLD])
@pytest.mark.parametrize(
    ("script", "code"), [("", 0), ("# nothing", 0), ("if", 2), ("echo 'it'\\''s' ) $(", 2), ("kill -9 $$", 137)]
)
def test_odd_scripts_end_with_their_own_code(
    attach: Attach, sh: Handler, features: bytes, script: str, code: int
) -> None:
    if script.startswith("kill") and not features:
        with pytest.raises(Unplugged):
            attach(sh, features=features).shell(script)
    else:
        assert attach(sh, features=features).shell(script).code == code


def test_stop_ends_what_is_under_way_and_all_that_follows(attach: Attach) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        threading.Timer(0.1, link.stop).start()
        talk.read_to_end()

    link = attach(service)
    with pytest.raises(Stopped, match="R58M12ABCDE"):
        link.shell("sleep 1000")
    with pytest.raises(Stopped):
        link.push(b"", "/sdcard/x")
    assert link.round_trips == 1


def test_every_service_is_one_round_trip(attach: Attach, sh: Handler) -> None:
    link = attach(sh)
    assert link.round_trips == 0
    link.shell("true")
    link.shell("true")
    assert link.round_trips == 2


@given(
    st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=40)), max_size=12),
    st.lists(st.integers(0, 200), max_size=8),
)
@settings(max_examples=200)
def test_packets_do_not_depend_on_how_they_are_cut(packets: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(packet(kind, data) for kind, data in packets)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = Packets()
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert [found for piece in pieces for found in reader.feed(piece)] == packets
