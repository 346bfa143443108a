"""Makes rows of checkpoints, and keeps what the next one needs too: test sets, a model, tokens."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from conf.schema import EvalSpec
from evaluation.decoded import DecodedSets, Source
from evaluation.demand import Demand
from evaluation.kinds import Kinds
from evaluation.measure import Flops, read_segment, trained_subject
from evaluation.rows import Row
from evaluation.testset import TestSet, load_test_set
from sweeps.folders import Root
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Position
from training.checkpoints.state import Tensors


class Scorer:
    """Scores milestones of segments under a root.

    Args:
        root: where they lie.
        folders: of the test sets, by name.
        alive: called now and then while a set is decoded.
    """

    def __init__(self, root: Root, folders: Mapping[str, str], alive: Callable[[], None]) -> None:
        self._root, self._folders = root, folders
        self._decoded = DecodedSets(root.decoded, alive)
        self._sets: dict[tuple[str, int], TestSet] = {}
        self._milestones = _Milestones()
        self._flops, self._kinds, self._demand = Flops(root), Kinds(), Demand()

    def rows(self, milestone: Path, evals: Sequence[EvalSpec], following: Path | None) -> Iterator[Row]:
        """Yield a row for each eval of a milestone, while the `following` one is read.

        Raises:
            CorruptCheckpoint, DataError, NotFinite: it cannot be scored.
        """
        segment = read_segment(self._root, milestone.parent.name)
        weights, position = self._milestones.read(milestone, following)
        subject = trained_subject(segment, weights, position, self._flops, self._kinds)
        sets = self._test_sets([spec.dataset for spec in evals], subject.image_size)
        yield from self._demand.scored(subject, list(zip(evals, sets, strict=True)))

    def _test_sets(self, names: Sequence[str], side: int) -> list[TestSet]:
        new = [name for name in dict.fromkeys(names) if (name, side) not in self._sets]
        folders = [Path(self._folders[name]) for name in new]
        self._decoded.make_missing(Source(folder=folder, side=side) for folder in folders)
        for name, folder in zip(new, folders, strict=True):
            self._sets[name, side] = load_test_set(folder, side, kept=self._decoded)
        return [self._sets[name, side] for name in names]


class _Milestones:
    """Reads milestones, the next one ahead."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._coming: dict[Path, Future[tuple[Tensors, Position]]] = {}

    def read(self, path: Path, following: Path | None) -> tuple[Tensors, Position]:
        """Return what a milestone holds, and begin to read the one that will be asked for next."""
        coming = self._coming.get(path)
        found = checkpoint.read(path) if coming is None else coming.result()
        self._coming.clear()
        if following is not None:
            self._coming[following] = self._thread.submit(checkpoint.read, following)
        return found
