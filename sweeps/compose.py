"""The border to Hydra: command-line overrides and YAML become typed configs. Only here.

Hydra composes a config in about 60 ms, and a grid has thousands of points. So the base and each
group choice are composed once, and a point is put together from those parts as plain data. That
equals Hydra's own composition as long as a choice changes only its own group and a value can be set
on the base; where it does not, the point is composed by Hydra (`Composer.full`).
"""

import contextlib
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import hydra
import msgspec
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from conf.schema import LaunchConfig, RunConfig, SweepConfig
from sweeps.errors import UsageError, choices
from sweeps.folders import CONF
from sweeps.grid import Cell, Settings, axes_of, cells_of, describe, select
from sweeps.plain import assigned, find, has, plain, refers, resolved
from sweeps.twin import app_node

T = TypeVar("T")

RUN_KEYS = {field.name for field in fields(RunConfig)}
LAUNCH_KEYS = {field.name for field in fields(LaunchConfig)}
NO_SWEEP = "say which sweep: sweep=NAME, one of the files in conf/sweep/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a command line asks for: a launch, and the cells it selects with their run configs.

    `sweep`: its name; with `overrides`, which make other runs of it, also a mark of them.
    """

    sweep: str
    overrides: tuple[str, ...]
    launch: LaunchConfig
    cells: list[Cell]
    configs: list[RunConfig]


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeRequest:
    """A request, and all cells of the sweep with their configs, selected or not."""

    request: Request
    cells: list[Cell]
    configs: list[RunConfig]


def compose_request(arguments: Sequence[str]) -> Request:
    """Return what the Hydra overrides `arguments` ask for.

    An override that names an axis of the sweep selects cells; any other one holds for every run.

    Raises:
        UsageError: an override, the sweep, or a value in it is wrong.
    """
    return _compose_cells(arguments, whole=False).request


def compose_whole(arguments: Sequence[str]) -> WholeRequest:
    """Return what the overrides ask for, beside the whole sweep of which it is a part.

    Raises:
        UsageError: as `compose_request`, about any cell of the sweep.
    """
    return _compose_cells(arguments, whole=True)


def compose_launch(arguments: Sequence[str]) -> LaunchConfig:
    """Return what the overrides say of a launch, of whichever sweep.

    Raises:
        UsageError: an override is wrong.
    """
    with _hydra_errors(), hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        _register_schema()
        none = SweepConfig(name="(none)", blocks=())
        return _typed(Composer(none, _parse(arguments)).base(), LaunchConfig, "this launch")


def _compose_cells(arguments: Sequence[str], *, whole: bool) -> WholeRequest:
    with _hydra_errors(), hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        _register_schema()
        overrides = _parse(arguments)
        sweep = _load_sweep(overrides)
        cells = cells_of(sweep)
        axes = axes_of(cells)
        selection = {_key(o): _values(o) for o in overrides if _key(o) in axes}
        common = [o for o in overrides if _key(o) not in axes and _key(o) != "sweep"]
        composer = Composer(sweep, common)
        chosen = select(cells, selection) if selection else cells
        wanted = cells if whole else chosen
        configs = [_typed(composer.point(c), RunConfig, describe(c.labels)) for c in wanted]
        config_of = dict(zip(map(id, wanted), configs, strict=True))
        changes = tuple(sorted(line for o in common if (line := _run_override(o))))
        request = Request(
            sweep=variant(sweep.name, changes),
            overrides=changes,
            launch=_typed(composer.base(), LaunchConfig, "this launch"),
            cells=chosen,
            configs=[config_of[id(cell)] for cell in chosen],
        )
        return WholeRequest(request=request, cells=wanted, configs=configs)


def variant(sweep: str, overrides: Sequence[str]) -> str:
    """Return the name of a sweep whose runs are changed by overrides: they are other runs."""
    if not overrides:
        return sweep
    return f"{sweep}.{hashlib.sha256(repr(list(overrides)).encode()).hexdigest()[:6]}"


def simple_overrides(arguments: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values that overrides give each key, without composing anything.

    Raises:
        UsageError: an argument is no override, or no sweep is named.
    """
    with _hydra_errors():
        overrides = _parse(arguments)
    if "sweep" not in map(_key, overrides):
        raise UsageError(NO_SWEEP)
    return {_key(override): _values(override) for override in overrides}


def run_hydra_app(task: Callable[[DictConfig], None], arguments: Sequence[str]) -> None:
    """Let Hydra itself handle a command line: `--help`, `--cfg job`, `--info`, shell completion."""
    _register_schema()
    sys.argv = [sys.argv[0], *map(_quoted_where_needed, arguments)]
    with _hydra_errors():
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()


class Composer:
    """Composes the configs of one sweep's cells under one command line.

    Settings apply as Hydra overrides do: first the group choices, then the values in order (the
    sweep's own, the cell's, the command line's); `+key=value` and `~key` go to Hydra as they are.
    """

    def __init__(self, sweep: SweepConfig, common: Sequence[Override]) -> None:
        self._groups = {name.split("/")[0] for name in os.listdir(CONF) if (CONF / name).is_dir()}
        self._lines = [line for o in common if (line := o.input_line) and not _is_change(o)]
        self._first = tuple(sweep.set.items())
        self._last = tuple((_key(o), _single(o, sweep.name)) for o in common if _is_change(o))
        self._typed_base = self._compose({})
        self._plain_base = plain(self._typed_base)
        self._scratch = self._typed_base.copy()
        self._parts: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._values: dict[tuple[str, str], Any] = {}
        self._settable: dict[str, bool] = {}
        self._literals: set[int] = set()
        self._note_literals(self._plain_base.values())

    def base(self) -> dict[str, Any]:
        """Return the config that belongs to no cell: the launch and the runs' defaults."""
        return resolved(self._by_hydra((*self._first, *self._last)))

    def point(self, cell: Cell) -> dict[str, Any]:
        """Return the config of `cell` as plain data."""
        for key, _ in cell.settings:
            if key.split(".")[0] in LAUNCH_KEYS:
                raise UsageError(f"{key} belongs to a launch: set it in the sweep's own `set`")
        settings = (*self._first, *cell.settings, *self._last)
        point = self._from_parts(settings)
        if point is None:
            return resolved(self._by_hydra(settings))
        unsure = (value for value in point.values() if id(value) not in self._literals)
        return resolved(point) if any(map(refers, unsure)) else point

    def full(self, cell: Cell) -> dict[str, Any]:
        """Return the config of `cell` as Hydra itself composes it."""
        return resolved(self._by_hydra((*self._first, *cell.settings, *self._last)))

    def _from_parts(self, settings: Settings) -> dict[str, Any] | None:
        groups, values = self._split(settings)
        point = dict(self._plain_base)
        for group, option in groups.items():
            part = self._part(group, str(option))
            if part is None:
                return None
            point[group] = part
        for key, value in values:
            if isinstance(value, Mapping) or not has(point, key) or not self._may_set(key):
                return None
            point = assigned(point, key.split("."), self._coerced(key, repr(value), value))
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
        lines = [f"{group}={option}" for group, option in groups.items()]
        return hydra.compose("config", [*lines, *self._lines])

    def _part(self, group: str, option: str) -> dict[str, Any] | None:
        """Return what choosing `option` makes of its group; None if it changes more than that."""
        if (group, option) not in self._parts:
            composed = plain(self._compose({group: option}))
            alone = {**composed, group: None} == {**self._plain_base, group: None}
            self._parts[group, option] = composed[group] if alone else None
            self._note_literals([self._parts[group, option]])
        return self._parts[group, option]

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


@functools.cache
def _register_schema() -> None:
    ConfigStore.instance().store(name="schema", node=app_node())


@contextlib.contextmanager
def _hydra_errors() -> Iterator[None]:
    """Turn Hydra's and OmegaConf's errors into one line for the user."""
    try:
        yield
    except MissingConfigException as error:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = [str(known) for known in error.options or []]
        raise UsageError(f"there is no {group} {option!r}. {choices(option, options)}") from error
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise UsageError(" ".join(str(error).split())) from error


def _parse(arguments: Sequence[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(map(_quoted_where_needed, arguments)))


def _quoted_where_needed(argument: str) -> str:
    """Return an override that Hydra can parse.

    A value that it cannot, such as `data.shards=/scratch/{00000..00099}.tar`, is taken as plain text.
    """
    key, equals, value = argument.partition("=")
    if not equals or argument.startswith("-"):
        return argument
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{key}='{escaped}'"
    return argument


def _load_sweep(overrides: Sequence[Override]) -> SweepConfig:
    chosen = [o.value() for o in overrides if _key(o) == "sweep"]
    if len(chosen) != 1:
        raise UsageError(NO_SWEEP)
    search = [o.input_line for o in overrides if _key(o) == "hydra.searchpath"]
    config = hydra.compose("config", [f"sweep={chosen[0]}", *[line for line in search if line]])
    sweep = _typed(plain(config)["sweep"], SweepConfig, f"sweep {chosen[0]}")
    if sweep.name != chosen[0]:
        raise UsageError(f"conf/sweep/{chosen[0]}.yaml has name: {sweep.name}; write name: {chosen[0]}")
    return sweep


def _run_override(override: Override) -> str | None:
    """Return the text of an override that changes runs; None if it only concerns the launch."""
    line = override.input_line
    return line if line and _key(override).split(".")[0] in RUN_KEYS else None


def _key(override: Override) -> str:
    return override.key_or_group


def _is_change(override: Override) -> bool:
    return not (override.is_add() or override.is_delete() or _key(override).startswith("hydra."))


def _values(override: Override) -> list[Any]:
    """Return what selects on an axis: one value, a comma list or a bracketed list."""
    if override.is_sweep_override():
        return list(override.sweep_iterator())
    value = override.value()
    return list(value) if isinstance(value, list) else [value]


def _single(override: Override, sweep: str) -> Any:
    if override.is_sweep_override():
        raise UsageError(
            f"{override.input_line}: {_key(override)} is no axis of sweep {sweep}, so it takes one "
            f"value; to train several, add the axis to conf/sweep/{sweep}.yaml"
        )
    return override.value()


def _update(config: DictConfig, key: str, value: Any) -> None:
    try:
        merge = OmegaConf.select(config, key) is not None
        OmegaConf.update(config, key, value, merge=merge, force_add=isinstance(value, Mapping))
    except (ConfigKeyError, ConfigAttributeError) as error:
        known = find(plain(config), key.rpartition(".")[0]) if "." in key else plain(config)
        name = key.rpartition(".")[2]
        hint = choices(name, known) if known else f"To add it, write +{key}={value}"
        raise UsageError(f"there is no {key!r} to set. {hint}") from error
    except OmegaConfBaseException as error:
        raise UsageError(f"{key}={value}: {str(error).splitlines()[0]}") from error


def _typed(data: Any, kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        wrong, _, place = str(error).partition(" - at `$")
        where = place.strip("`.")
        raise UsageError(f"{what}: {where}{': ' if where else ''}{wrong}") from error
