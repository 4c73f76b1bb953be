"""First verb: ask the device everything at once, and parse what it says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from profiles.schema import Profile
from provision.device import Device
from provision.model import Cellular, Facts, Health, Locks, Makers, Setup
from provision.owned import Enforced
from provision.setting import Answer, Reader

_LOG = logging.getLogger("fleet.device")

_EVIDENCE_LIMIT = 65536
"""Characters kept of each raw answer: enough for any list a person would read, and a bound for a phone that babbles."""


def collect(device: Device, profile: Profile, *, deep: bool = False) -> Facts:
    """All facts that ``profile`` needs, in one round trip. ``deep`` reads full hashes where size and time would do."""
    identity = device.identity
    asking: dict[str, Reader[Any]] = {**device.readers, **device.settings}
    probes = {name: reader.probes(profile, identity, deep) for name, reader in asking.items()}
    answers = device.ask({f"{name}/{probe}": question for name in probes for probe, question in probes[name].items()})
    own: dict[str, Mapping[str, Answer]] = {
        name: {probe: answers[f"{name}/{probe}"] for probe in probes[name]} for name in asking
    }
    for name, answer in answers.items():
        _LOG.debug("%s %s: %r", identity.serial, name, answer.text[:_EVIDENCE_LIMIT])
    found = {name: reader.parse(own[name], profile, identity) for name, reader in asking.items()}
    return Facts(
        identity=identity,
        health=found.pop("health", Health()),
        locks=found.pop("locks", Locks()),
        cellular=found.pop("cellular", Cellular()),
        makers=found.pop("makers", Makers()),
        setup=found.pop("setup", Setup()),
        enforced=found.pop("enforced", Enforced()),
        found=MappingProxyType(found),
        evidence=MappingProxyType(
            {name: {probe: a.text[:_EVIDENCE_LIMIT] for probe, a in said.items()} for name, said in own.items()}
        ),
    )
