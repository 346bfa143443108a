"""What a command line asks for: the cells that it selects, and their typed configs.

Parsing and composing are Hydra's (`composing.hydra_api`), how a grid's points are put together stands
in `composing.points`; both are imported only where something is composed.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from conf.schema import DataConfig, LaunchConfig, RunConfig, SweepConfig
from sweeps.composing.grid import Cell, axes_of, cells_of, select
from sweeps.composing.typed import RUN_KEYS, typed
from sweeps.composing.words import plain_overrides
from sweeps.errors import UsageError

if TYPE_CHECKING:
    from sweeps.composing.hydra_api import Override

T = TypeVar("T")

NO_SWEEP = "say which sweep: sweep=NAME, one of the files in conf/sweep/; --help says the rest"


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
    from sweeps.composing import hydra_api
    from sweeps.composing.points import Composer

    with hydra_api.session():
        none = SweepConfig(name="(none)", blocks=())
        composer = Composer(none, hydra_api.parse(arguments))
        return typed(composer.base(), LaunchConfig, "this launch")


def compose_run(arguments: Sequence[str]) -> tuple[RunConfig, LaunchConfig]:
    """Return the one run that overrides describe, of no sweep, and what they say of a launch.

    Raises:
        UsageError: an override or a value is wrong.
    """
    from sweeps.composing import hydra_api
    from sweeps.composing.points import Composer

    with hydra_api.session():
        none = SweepConfig(name="(none)", blocks=())
        composed = Composer(none, hydra_api.parse(arguments)).base()
        return typed(composed, RunConfig, "this run"), typed(composed, LaunchConfig, "this launch")


def compose_data(arguments: Sequence[str]) -> DataConfig:
    """Return the data set that overrides describe: `data=NAME`, and changes of it.

    Raises:
        UsageError: an override or a value is wrong.
    """
    return compose_part("data", DataConfig, arguments)


def compose_part(group: str, kind: type[T], arguments: Sequence[str]) -> T:
    """Return what overrides make of one config group, such as `eval`.

    Raises:
        UsageError: an override or a value is wrong.
    """
    from sweeps.composing import hydra_api
    from sweeps.composing.plain import plain

    with hydra_api.session():
        lines = [override.line for override in hydra_api.parse(arguments)]
        return typed(plain(hydra_api.compose(lines))[group], kind, group)


def variant(sweep: str, overrides: Sequence[str]) -> str:
    """Return the name of a sweep whose runs are changed by overrides: they are other runs."""
    if not overrides:
        return sweep
    return f"{sweep}.{hashlib.sha256(repr(list(overrides)).encode()).hexdigest()[:6]}"


def simple_overrides(arguments: Sequence[str]) -> Mapping[str, list[Any]]:
    """Return the values that overrides give each key, without composing anything.

    Raises:
        UsageError: an argument is no override, or no sweep is named.
    """
    given: Mapping[str, list[Any]] | None = plain_overrides(arguments)
    if given is None:
        from sweeps.composing import hydra_api

        with hydra_api.errors():
            given = {override.key: override.values for override in hydra_api.parse(arguments)}
    if "sweep" not in given:
        raise UsageError(NO_SWEEP)
    return given


def run_hydra_app(task: Callable[[Any], None], arguments: Sequence[str]) -> None:
    """Let Hydra itself handle a command line: `--help`, `--cfg job`, `--info`, shell completion."""
    from sweeps.composing import hydra_api

    hydra_api.run_app(task, arguments)


def _compose_cells(arguments: Sequence[str], *, whole: bool) -> WholeRequest:
    from sweeps.composing import hydra_api
    from sweeps.composing.points import Composer

    with hydra_api.session():
        overrides = hydra_api.parse(arguments)
        sweep = load_sweep(overrides)
        cells = cells_of(sweep)
        axes = axes_of(cells)
        selection = {o.key: o.values for o in overrides if o.key in axes}
        common = [o for o in overrides if o.key not in axes and o.key != "sweep"]
        composer = Composer(sweep, common)
        chosen = select(cells, selection) if selection else cells
        config_of = {id(cell): composer.config(cell) for cell in (cells if whole else chosen)}
        changes = tuple(sorted(o.line for o in common if _changes_runs(o)))
        request = Request(
            sweep=variant(sweep.name, changes),
            overrides=changes,
            launch=typed(composer.base(), LaunchConfig, "this launch"),
            cells=chosen,
            configs=[config_of[id(cell)] for cell in chosen],
        )
        wanted = cells if whole else chosen
        return WholeRequest(request=request, cells=wanted, configs=list(config_of.values()))


def load_sweep(overrides: Sequence["Override"]) -> SweepConfig:
    """Return the sweep that overrides name; within a Hydra session.

    Raises:
        UsageError: they name none, or what its file holds is wrong.
    """
    from sweeps.composing import hydra_api
    from sweeps.composing.plain import plain

    chosen = [o.value for o in overrides if o.key == "sweep"]
    if len(chosen) != 1:
        raise UsageError(NO_SWEEP)
    search = [o.line for o in overrides if o.key == "hydra.searchpath"]
    config = hydra_api.compose([f"sweep={chosen[0]}", *search])
    said = plain(config)["sweep"]
    if missing := [name for name, value in said.items() if value == "???"]:
        raise UsageError(f"conf/sweep/{chosen[0]}.yaml does not say: {', '.join(missing)}")
    sweep = typed(said, SweepConfig, f"sweep {chosen[0]}")
    if sweep.name != chosen[0]:
        raise UsageError(f"conf/sweep/{chosen[0]}.yaml has name: {sweep.name}; write name: {chosen[0]}")
    return sweep


def _changes_runs(override: "Override") -> bool:
    """Return whether an override changes runs; if not, it only concerns the launch."""
    return bool(override.line) and override.key.split(".")[0] in RUN_KEYS
