"""Which types the schema takes at a place of a document: what merging, paths, secrets and error texts go by."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from profiles.fields import Section
from profiles.schema import Profile

Place = tuple[str | int, ...]


@lru_cache(maxsize=512)
def types_at(place: Place) -> tuple[Any, ...]:
    """The types taken at ``place``, unions taken apart; empty when the schema does not know the place."""
    found: tuple[Any, ...] = (Profile,)
    for part in place:
        found = tuple(kind for parent in found for kind in _child(parent, part))
    return found


def is_section(kind: Any) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)


def item_types(kind: Any) -> tuple[Any, ...]:
    """What a list or map type holds; empty when it is neither."""
    if get_origin(kind) in (tuple, Mapping):
        return tuple(_flat(get_args(kind)[0 if get_origin(kind) is tuple else 1]))
    return ()


def written_keys(kind: type[Section]) -> list[str]:
    """The keys of a section as they are written in a file. What has no description is for programs only."""
    return [field.alias or name for name, field in kind.model_fields.items() if field.description]


def keys_at(place: Place) -> list[str]:
    """The keys that a map at ``place`` may have."""
    return [key for kind in types_at(place) if is_section(kind) for key in written_keys(kind)]


def list_key(place: Place) -> tuple[str, ...]:
    """The fields by which entries of the list at ``place`` are one: the first that an entry has is its key."""
    for kind in types_at(place):
        for item in item_types(kind):
            if get_origin(kind) is tuple and is_section(item):
                return item.KEY
    return ()


def words_at(place: Place) -> list[str]:
    """The fixed words that the schema takes at ``place``."""
    return [word for kind in types_at(place) if get_origin(kind) is Literal for word in get_args(kind)]


def _child(parent: Any, part: str | int) -> Iterator[Any]:
    if is_section(parent):
        for name, field in parent.model_fields.items():
            if part == (field.alias or name):
                yield from _flat(field.annotation)
    elif get_origin(parent) is (tuple if isinstance(part, int) else Mapping):
        yield from item_types(parent)


def _flat(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _flat(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for choice in get_args(annotation):
            yield from _flat(choice)
    elif annotation is not types.NoneType:
        yield annotation
