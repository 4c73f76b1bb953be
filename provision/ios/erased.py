"""What an iPhone will say that has just been erased and activated: for plans of what does not hang on the bench yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from profiles.schema import Profile
from profiles.setup_panes import panes
from provision.ios.reading import answer, refusal
from provision.model import Identity
from provision.setting import Answer, Reader

Says = Callable[[str, str], Answer]
"""The answer to a question, by the names of its setting and of the question."""


def says(setting: str, question: str) -> Answer:
    """What nobody has set up says; no app that takes files is there yet."""
    if setting == "content":
        return refusal("ApplicationLookupFailed")
    said = _rows().get((setting, question))
    return refusal("MissingValue") if said is None else answer(said)


def supervised(profile: Profile, who: Identity) -> Says:
    """The same, of one that we supervise with the panes that ``profile`` skips. What it says of the supervision itself
    is not among it: the certificate is the keybag's."""
    wanted = profile.identity.skip_setup if profile.identity else None
    own = {
        ("identity", "setup"): answer({"SkipSetup": list(panes(wanted or (), who.version))}),
        ("screen_lock", "passcode"): answer(False),
    }
    return lambda setting, question: own.get((setting, question)) or says(setting, question)


def found(asked: Mapping[str, Reader[Any]], profile: Profile, who: Identity, says: Says) -> Mapping[str, Any]:
    """What each of ``asked`` reads from that."""

    def one(name: str, reader: Reader[Any]) -> Any:
        probes = reader.probes(profile, who, False)
        return reader.parse({key: says(name, key) for key in probes}, profile, who)

    return MappingProxyType({name: one(name, reader) for name, reader in asked.items()})


@cache
def _rows() -> dict[tuple[str, str], Any]:
    rows = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    return {(row["setting"], row["question"]): row["answer"] for row in rows}
