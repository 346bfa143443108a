"""Runs that are named on the command line by the beginning of their ids, of any launched sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from conf.schema import OutputFormat
from launcher.reconcile.hooks import read_hooks
from launcher.reconcile.sweep import Sweep, sweep_of
from sweeps.commands import read_arguments
from sweeps.composing.compose import compose_request
from sweeps.errors import UsageError, choices
from sweeps.folders import Root, root_of
from sweeps.runs import frozen
from sweeps.runs.expansion import Run, part_of
from sweeps.runs.frozen import FrozenSweep

MOST_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Meant:
    """The runs that a command line means, by sweep, and how to answer."""

    sweeps: list[Sweep]
    format: OutputFormat


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedArguments:
    """What may stand beside the names of runs."""

    root: str | None = None
    format: OutputFormat = OutputFormat.text


def meant_by(arguments: Sequence[str]) -> Meant:
    """Return the runs of `sweep=NAME [override …]`, or of `RUN [RUN …] [root=DIR] [format=json]`.

    Raises:
        UsageError: they are none or several, or both forms are mixed.
    """
    names, others = split_names(arguments)
    if not names:
        request = compose_request(arguments)
        return Meant(sweeps=[sweep_of(request)], format=request.launch.format)
    given = read_arguments(others, NamedArguments)
    return Meant(sweeps=sweeps_of_runs(root_of(given.root), names), format=given.format)


def split_names(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate names of runs from `key=value` words and what else Hydra understands."""
    names = [word for word in arguments if "=" not in word and word[:1] not in ("-", "+", "~")]
    return names, [word for word in arguments if word not in names]


def sweeps_of_runs(root: Root, names: Sequence[str]) -> list[Sweep]:
    """Return the sweeps of the runs whose ids begin with some names, each with those runs only.

    Raises:
        UsageError: no run's id does, or several do.
    """
    launched = _launched(root)
    found = [_find(launched, name) for name in names]
    return [
        Sweep(
            expansion=part_of(known.expansion, [run for of, run in found if of is known]),
            launch=known.launch,
            root=root,
            hooks=read_hooks(known.launch.hooks),
        )
        for known in launched
        if any(of is known for of, _ in found)
    ]


def _launched(root: Root) -> list[FrozenSweep]:
    sweeps = (frozen.load(root, name) for name in frozen.launched(root))
    return [known for known in sweeps if known]


def _find(launched: Sequence[FrozenSweep], name: str) -> tuple[FrozenSweep, Run]:
    """Return the one run whose id is `name` or begins so, and the first sweep that has it."""
    runs = {run.run_id: (of, run) for of in reversed(launched) for run in of.expansion.runs}
    if name in runs:
        return runs[name]
    ids = [run_id for run_id in runs if run_id.startswith(name)]
    if len(ids) == 1:
        return runs[ids[0]]
    several = f"{len(ids)} runs begin with" if ids else "no run was launched that begins with"
    shown = sorted(ids or get_close_matches(name, runs, n=MOST_SHOWN, cutoff=0.3) or runs)
    more = " …" if len(shown) > MOST_SHOWN else ""
    raise UsageError(f"{several} {name!r}. {choices(name, shown[:MOST_SHOWN])}{more}")
