"""What every evaluator has in common; an eval's `_target_` names a class of this form."""

from collections.abc import Iterator
from pkgutil import resolve_name
from typing import Any, Protocol

from conf.schema import EvalSpec
from evaluation.encoder import Encoder
from evaluation.testset import TestSet


class Evaluator(Protocol):
    """Measures one checkpoint on one test set."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield (metric, value)."""
        ...


def make_evaluator(spec: EvalSpec) -> Evaluator:
    """Return the evaluator that an eval names, made with its options."""
    kind: Any = resolve_name(spec._target_)
    evaluator: Evaluator = kind(**spec.options)
    return evaluator
