"""What a launch is asked to start: remembered from the last time, or else composed."""

from collections.abc import Sequence
from dataclasses import dataclass

from launcher.reconcile.hooks import read_hooks
from launcher.reconcile.reuse import is_cut_as_standing
from launcher.reconcile.sweep import Sweep, sweep_of
from sweeps.composing.basis import basis_of
from sweeps.composing.compose import compose_whole
from sweeps.folders import root_of
from sweeps.runs import frozen, recall
from sweeps.runs.expansion import Expansion, expand
from sweeps.runs.frozen import FrozenSweep, standing_cuts


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The sweep that a command line selects, and the whole of which it is a part.

    `basis`: on what that depends, where it may be remembered. `is_remembered`: it was not composed,
    and stands under the root as it is.
    """

    arguments: tuple[str, ...]
    sweep: Sweep
    whole: Expansion
    overrides: tuple[str, ...]
    basis: str | None
    is_remembered: bool = False


def asked_by(arguments: Sequence[str]) -> Asked:
    """Return what a command line asks for; nothing is written.

    Raises:
        UsageError: something in it, or in `conf/`, is wrong.
    """
    basis = basis_of(arguments)
    return _remembered(arguments, basis) or _composed(arguments, basis)


def keep(asked: Asked) -> None:
    """Keep the whole sweep under the root, and that the command line came to it if it is all of it."""
    if asked.is_remembered:
        return
    root, name = asked.sweep.root, asked.whole.sweep
    frozen.freeze(root, _frozen(asked))
    if asked.basis is not None and asked.sweep.expansion is asked.whole:
        recall.remember(root, asked.arguments, asked.basis, name)


def _remembered(arguments: Sequence[str], basis: str | None) -> Asked | None:
    known = recall.recalled(arguments, basis) if basis else None
    if known is None:
        return None
    root = root_of(known.launch.root)
    if not is_cut_as_standing(known.expansion, root):
        return None
    hooks = read_hooks(known.launch.hooks)
    return Asked(
        arguments=tuple(arguments),
        sweep=Sweep(expansion=known.expansion, launch=known.launch, root=root, hooks=hooks),
        whole=known.expansion,
        overrides=known.overrides,
        basis=basis,
        is_remembered=True,
    )


def _composed(arguments: Sequence[str], basis: str | None) -> Asked:
    given = compose_whole(arguments)
    request = given.request
    sweep = sweep_of(request)
    whole = sweep.expansion
    if len(given.cells) > len(request.cells):
        whole = expand(sweep.name, given.cells, given.configs, standing_cuts(sweep.root))
    is_sure = basis == basis_of(arguments)  # nothing was edited meanwhile
    return Asked(
        arguments=tuple(arguments),
        sweep=sweep,
        whole=whole,
        overrides=request.overrides,
        basis=basis if is_sure else None,
    )


def _frozen(asked: Asked) -> FrozenSweep:
    return FrozenSweep(
        expansion=asked.whole,
        overrides=asked.overrides,
        launch=asked.sweep.launch,
        conf_digest=frozen.conf_digest(),
    )
