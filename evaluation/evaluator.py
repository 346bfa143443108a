"""What every evaluator has in common; an eval's `_target_` names a class of this form."""

from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

from conf.schema import EvalSpec
from evaluation.encoding.encoder import Encoder
from evaluation.sets.layout import is_test_set
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError, UsageError


class Evaluator(Protocol):
    """Measures one checkpoint on one test set.

    Its class may name in `files` what it needs of a set's folder: of such a file it is said before the
    set is decoded that it is missing or blank.
    """

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
    return hasattr(_kind_of(spec), "run_from")


def refuse_lacking(spec: EvalSpec, folder: Path) -> None:
    """Check that a set has the files that the evaluator of an eval names; no set has none of any.

    Raises:
        DataError: one is missing or blank.
    """
    for name in getattr(_kind_of(spec), "files", ()) if is_test_set(folder) else ():
        if not (folder / name).is_file():
            raise DataError(f"there is no {folder / name}, which this evaluator needs")
        if not (folder / name).read_bytes().strip():
            raise DataError(f"there is nothing in {folder / name}, which this evaluator needs")


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


def _kind_of(spec: EvalSpec) -> Any:
    """Return the class that an eval names; None if there is none, which is said when it is made."""
    try:
        return resolve_name(spec._target_)
    except (ImportError, AttributeError):
        return None
