"""What every evaluator has in common; an eval's `_target_` names a class of this form."""

from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

from conf.schema import EvalSpec
from evaluation.encoding.encoder import Encoder
from evaluation.sets.testset import TestSet
from sweeps.errors import UsageError


class Evaluator(Protocol):
    """Measures one checkpoint on one test set."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield (metric, value)."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """An evaluator that takes long, and goes on where it stood when it was killed.

    It is claimed, and run, apart from the others on a checkpoint, and after them.
    """

    def run_from(
        self, model: Encoder, data: TestSet, state: Path | None
    ) -> Iterator[tuple[str, float]]:
        """Yield (metric, value); keep in the file `state` what is needed to go on, as long as it is."""
        ...


def is_resumable(spec: EvalSpec) -> bool:
    """Return whether the evaluator that an eval names is known to be `Resumable`."""
    try:
        return hasattr(resolve_name(spec._target_), "run_from")
    except (ImportError, AttributeError):
        return False  # what is wrong is said when it is made


def make_evaluator(spec: EvalSpec) -> Evaluator:
    """Return the evaluator that an eval names, made with its options.

    Raises:
        UsageError: it does not take these options.
    """
    kind: Any = resolve_name(spec._target_)
    try:
        signature(kind).bind(**spec.options)
    except TypeError as error:
        raise UsageError(f"options of {spec._target_}: {error}") from error
    evaluator: Evaluator = kind(**spec.options)
    return evaluator
