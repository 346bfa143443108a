"""What `status` looks at: the sweep as it was launched, or, if it never was, as `conf/` has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf.schema import OutputFormat
from launcher.reconcile.hooks import read_hooks
from launcher.reconcile.sweep import Sweep, sweep_of
from sweeps.composing.compose import compose_request, simple_overrides
from sweeps.composing.grid import Cell, axes_of, select
from sweeps.composing.typed import LAUNCH_KEYS, RUN_KEYS
from sweeps.errors import UsageError, choices
from sweeps.folders import root_of
from sweeps.runs import frozen
from sweeps.runs.expansion import Expansion, part_of
from sweeps.runs.frozen import FrozenSweep

NEVER_LAUNCHED = "never launched under this root; this is what conf/ enumerates"
CHANGED = "conf/ has changed since the launch; `plan` shows what it would launch now"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A sweep to be shown, and what must be said of it (empty: nothing)."""

    sweep: Sweep
    note: str
    format: OutputFormat


def look_at(arguments: Sequence[str]) -> View:
    """Return the sweep that a command line asks to be shown.

    Raises:
        UsageError: there is no such sweep, cell or key.
    """
    given = simple_overrides(arguments)
    root = root_of(str(given["root"][0]) if "root" in given else None)
    known = frozen.load(root, str(given["sweep"][0]))
    selection = {} if known is None else _selection(known, given)
    if known is None or _changes_runs(given, selection):
        request = compose_request(arguments)
        note = NEVER_LAUNCHED if frozen.load(root, request.sweep) is None else ""
        return View(sweep=sweep_of(request), note=note, format=request.launch.format)
    sweep = Sweep(
        expansion=_selected(known.expansion, selection),
        launch=known.launch,
        root=root,
        hooks=read_hooks(known.launch.hooks),
    )
    note = "" if frozen.conf_digest() == known.conf_digest else CHANGED
    return View(sweep=sweep, note=note, format=_format(given, known))


def _selection(known: FrozenSweep, given: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return what is given of axes; refuse what is nothing that can be given."""
    axes = axes_of(_cells(known.expansion))
    valid = {*axes, *RUN_KEYS, *LAUNCH_KEYS, "sweep", "hydra"}
    for key in given:
        if key not in valid and key.split(".")[0] not in valid:
            raise UsageError(f"there is no {key!r} to select or to set. {choices(key, valid)}")
    return {key: values for key, values in given.items() if key in axes}


def _changes_runs(given: Mapping[str, list[Any]], selection: Mapping[str, list[Any]]) -> bool:
    return any(key.split(".")[0] in RUN_KEYS for key in given if key not in selection)


def _selected(expansion: Expansion, selection: Mapping[str, list[Any]]) -> Expansion:
    if not selection:
        return expansion
    chosen = {id(cell.labels) for cell in select(_cells(expansion), selection)}
    return part_of(expansion, [run for run in expansion.runs if id(run.labels) in chosen])


def _cells(expansion: Expansion) -> list[Cell]:
    return [Cell(labels=run.labels, settings=()) for run in expansion.runs]


def _format(given: Mapping[str, list[Any]], known: FrozenSweep) -> OutputFormat:
    if "format" not in given:
        return known.launch.format
    names = [form.value for form in OutputFormat]
    if (name := str(given["format"][0])) not in names:
        raise UsageError(f"format={name} is unknown. {choices(name, names)}")
    return OutputFormat(name)
