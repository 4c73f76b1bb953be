"""What goes wrong with a virtual iPhone, and when. Written in a spec as ``{kind: unplug, after_bytes: 4096}``.

``unplug``        the cable is pulled: ``after_bytes`` N (of ``service``, else of all), or ``at_service`` n, the n-th
                  service (of that name) started from now; ``replug_after`` seconds, or never
``silent``        it stays listed and answers nothing more; without ``after_bytes`` or ``at_service`` from the start
``locks``         it locks itself, and its passcode is asked for; as ``unplug``
``slow_link``     ``rate`` in bytes per second; ``latency`` of ``seconds`` for each connection
``slow_install``  ``seconds_per_mb``; ``install_refused`` with ``text``, the Error; ``storage_full``

What strikes at a moment strikes ``times`` times (1; 0: always). The others hold until they are cleared.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.virtual.faults import Kinds

KINDS: Mapping[str, tuple[str, ...]] = {
    "unplug": ("after_bytes", "service", "at_service", "replug_after", "times"),
    "silent": ("after_bytes", "service", "at_service", "times"),
    "locks": ("after_bytes", "service", "at_service", "times"),
    "slow_link": ("rate",),
    "latency": ("seconds",),
    "slow_install": ("seconds_per_mb",),
    "install_refused": ("text",),
    "storage_full": (),
}
_NEEDS = {
    "slow_link": ("rate",),
    "latency": ("seconds",),
    "slow_install": ("seconds_per_mb",),
    "install_refused": ("text",),
}
parse = Kinds(KINDS, _NEEDS).parse
