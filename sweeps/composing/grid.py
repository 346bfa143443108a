"""The sweep language: a union of blocks, each a product of axes, becomes a list of cells.

    set: {cluster: juwels_booster}              holds for the whole sweep
    blocks:
      - axes:
          model: [ViT-B-32, ViT-B-16]           a Hydra group or any config key: plain values
          scale:                                any name: coupled values, each a set of settings
            3B: {samples_seen: 3_000_000_000, global_batch_size: 32_768}
        set: {optim.lr: 1.0e-3}                 holds for the block
        cells:                                  settings of the cells that a row matches
          - {model: ViT-B-16, scale: [3B], set: {optim.lr: 5.0e-4}}
        exclude: [{model: ViT-B-16, scale: 3B}] cells taken out
        include: [{model: ViT-L-14, scale: 3B}] cells put in beside the product

Later settings win: sweep, block, axes in their order, `cells` rows from top to bottom. There are no
conditions and nothing is evaluated. What a setting does to a config is left to `composing.compose`.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf.schema import BlockConfig, SweepConfig
from sweeps.errors import UsageError, choices

Settings = tuple[tuple[str, Any], ...]
"""(config key or Hydra group, value) pairs; later ones win."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One point of the grid: its label on every axis, and the settings that make its config."""

    labels: dict[str, str]
    settings: Settings


Axis = dict[str, Settings]
"""The values of an axis: label → settings."""

Point = tuple[tuple[str, str], ...]
"""(axis, label) pairs of one cell of a product."""


def cells_of(sweep: SweepConfig) -> list[Cell]:
    """Return the cells of all blocks in order, each once.

    Raises:
        UsageError: a row names what is not there, or two blocks give one cell different settings.
    """
    cells: dict[frozenset[tuple[str, str]], Cell] = {}
    for block in sweep.blocks:
        for cell in _block_cells(block):
            known = cells.setdefault(frozenset(cell.labels.items()), cell)
            if known.settings != cell.settings:
                raise UsageError(
                    f"sweep {sweep.name!r} lists the cell {describe(cell.labels)} twice with other "
                    f"settings; make what differs an axis, or exclude it from one block"
                )
    return list(cells.values())


def axes_of(cells: Iterable[Cell]) -> dict[str, list[str]]:
    """Return every axis that occurs, with its labels in order of appearance."""
    axes: dict[str, dict[str, None]] = {}
    for cell in cells:
        for axis, label in cell.labels.items():
            axes.setdefault(axis, {})[label] = None
    return {axis: list(labels) for axis, labels in axes.items()}


def select(cells: Sequence[Cell], selection: Mapping[str, Sequence[Any]]) -> list[Cell]:
    """Return the cells whose label on each selected axis is one of those given.

    Raises:
        UsageError: an axis has no such label, or no cell has all of them together.
    """
    axes = axes_of(cells)
    wanted = {
        axis: {_label_in(axis, value, axes[axis]) for value in values}
        for axis, values in selection.items()
    }
    chosen = [c for c in cells if all(c.labels.get(axis) in labels for axis, labels in wanted.items())]
    if not chosen:
        raise UsageError(f"no run of this sweep has {describe_selection(selection)} together")
    return chosen


def describe(labels: Mapping[str, str]) -> str:
    """Return `model=… data=…` for a cell's labels."""
    return " ".join(f"{axis}={label}" for axis, label in labels.items())


def describe_selection(selection: Mapping[str, Sequence[Any]]) -> str:
    """Return `model=a,b data=c` for a selection."""
    return " ".join(f"{axis}={','.join(map(str, vs))}" for axis, vs in selection.items())


def _block_cells(block: BlockConfig) -> list[Cell]:
    axes = {name: _axis(name, values) for name, values in block.axes.items()}
    points = [tuple(zip(axes, labels, strict=True)) for labels in itertools.product(*axes.values())]
    for row in block.exclude:
        gone = _matching(points, row, axes, "exclude")
        points = [point for point in points if point not in gone]
    common = _settings(block.set)
    rows = [(_matching(points, row, axes, "cells"), _own(row)) for row in block.cells]
    cells = []
    for point in points:
        exceptions = [setting for matched, own in rows if point in matched for setting in own]
        settings = (*common, *_values(point, axes), *exceptions)
        cells.append(Cell(labels=dict(point), settings=settings))
    return cells + [_included(row, axes, common) for row in block.include]


def _axis(name: str, values: Any) -> Axis:
    """Return the values of one axis: a list is plain, a mapping couples settings to labels."""
    if isinstance(values, Mapping) and values:
        return {str(label): _settings(settings or {}) for label, settings in values.items()}
    if isinstance(values, Sequence) and not isinstance(values, str) and values:
        return {str(value): ((name, value),) for value in values}
    raise UsageError(f"axis {name!r} is {values!r}; write a list of values or a mapping of labels")


def _settings(settings: Any) -> Settings:
    if not isinstance(settings, Mapping):
        raise UsageError(f"settings are a mapping of config keys to values, not {settings!r}")
    return tuple((str(key), value) for key, value in settings.items())


def _own(row: Mapping[str, Any]) -> Settings:
    return _settings(row.get("set", {}))


def _values(point: Point, axes: Mapping[str, Axis]) -> Settings:
    return tuple(setting for axis, label in point for setting in axes[axis][label])


def _matching(
    points: list[Point], row: Mapping[str, Any], axes: Mapping[str, Axis], what: str
) -> set[Point]:
    wanted = {
        axis: {_label_in(axis, value, _labels(axes, axis)) for value in _as_list(values)}
        for axis, values in row.items()
        if axis != "set"
    }
    found = {p for p in points if all(wanted.get(axis, {label}) >= {label} for axis, label in p)}
    if not found:
        raise UsageError(f"the {what} row {dict(row)!r} matches no cell of its block")
    return found


def _included(row: Mapping[str, Any], axes: Mapping[str, Axis], common: Settings) -> Cell:
    if missing := sorted(set(axes) - set(row)):
        raise UsageError(f"the include row {dict(row)!r} must name every axis; {missing} missing")
    labels = {axis: str(row[axis]) for axis in axes}
    values = [
        setting
        for axis, label in labels.items()
        for setting in axes[axis].get(label, ((axis, row[axis]),))
    ]
    return Cell(labels=labels, settings=(*common, *values, *_own(row)))


def _labels(axes: Mapping[str, Axis], axis: str) -> list[str]:
    if axis not in axes:
        raise UsageError(f"{axis!r} is no axis of its block. {choices(axis, axes)}")
    return list(axes[axis])


def _label_in(axis: str, value: Any, labels: Sequence[str]) -> str:
    """Return the label that `value` means: the same text, or the same number."""
    for label in labels:
        if str(value) == label or ((number := _number(value)) is not None and number == _number(label)):
            return label
    raise UsageError(f"{axis}={value} is not in this sweep. {choices(str(value), labels)}")


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _as_list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [values]
