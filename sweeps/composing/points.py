"""The points of a grid, composed from parts.

Hydra composes a config in about 60 ms, and a grid has thousands of points. So the base and each group
choice are composed once, and a point is put together from those parts as plain data. That equals
Hydra's own composition as long as a choice changes only its own group and a value can be set on the
base; where it does not, the point is composed by Hydra (`Composer.full`).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from conf.schema import RunConfig, SweepConfig
from sweeps.composing.grid import Cell, Settings, describe
from sweeps.composing.hydra_api import Override, compose, compose_with_choices
from sweeps.composing.plain import assigned, find, has, plain, refers, resolved
from sweeps.composing.typed import LAUNCH_KEYS, RunTyper
from sweeps.errors import UsageError, choices
from sweeps.folders import CONF


class Composer:
    """Composes the configs of one sweep's cells under one command line, within a Hydra session.

    Settings apply as Hydra overrides do: first the group choices, then the values in order (the
    sweep's own, the cell's, the command line's); `+key=value` and `~key` go to Hydra as they are.
    Pieces on which points agree are one object in all of them.
    """

    def __init__(self, sweep: SweepConfig, common: Sequence[Override]) -> None:
        self._groups = {name.split("/")[0] for name in os.listdir(CONF) if (CONF / name).is_dir()}
        self._lines = [o.line for o in common if o.line and not o.is_change]
        self._first = tuple(sweep.set.items())
        self._last = tuple((o.key, _single(o, sweep.name)) for o in common if o.is_change)
        self._scratch, self._choices = compose_with_choices(self._lines)
        self._base = plain(self._scratch)
        self._parts: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._values: dict[tuple[str, str], Any] = {}
        self._changed: dict[tuple[int, str, int], tuple[dict[str, Any], dict[str, Any]]] = {}
        self._settable: dict[str, bool] = {}
        self._literals: set[int] = set()
        self._note_literals(self._base.values())
        self._typer = RunTyper()

    def base(self) -> dict[str, Any]:
        """Return the config that belongs to no cell: the launch and the runs' defaults."""
        return self._point((*self._first, *self._last))

    def config(self, cell: Cell) -> RunConfig:
        """Return the config of `cell`.

        Raises:
            UsageError: a value of it is wrong; the message names the cell.
        """
        return self._typer.config(self.point(cell), describe(cell.labels))

    def point(self, cell: Cell) -> dict[str, Any]:
        """Return the config of `cell` as plain data."""
        for key, _ in cell.settings:
            if key.split(".")[0] in LAUNCH_KEYS:
                raise UsageError(f"{key} belongs to a launch: set it in the sweep's own `set`")
        return self._point((*self._first, *cell.settings, *self._last))

    def full(self, cell: Cell) -> dict[str, Any]:
        """Return the config of `cell` as Hydra itself composes it."""
        return resolved(self._by_hydra((*self._first, *cell.settings, *self._last)))

    def _point(self, settings: Settings) -> dict[str, Any]:
        point = self._from_parts(settings)
        if point is None:
            return resolved(self._by_hydra(settings))
        unsure = (value for value in point.values() if id(value) not in self._literals)
        return resolved(point) if any(map(refers, unsure)) else point

    def _from_parts(self, settings: Settings) -> dict[str, Any] | None:
        groups, values = self._split(settings)
        point = dict(self._base)
        for group, option in groups.items():
            part = self._part(group, str(option))
            if part is None:
                return None
            point[group] = part
        for key, value in values:
            if isinstance(value, dict) or not has(point, key) or not self._may_set(key):
                return None
            name, _, rest = key.partition(".")
            coerced = self._coerced(key, repr(value), value)
            point[name] = self._with(point[name], rest, coerced) if rest else coerced
        return point

    def _by_hydra(self, settings: Settings) -> dict[str, Any]:
        groups, values = self._split(settings)
        config = self._compose(groups)
        for key, value in values:
            _update(config, key, value)
        return plain(config)

    def _split(self, settings: Settings) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
        groups = {key: value for key, value in settings if key in self._groups}
        return groups, [(key, value) for key, value in settings if key not in self._groups]

    def _compose(self, groups: Mapping[str, Any]) -> DictConfig:
        return compose([*(f"{group}={option}" for group, option in groups.items()), *self._lines])

    def _part(self, group: str, option: str) -> dict[str, Any] | None:
        """Return what choosing `option` makes of its group; None if it changes more than that."""
        if option == self._choices.get(group):
            return self._base[group]  # type: ignore[no-any-return]
        if (group, option) not in self._parts:
            composed = plain(self._compose({group: option}))
            alone = {**composed, group: None} == {**self._base, group: None}
            self._parts[group, option] = composed[group] if alone else None
            self._note_literals([self._parts[group, option]])
        return self._parts[group, option]

    def _with(self, tree: dict[str, Any], rest: str, value: Any) -> dict[str, Any]:
        """Return `tree` with the value at a dotted key replaced; the same object for all points."""
        change = (id(tree), rest, id(value))
        if change not in self._changed:
            self._changed[change] = (tree, assigned(tree, rest.split("."), value))
            self._note_literals(self._changed[change])
        return self._changed[change][1]

    def _note_literals(self, values: Iterable[Any]) -> None:
        """Remember which of our own, shared pieces refer to nothing; they need no second look."""
        self._literals.update(id(v) for v in values if isinstance(v, dict) and not refers(v))

    def _may_set(self, key: str) -> bool:
        """Return whether the schema has a place for `key`."""
        if key not in self._settable:
            self._settable[key] = has(self._scratch, key)
        return self._settable[key]

    def _coerced(self, key: str, text: str, value: Any) -> Any:
        """Return `value` as the type that the schema gives `key`."""
        if (key, text) not in self._values:
            _update(self._scratch, key, value)
            self._values[key, text] = find(plain(self._scratch), key)
        return self._values[key, text]


def _single(override: Override, sweep: str) -> Any:
    if override.is_several:
        raise UsageError(
            f"{override.line}: {override.key} is no axis of sweep {sweep}, so it takes one value; to "
            f"train several, add the axis to conf/sweep/{sweep}.yaml"
        )
    return override.value


def _update(config: DictConfig, key: str, value: Any) -> None:
    try:
        merge = OmegaConf.select(config, key) is not None
        OmegaConf.update(config, key, value, merge=merge, force_add=isinstance(value, Mapping))
    except (ConfigKeyError, ConfigAttributeError) as error:
        raise UsageError(f"there is no {key!r} to set. {_hint(plain(config), key, value)}") from error
    except OmegaConfBaseException as error:
        raise UsageError(f"{key}={value}: {str(error).splitlines()[0]}") from error


def _hint(tree: dict[str, Any], key: str, value: Any) -> str:
    """Return what could be set instead of `key`: the names where the first unknown one of it stands."""
    names = key.split(".")
    while len(names) > 1 and isinstance(tree.get(names[0]), dict):
        tree = tree[names.pop(0)]
    return choices(names[0], tree) if tree else f"To add it, write +{key}={value}"
