"""Whether what was asked for is possible, before anything is written or handed over."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from conf.schema import ClusterConfig, RunConfig, SourceConfig
from evaluation.sets.layout import is_test_set
from launcher.reconcile.names import refuse_unsafe, refuse_unsafe_cluster, refuse_unsafe_root
from launcher.reconcile.prepare import eval_datasets, generated_data
from launcher.reconcile.protocols import refuse_mixed_protocols
from sweeps.composing.targets import refuse_missing_target
from sweeps.errors import DataError, UsageError, choices
from sweeps.folders import Root, refuse_unusable
from sweeps.runs.expansion import Expansion, Run
from sweeps.runs.sources import UNSET, refuse_unset, source_files, sources_of
from training.data.generate import made_with
from training.data.patterns import existing_shards, expand_shards


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
    _refuse_unknown_names([run.config for run in expansion.runs])
    for run in _first_of_each_data(expansion.runs):
        _refuse_bad_pattern(root, run)
        _refuse_missing_shards(root, run)
    _refuse_missing_test_sets(root, expansion.runs)
    _refuse_other_data(root, expansion.runs)
    refuse_mixed_protocols(root, expansion.runs)


def _refuse_unknown_names(configs: Iterable[RunConfig]) -> None:
    """Check what is named in configs and would else be looked for on a compute node only."""
    targets: dict[str, str] = {}
    models = set()
    for config in configs:
        refuse_unsafe(config.model.name, "model.name")
        refuse_unsafe(config.data.name, "data.name")
        for source in sources_of(config.data):
            refuse_unsafe(source.name, "data.sources.name")
            if source.subset.name:
                refuse_unsafe(source.subset.name, "data.subset.name")
        if config.model.config is None:
            models.add(config.model.name)
        targets[config.procedure._target_] = "procedure"
        targets.update({spec._target_: f"eval {spec.name}" for spec in config.eval.evals})
        generators = [config.data.generator, *(d.generator for d in config.eval.datasets.values())]
        targets.update({made.get("_target_", ""): "generator" for made in generators if made})
    for target, what in targets.items():
        refuse_missing_target(target, what)
    for model in sorted(models):
        _refuse_unknown_model(model)


def _refuse_unknown_model(name: str) -> None:
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        return  # a login node that only launches
    names = [path.stem for path in (Path(found.origin).parent / "model_configs").glob("*.json")]
    if name not in names:
        raise UsageError(f"open_clip has no model {name!r}. {choices(name, names)}")


def _first_of_each_data(runs: Iterable[Run]) -> list[Run]:
    first: dict[tuple[SourceConfig, ...], Run] = {}
    for run in runs:
        first.setdefault(sources_of(run.config.data), run)
    return list(first.values())


def _refuse_bad_pattern(root: Root, run: Run) -> None:
    for source in sources_of(run.config.data):
        shards = source.shards
        paths = [Path(name) for name in expand_shards(root.absolute(shards))]
        if shards in UNSET:
            continue
        if not paths or "*" in shards or any(path.suffix != ".tar" for path in paths):
            raise UsageError(f"data.shards={shards}: write tar files, like /data/{{00000..00099}}.tar")
        is_ours = paths[0].parent in (root.path, *root.path.parents)
        if run.config.data.generator is not None and is_ours:
            raise UsageError(f"data.shards={shards}: generated shards need a folder of their own")


def _refuse_missing_shards(root: Root, run: Run) -> None:
    data = run.config.data
    refuse_unset(data, run.data)
    for source, files in zip(sources_of(data), source_files(data, root), strict=True):
        if files.uids is not None and not Path(files.uids).is_file():
            raise UsageError(f"{files.name}: there is no list of uids {files.uids}")
        if data.generator is None:
            try:
                existing_shards(files.shards)
            except DataError as error:
                raise UsageError(f"{source.name}: {error}") from error


def _refuse_missing_test_sets(root: Root, runs: Iterable[Run]) -> None:
    for name, dataset in eval_datasets(runs).items():
        folder = Path(root.absolute(dataset.path))
        if dataset.generator is None and not is_test_set(folder):
            raise UsageError(
                f"test set {name!r}: there is no {folder}/test/nshards.txt; link a data set in "
                f"CLIP_benchmark's WebDataset layout there, or write its path into conf/eval/"
            )


def _refuse_other_data(root: Root, runs: Iterable[Run]) -> None:
    for folder, generator in generated_data(root, list(runs)).items():
        if (made_by := made_with(folder)) not in (None, generator):
            raise UsageError(
                f"{folder} was made with {made_by}, but {generator} is asked for; remove it, or let "
                f"the new data lie elsewhere"
            )
