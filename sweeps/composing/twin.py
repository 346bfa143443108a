"""A mutable twin of the frozen schema, in the form that OmegaConf can compose into.

OmegaConf makes nodes of frozen dataclasses read-only, so Hydra could not merge YAML into them.
"""

import dataclasses
import functools
import operator
import types
from dataclasses import MISSING, Field, field, fields, is_dataclass, make_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from conf.schema import LaunchConfig, RunConfig, SweepConfig

Spec = list[tuple[str, Any, "Field[Any]"]]


def app_node() -> type:
    """Return the dataclass of all that Hydra composes: a run, a launch and the sweep."""
    sweep = ("sweep", _mutable_type(SweepConfig | None), field(default=None))
    return make_dataclass("AppConfig", [*_spec(RunConfig), *_spec(LaunchConfig), sweep])


@functools.cache
def _mutable(kind: type) -> type:
    return make_dataclass(kind.__name__, _spec(kind), kw_only=True)


def _spec(kind: type) -> Spec:
    hints = get_type_hints(kind)
    return [(f.name, _mutable_type(hints[f.name]), _default(f, hints[f.name])) for f in fields(kind)]


def _mutable_type(hint: Any) -> Any:
    if is_dataclass(hint):
        return _mutable(hint)  # type: ignore[arg-type]
    inner = tuple(_mutable_type(argument) for argument in get_args(hint))
    if not inner:
        return hint
    if get_origin(hint) is types.UnionType:
        return functools.reduce(operator.or_, inner)
    return types.GenericAlias(get_origin(hint), inner)


def _default(original: "Field[Any]", hint: Any) -> "Field[Any]":
    """Return the default of the twin's field; OmegaConf writes a missing one as `???`."""
    if is_dataclass(hint):
        return field(default_factory=_mutable(hint))  # type: ignore[arg-type]
    if original.default_factory is not dataclasses.MISSING:
        return field(default_factory=original.default_factory)
    default: Any = "???" if original.default is MISSING else original.default
    twin: Field[Any] = field(default=default)
    return twin
