"""Redirections: where a command's streams lead instead."""

from __future__ import annotations

from contextlib import ExitStack
from typing import IO

from provision.virtual.android.files import OpenFile
from provision.virtual.android.paths import join
from provision.virtual.android.process import Process, Reader, Writer, encode
from provision.virtual.android.shell.expand import ExpansionProblem
from provision.virtual.android.shell.pipe import Bytes, Collector
from provision.virtual.android.shell.tree import Redirection

Streams = dict[int, Reader | Writer]


def redirect(
    redirection: Redirection, target: str, streams: Streams, process: Process, cwd: str, opened: ExitStack
) -> None:
    """Change ``streams``; files are closed with ``opened``. OSError names the target as it was written."""
    if redirection.kind in ("<<", "<<<"):
        streams[redirection.descriptor] = Bytes(encode(target + ("\n" if redirection.kind == "<<<" else "")))
    elif redirection.kind in (">&", "<&"):
        _duplicate(redirection.descriptor, target, streams)
    elif redirection.kind == "<":
        streams[redirection.descriptor] = opened.enter_context(_open(process, cwd, target))
    else:
        file = opened.enter_context(_create(process, cwd, target, append=">>" in redirection.kind))
        streams[redirection.descriptor] = file
        if redirection.kind.startswith("&"):
            streams[1] = streams[2] = file


def _duplicate(descriptor: int, target: str, streams: Streams) -> None:
    if target == "-":
        streams[descriptor] = Bytes() if descriptor == 0 else Collector()
    elif target.isdigit() and int(target) in streams:
        streams[descriptor] = streams[int(target)]
    else:
        raise ExpansionProblem(f"{target}: bad file descriptor")


def _open(process: Process, cwd: str, target: str) -> IO[bytes]:
    try:
        return process.phone.files.open(join(cwd, target), uid=process.uid)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None


def _create(process: Process, cwd: str, target: str, *, append: bool) -> OpenFile:
    try:
        return process.phone.files.create(join(cwd, target), append=append, mode=0o666, uid=process.uid)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
