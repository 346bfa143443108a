"""Keys: names of trained states, derived from what is trained and nothing else.

A key hashes the key of the state its stage starts from, the stage's own training config and the
samples seen at its end: a Merkle chain. Only fields that differ from their defaults are hashed, so
adding a field to the schema later keeps the keys that exist.
"""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec

from conf.schema import TrainConfig

HASH_DIGITS = 12


class Keys:
    """Makes the keys of many configs that share pieces, each of which is looked at once.

    A piece is kept, so that no later one can have its `id`.
    """

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[Any, msgspec.Raw]] = {}

    def of(self, start: str | None, train: TrainConfig, end: int) -> str:
        """Return the key of the state after `end` samples of the stage that `start` and `train` name.

        Args:
            start: key of the state where the stage starts, or None for a fresh initialisation.
            train: the stage's training config.
            end: samples seen at the end, counted from the beginning of the run.
        """
        digest = _digest([start, self._piece(train), end])
        return f"{_slug(train.model.name)}_{_slug(train.data.name)}_{end}-{digest}"

    def of_stage(self, start: str | None, train: TrainConfig) -> str:
        """Return a name for the stage itself, equal for all segments that may share its states."""
        return _digest([start, self._piece(train)])

    def _piece(self, config: Any) -> msgspec.Raw:
        """Return the JSON of what `science` returns."""
        if id(config) not in self._pieces:
            plain = {
                name: self._piece(value) if dataclasses.is_dataclass(value) else _plain(value)
                for name, value in _hashed(config)
            }
            self._pieces[id(config)] = (config, msgspec.Raw(_canonical(plain)))
        return self._pieces[id(config)][1]


def science(config: Any) -> dict[str, Any]:
    """Return the fields of a config dataclass that are hashed, as plain data.

    Left out are fields marked `NOT_IN_KEY` and fields that have their default value.
    """
    return {name: _plain(value) for name, value in _hashed(config)}


def differing_fields(one: Any, other: Any) -> list[str]:
    """Return the dotted names of hashed fields in which two configs differ."""
    return sorted(_differences(science(one), science(other), ""))


def _hashed(config: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.metadata.get("in_key", True) and value != _default(field):
            yield field.name, value


def _differences(one: Any, other: Any, name: str) -> list[str]:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    prefix = f"{name}." if name else ""
    return [
        found
        for key in one.keys() | other.keys()
        for found in _differences(one.get(key), other.get(key), f"{prefix}{key}")
    ]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return science(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()[:HASH_DIGITS]


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


@functools.cache
def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")
