"""Plain data becomes typed configs; equal pieces of many configs become one object."""

import functools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

import msgspec

from conf.schema import LaunchConfig, RunConfig
from sweeps.errors import UsageError

T = TypeVar("T")

RUN_KEYS = {field.name for field in fields(RunConfig)}
LAUNCH_KEYS = {field.name for field in fields(LaunchConfig)}


def typed(data: Any, kind: type[T], what: str) -> T:
    """Return `data` as a `kind`.

    Args:
        data: plain data.
        kind: a config dataclass.
        what: whose data it is, for the message.

    Raises:
        UsageError: a value is missing, or of the wrong type or range.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        wrong, _, place = str(error).partition(" - at `$")
        where = place.strip("`.")
        raise UsageError(f"{what}: {where}{': ' if where else ''}{wrong}") from error


class RunTyper:
    """Makes run configs of points that share their pieces, so that the configs share them too.

    Each piece is converted once, and kept, so that no later piece can have its `id`.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[Any, Any]] = {}

    def config(self, point: Mapping[str, Any], what: str) -> RunConfig:
        """Return the config of one point; see `typed`."""
        hints = _hints()
        if not hints.keys() <= point.keys():
            return typed(point, RunConfig, what)
        try:
            return RunConfig(**{name: self._piece(name, point[name], hints[name]) for name in hints})
        except msgspec.ValidationError:
            return typed(point, RunConfig, what)  # whose message says where

    def _piece(self, name: str, value: Any, hint: Any) -> Any:
        key = (name, id(value))
        if key not in self._known:
            self._known[key] = (value, msgspec.convert(value, hint))
        return self._known[key][1]


@functools.cache
def _hints() -> dict[str, Any]:
    return get_type_hints(RunConfig, include_extras=True)
