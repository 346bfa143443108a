"""What types cannot say of a run's config: fields that contradict each other."""

from collections.abc import Iterator

from conf.schema import RunConfig
from sweeps.errors import UsageError, choices


def refuse_contradictions(config: RunConfig) -> None:
    """Check one run's config.

    Raises:
        UsageError: fields of it cannot hold together.
    """
    for message in _contradictions(config):
        raise UsageError(message)


def _contradictions(config: RunConfig) -> Iterator[str]:
    low, high = config.data.crop_scale
    if not 0 < low <= high:
        yield f"data.crop_scale=[{low}, {high}]: the first is above 0 and no more than the second"
    for spec in config.eval.evals:
        if spec.dataset not in config.eval.datasets:
            known = choices(spec.dataset, config.eval.datasets)
            yield f"eval.evals: {spec.name} is on the data set {spec.dataset!r}. {known}"
