"""What types cannot say of a run's config: fields that contradict each other."""

from collections.abc import Iterator

from conf.schema import DataConfig, EvalConfig, RunConfig
from sweeps.errors import UsageError, choices
from sweeps.runs.sources import sources_of

LEAST_WEIGHT = 1e-4
"""Of a mixture's sources; `training.data.mixture` takes 2 / the least weight of samples at once."""


def refuse_contradictions(config: RunConfig) -> None:
    """Check one run's config.

    Raises:
        UsageError: fields of it cannot hold together.
    """
    for message in _contradictions(config):
        raise UsageError(message)
    refuse_unknown_sets(config.eval)


def refuse_unknown_sets(suite: EvalConfig) -> None:
    """Check that a suite has the sets that its evals are on.

    Raises:
        UsageError: one is on a set that is not there.
    """
    for spec in suite.evals:
        if spec.dataset not in suite.datasets:
            known = choices(spec.dataset, suite.datasets)
            raise UsageError(f"eval.evals: {spec.name} is on the data set {spec.dataset!r}. {known}")


def _contradictions(config: RunConfig) -> Iterator[str]:
    low, high = config.data.crop_scale
    if not 0 < low <= high:
        yield f"data.crop_scale=[{low}, {high}]: the first is above 0 and no more than the second"
    yield from _contradictions_of_sources(config.data)


def _contradictions_of_sources(data: DataConfig) -> Iterator[str]:
    for source in sources_of(data):
        if bool(source.subset.name) != bool(source.subset.uids):
            yield f"data.subset of {source.name}: name and uids belong together"
    if not data.sources:
        return
    alone = {"shards": data.shards, "subset": data.subset.name, "generator": data.generator}
    for field in (field for field, value in alone.items() if value):
        yield f"data.{field} and data.sources exclude each other"
    total = sum(source.weight for source in data.sources)
    for source in data.sources:
        if source.weight < LEAST_WEIGHT * total:
            yield f"data.sources: the weight of {source.name} is less than {LEAST_WEIGHT:g} of all"
    names = [(source.name, source.subset.name) for source in data.sources]
    if len(set(names)) < len(names):
        yield f"data.sources of {data.name}: two have the same name"
