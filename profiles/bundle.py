"""A profile with all that it names, so that it can travel: one file without ``extends``, and the files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from profiles.digest import files_below
from profiles.extends import resolve
from profiles.load import load
from profiles.secrets import AnySecret
from profiles.strict_yaml import Node, SecretName


@dataclass(frozen=True)
class Bundle:
    """``text`` is the profile as YAML; ``files`` are by the relative path under which it names them.

    ``digest`` is that of the profile where it was made, and where it is unpacked, too.
    """

    name: str
    digest: str
    text: str
    files: Mapping[str, Path]


def bundle(name_or_path: str) -> Bundle:
    """The bundle of a profile of the library, or of a file. Secrets stay names, known here or not.

    Raises ProfileError with every problem of the profile.
    """
    profile = load(name_or_path, AnySecret())
    root, _ = resolve(name_or_path)
    named = _Named({})
    text = yaml.dump(named.plain(root), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10**6)
    found = {
        f"{place}/{file.relative_to(path).as_posix()}" if path.is_dir() else place: file
        for path, place in named.places.items()
        for file in files_below(path)
    }
    return Bundle(profile.profile, profile.digest, text, found)


@dataclass(frozen=True)
class _Named:
    """The paths that a profile names, and where each lies in the bundle; the name of a file is kept."""

    places: dict[Path, str]

    def plain(self, node: Node) -> Any:
        match node.value:
            case Mapping():
                return {key: self.plain(child) for key, child in node.value.items()}
            case tuple():
                return [self.plain(child) for child in node.value]
            case Path() as path:
                return self.places.setdefault(path, f"files/{len(self.places) + 1}/{path.name}")
        return node.value


class _Dumper(yaml.SafeDumper):
    """Knows ``!secret``, and repeats what stands twice instead of pointing to it."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


_Dumper.add_representer(SecretName, lambda dumper, secret: dumper.represent_scalar("!secret", secret.name))
