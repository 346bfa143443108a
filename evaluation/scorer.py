"""Makes rows of checkpoints, and keeps what the next one needs too: test sets, a model, tokens."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from conf.schema import EvalSpec
from evaluation.demand import Demand
from evaluation.encoding.kinds import Kinds
from evaluation.measure import Failed, read_segment, sifted, trained_subject
from evaluation.pulse import Pulse
from evaluation.results.rows import Row
from evaluation.sets.decoded import DecodedSets, Source
from evaluation.sets.testset import TestSet, load_test_set
from sweeps.errors import DamagedFile, DataError, IsogridError
from sweeps.folders import Root
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Position
from training.checkpoints.state import Tensors

log = logging.getLogger(__name__)


class Scorer:
    """Scores milestones of segments under a root.

    Args:
        root: where they lie.
        folders: of the test sets, by name.
        pulse: of this process. While a set is decoded it only shows life.
    """

    def __init__(self, root: Root, folders: Mapping[str, str], pulse: Pulse) -> None:
        self._root, self._pulse = root, pulse
        self._folders = {name: Path(folder) for name, folder in folders.items()}
        self._decoded = DecodedSets(root.decoded, pulse.show_life)
        self._sets: dict[tuple[str, int], TestSet | IsogridError] = {}
        self._milestones = _Milestones()
        self._kinds, self._demand = Kinds(), Demand()

    def rows(
        self, milestone: Path, evals: Sequence[EvalSpec], following: Path | None
    ) -> Iterator[Row | Failed]:
        """Yield a row for each eval of a milestone, while the `following` one is read.

        Raises:
            CorruptCheckpoint, NotFinite: it cannot be scored.
            StopAsked: this process is to leave.
        """
        segment = read_segment(self._root, milestone.parent.name)
        weights, position = self._milestones.read(milestone, following)
        subject = trained_subject(self._root, segment, weights, position, self._kinds)
        subject.model.pulse = self._pulse
        fit, unfit = sifted(evals, self._folders)
        yield from unfit
        sets = self._test_sets([spec.dataset for spec in fit], subject.image_size)
        found = [(spec, sets[spec.dataset]) for spec in fit]
        yield from (Failed(spec, data) for spec, data in found if isinstance(data, IsogridError))
        work = [(spec, data) for spec, data in found if isinstance(data, TestSet)]
        yield from self._demand.scored(subject, work)

    def _test_sets(self, names: Iterable[str], side: int) -> dict[str, TestSet | IsogridError]:
        """Return test sets, or what is wrong with them, by name."""
        wanted = dict.fromkeys(names)
        new = [name for name in wanted if (name, side) not in self._sets]
        for name in self._others_last(new, side):
            self._sets[name, side] = self._loaded(name, side)
        return {name: self._sets[name, side] for name in wanted}

    def _loaded(self, name: str, side: int) -> TestSet | IsogridError:
        try:
            return load_test_set(self._folders[name], side, kept=self._decoded)
        except (DataError, DamagedFile) as error:
            log.error("%s: %s", name, error)
            return error

    def _others_last(self, names: Iterable[str], side: int) -> Iterator[str]:
        """Yield first the sets that no other process decodes: so they share the work."""
        others = []
        for name in names:
            if self._is_in_other_hands(name, side):
                others.append(name)
            else:
                yield name
        yield from others

    def _is_in_other_hands(self, name: str, side: int) -> bool:
        try:
            return self._decoded.is_being_made(Source(folder=self._folders[name], side=side))
        except DataError:
            return False  # it will be said when the set is loaded


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
