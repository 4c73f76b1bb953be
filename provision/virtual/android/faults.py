"""What goes wrong on a virtual phone, and when. Written in a spec as ``{kind: unplug, after_bytes: 4096}``.

``unplug``       the cable is pulled: ``after_bytes`` N (of ``service``, else of all), ``at`` a command (``when`` before
                 or after it), or ``at_service`` n, the n-th service (of that
                 name) opened from now; ``replug_after`` seconds, or never
``offline``      the phone hangs up and does not answer any more, and the adb server lists it ``offline``
``silent``       the phone stays listed and answers nothing: at all, or ``at`` a command
``noise``        ``at`` a command: instead of its answer ``with`` escapes, invalid_utf8, megabytes, newlines or nothing
``unauthorized`` nobody has allowed this computer on the phone
``slow_link``    ``rate`` in bytes per second; ``latency`` of ``seconds`` for each service opened
``slow_install`` ``seconds_per_mb``; ``install_refused`` with ``text``; ``storage_full``

``offline`` and ``silent`` also take ``at``, ``at_service`` and ``after_bytes``; without any they hold from the start.
What strikes at a moment strikes ``times`` times (1; 0: always). The others hold until they are cleared.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.virtual.faults import Kinds

KINDS: Mapping[str, tuple[str, ...]] = {
    "unplug": ("after_bytes", "service", "at", "when", "at_service", "replug_after", "times"),
    "offline": ("after_bytes", "service", "at", "when", "at_service", "times"),
    "silent": ("after_bytes", "service", "at", "when", "at_service", "times"),
    "noise": ("at", "with", "times"),
    "unauthorized": (),
    "slow_link": ("rate",),
    "latency": ("seconds",),
    "slow_install": ("seconds_per_mb",),
    "install_refused": ("text",),
    "storage_full": (),
}
_NEEDS = {
    "noise": ("at", "with"),
    "slow_link": ("rate",),
    "latency": ("seconds",),
    "slow_install": ("seconds_per_mb",),
    "install_refused": ("text",),
}
NOISE = {
    "escapes": b"\x1b[2J\x1b[31;1mWARNING\x1b[0m \x1b]0;title\x07\r\x1b[A linker: unused DT entry\x08\x9b1m\n",
    "invalid_utf8": b"\xff\xfe\x80 \xc3( \xed\xa0\x80 \xf5\x90 not text \xe2\x82\n",
    "megabytes": b"W/linker  ( 4711): /vendor/lib64/libnoise.so has text relocations, wasting memory\n" * 52_000,
    "newlines": b"\n" * 100_000,
    "nothing": b"",
}
parse = Kinds(KINDS, _NEEDS, NOISE).parse
