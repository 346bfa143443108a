"""Keys: names of trained states, derived from what is trained and nothing else.

A key hashes the key of the state its stage starts from, the stage's own training config and the
samples seen at its end: a Merkle chain. Only fields that differ from their defaults are hashed, so
adding a field to the schema later keeps the keys that exist.
"""

import dataclasses
import hashlib
import re
from enum import Enum
from typing import Any

import msgspec

from conf.schema import TrainConfig

HASH_DIGITS = 12


def key_of(start: str | None, train: TrainConfig, end: int) -> str:
    """Return the key of the state after `end` samples of the stage that `start` and `train` name.

    Args:
        start: key of the state where the stage starts, or None for a fresh initialisation.
        train: the stage's training config.
        end: samples seen at the end, counted from the beginning of the run.
    """
    digest = hashlib.sha256(_canonical([start, science(train), end])).hexdigest()[:HASH_DIGITS]
    return f"{_slug(train.model.name)}_{_slug(train.data.name)}_{end}-{digest}"


def stage_key(start: str | None, train: TrainConfig) -> str:
    """Return a name for the stage itself, equal for all segments that may share its states."""
    return hashlib.sha256(_canonical([start, science(train)])).hexdigest()[:HASH_DIGITS]


def science(config: Any) -> dict[str, Any]:
    """Return the fields of a config dataclass that are hashed, as plain data.

    Left out are fields marked `NOT_IN_KEY` and fields that have their default value.
    """
    result = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.metadata.get("in_key", True) and value != _default(field):
            result[field.name] = _plain(value)
    return result


def differing_fields(one: Any, other: Any) -> list[str]:
    """Return the dotted names of hashed fields in which two configs differ."""
    return sorted(_differences(science(one), science(other), ""))


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


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")
