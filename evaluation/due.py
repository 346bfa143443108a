"""Which checkpoints are to be scored: what is there and lacks rows. No torch."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from conf.schema import EvalSpec
from evaluation.results import store
from sweeps.folders import Root
from sweeps.work.items import CheckpointEvals
from training.checkpoints.saved import weights_path


class Due:
    """Tells what of a root's table is missing, as far as was last known."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._table = store.KeyReader(root.results)
        self.refresh()

    def refresh(self) -> None:
        """Take in what was written since."""
        self._table.refresh()

    def missing(self, task: CheckpointEvals) -> list[EvalSpec]:
        """Return those of a checkpoint's evals that have no row."""
        known = self._table.keys
        return [e for e in task.evals if (task.checkpoint, e.name, e.dataset, e.version) not in known]

    def weights(self, task: CheckpointEvals) -> Path:
        """Return the file of a checkpoint's weights."""
        return weights_path(self._root.segment(task.segment), task.samples_seen)

    def among(self, tasks: Iterable[CheckpointEvals]) -> Iterator[CheckpointEvals]:
        """Yield the checkpoints that are there and lack rows."""
        return (task for task in tasks if self.missing(task) and self.weights(task).exists())
