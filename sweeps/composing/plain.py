"""Composed configs as plain data: dotted keys, references, and what YAML got wrong."""

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")


def plain(config: DictConfig) -> dict[str, Any]:
    """Return a composed config as plain data; what refers to other keys is left as it is."""
    result = _cleaned(OmegaConf.to_container(config, resolve=False, enum_to_str=True))
    assert isinstance(result, dict)
    return result


def _cleaned(value: Any) -> Any:
    """Undo YAML 1.1's reading of a bare `on` as true; resolve what depends on the environment only.

    What refers to other keys is left alone: a point is not complete yet.
    """
    if isinstance(value, dict):
        return {"on" if name is True else name: _cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, str) and "${" in value and "${" not in ENVIRONMENT.sub("", value):
        return OmegaConf.create([value])[0]
    return value


def resolved(point: dict[str, Any]) -> dict[str, Any]:
    """Return a complete point with all references replaced by what they refer to."""
    if not refers(point):
        return point
    complete = OmegaConf.to_container(OmegaConf.create(point), resolve=True)
    assert isinstance(complete, dict)
    return complete  # type: ignore[return-value]


def refers(value: Any) -> bool:
    """Return whether some text in a value refers to another key or to the environment."""
    if isinstance(value, dict):
        return any(refers(item) for item in value.values())
    if isinstance(value, list):
        return any(refers(item) for item in value)
    return isinstance(value, str) and "${" in value


def find(tree: Any, key: str) -> Any:
    """Return what stands at a dotted key."""
    for name in key.split("."):
        tree = tree[name]
    return tree


def has(tree: Any, key: str) -> bool:
    """Return whether something stands at a dotted key."""
    for name in key.split("."):
        if not isinstance(tree, (dict, DictConfig)) or name not in tree:
            return False
        tree = tree[name]
    return True


def assigned(tree: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return `tree` with the value at `path` replaced; what is not on the path is shared."""
    name, *rest = path
    return {**tree, name: assigned(tree[name], rest, value) if rest else value}
