"""The phone's files: nothing outside its own directory, the rights of uid 2000, and room."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.virtual.android.files import Files
from tests.virtual.conftest import Inside

_NAMES = st.sampled_from(["..", ".", "", "a", "l", "sdcard", "data", "local", "tmp", "etc", "passwd", "x y", "é"])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "secret").write_text("of the host")
    return Files(tmp_path / "root", 33, 10_000)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(target=st.lists(_NAMES, max_size=6), path=st.lists(_NAMES, max_size=6), absolute=st.booleans())
def test_no_path_leads_out(files: Files, target: list[str], path: list[str], absolute: bool) -> None:
    link = "/data/local/tmp/l"
    if files.exists(link) or "l" in files.listing("/data/local/tmp"):
        files.unlink(link)
    files.symlink(("/" if absolute else "") + "/".join(target) or ".", link)
    for start in ("/data/local/tmp/l/", "/"):
        try:
            real = files.resolve(start + "/".join(path), uid=0)
        except OSError as error:
            assert error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # noqa: PT017
        else:
            assert ".." not in real.split("/")
            parent = real.rpartition("/")[0]
            assert Path(str(files.root) + parent).resolve().is_relative_to(files.root.resolve())


def test_links_of_the_phone_are_never_followed_by_the_host(phone: Inside, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    answer = phone.run(
        f"ln -s {tmp_path}/secret l; cat l; echo x > l; ln -s ../../../../../../../etc/hostname m; cat m"
    )
    assert b"of the host" not in answer.out
    assert answer.err.count(b"No such file or directory") >= 2
    assert (tmp_path / "secret").read_text() == "of the host"


def test_links_in_a_circle(files: Files) -> None:
    files.symlink("b", "/data/local/tmp/a")
    files.symlink("a", "/data/local/tmp/b")
    with pytest.raises(OSError, match="symbolic links") as caught:
        files.read_bytes("/data/local/tmp/a")
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/x", errno.EROFS),
        ("/system/app/x", errno.EROFS),
        ("/data/x", errno.EACCES),
        ("/data/data/x", errno.EACCES),
        ("/data/data/com.a/files/x", errno.EACCES),
        ("/data/app/x", errno.EACCES),
        ("/data/local/x", errno.EACCES),
        ("/storage/emulated/x", errno.EACCES),
        ("/sdcard/no/x", errno.ENOENT),
        ("/sdcard/Download", errno.EISDIR),
    ],
)
def test_where_shell_may_not_write(files: Files, path: str, number: int) -> None:
    files.mkdir("/data/data/com.a/files", parents=True, uid=0)
    with pytest.raises(OSError, match=r".") as caught:
        files.write_bytes(path, b"x")
    assert caught.value.errno == number


@pytest.mark.parametrize("path", ["/sdcard/x", "/storage/emulated/0/x", "/storage/self/primary/x"])
def test_shared_storage_has_three_names(files: Files, path: str) -> None:
    files.write_bytes(path, b"x")
    assert files.resolve("/sdcard/x") == "/storage/emulated/0/x"
    assert files.read_bytes("/sdcard/x") == b"x"


def test_app_directories_are_open_unless_the_device_says_no(files: Files, tmp_path: Path) -> None:
    files.mkdir("/sdcard/Android/data/com.a/files", parents=True)
    files.write_bytes("/sdcard/Android/data/com.a/files/x", b"x")
    strict = Files(tmp_path / "strict", 33, 10_000, deny_app_dirs=True)
    with pytest.raises(PermissionError):
        strict.mkdir("/sdcard/Android/data/com.a")


def test_room(files: Files) -> None:
    files.write_bytes("/sdcard/a", bytes(4_000))
    files.charge(5_000)
    assert (files.used, files.free) == (9_000, 1_000)
    with pytest.raises(OSError, match="No space left on device"):
        files.write_bytes("/sdcard/b", bytes(3_000))
    assert files.stat("/sdcard/b").size == 1_000
    with pytest.raises(OSError, match="No space left on device"):
        files.charge(1)
    files.rename("/sdcard/b", "/sdcard/a")
    assert files.used == 6_000
    files.write_bytes("/sdcard/a", b"x")
    files.unlink("/sdcard/a")
    files.charge(-5_000)
    assert files.used == 0


def test_what_was_kept_counts_when_it_is_opened_again(files: Files) -> None:
    files.write_bytes("/sdcard/a", bytes(4_000))
    assert Files(files.root, 33, 10_000).used == 4_000


def test_shared_storage_takes_names_that_differ_in_capitals_for_one(files: Files) -> None:
    files.mkdir("/sdcard/Learning/Toán", parents=True)
    files.write_bytes("/sdcard/Learning/Toán/A.txt", b"1")
    files.write_bytes("/sdcard/learning/TOÁN/a.TXT", b"22")
    assert files.listing("/sdcard/LEARNING/toán") == ["A.txt"]
    assert files.read_bytes("/sdcard/Learning/Toán/A.txt") == b"22"
    files.write_bytes("/data/local/tmp/a", b"1")
    files.write_bytes("/data/local/tmp/A", b"2")
    assert {"a", "A"} <= set(files.listing("/data/local/tmp"))
