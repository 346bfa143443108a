"""Whether what was asked for is possible, before anything is written or handed over."""

from collections.abc import Iterable
from pathlib import Path

from conf.schema import ClusterConfig
from evaluation.sets.layout import is_test_set
from launcher.reconcile.names import refuse_unsafe_cluster, refuse_unsafe_root
from launcher.reconcile.prepare import eval_datasets
from launcher.reconcile.protocols import refuse_mixed_protocols
from sweeps.composing.targets import refuse_missing_target
from sweeps.errors import UsageError
from sweeps.folders import Root, refuse_unusable
from sweeps.runs.expansion import Expansion, Run
from training.refuse import refuse_made_otherwise, refuse_unsafe, refuse_untrainable


def refuse_impossible(root: Root, expansion: Expansion, cluster: ClusterConfig) -> None:
    """Check a launch without writing anything.

    Raises:
        UsageError: the root, a name, a data set or an eval is not usable; the message says which.
    """
    if not expansion.runs:
        raise UsageError(f"sweep {expansion.sweep} has no runs: give blocks with axes, exclude fewer")
    refuse_unsafe(expansion.sweep, "the sweep's name")
    refuse_unsafe_cluster(cluster)
    refuse_unsafe_root(root, cluster.kind)
    refuse_unusable(root)
    refuse_untrainable(root, expansion.runs)
    _refuse_unknown_evals(expansion.runs)
    _refuse_missing_test_sets(root, expansion.runs)
    refuse_mixed_protocols(root, expansion.runs)


def _refuse_unknown_evals(runs: Iterable[Run]) -> None:
    targets: dict[str, str] = {}
    for suite in {id(run.config.eval): run.config.eval for run in runs}.values():
        targets.update({spec._target_: f"eval {spec.name}" for spec in suite.evals})
        generators = [dataset.generator for dataset in suite.datasets.values()]
        targets.update({made.get("_target_", ""): "generator" for made in generators if made})
    for target, what in targets.items():
        refuse_missing_target(target, what)


def _refuse_missing_test_sets(root: Root, runs: Iterable[Run]) -> None:
    for name, dataset in eval_datasets(runs).items():
        folder = Path(root.absolute(dataset.path))
        if dataset.generator is not None:
            refuse_made_otherwise(folder, dataset.generator)
        elif not is_test_set(folder):
            raise UsageError(
                f"test set {name!r}: there is no {folder}/test/nshards.txt; link a data set in "
                f"CLIP_benchmark's WebDataset layout there, or write its path into conf/eval/"
            )
