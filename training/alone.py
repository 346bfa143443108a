"""One run without a sweep: `python -m training model=NAME data=NAME samples_seen=N [root=DIR]`.

Composes the run as a sweep would, and trains its segments in order in this process (under torchrun: in
each of them), in the same folders, so that a sweep with this run finds it trained. Ctrl-C saves and
stops; typed again, it goes on. Scores are left to a sweep.
"""

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch

from conf.schema import DataConfig, LaunchConfig, RunConfig
from sweeps.commands import INTERRUPTED
from sweeps.composing.compose import compose_run
from sweeps.composing.grid import Cell
from sweeps.errors import UsageError
from sweeps.folders import Root, make_folders, refuse_unusable, root_of
from sweeps.runs.expansion import Expansion, Segment, expand
from sweeps.runs.frozen import freeze_segment, standing_cuts
from sweeps.runs.sources import source_files
from sweeps.work.items import TrainItem
from training.checkpoints.done import read_done
from training.data.generate import Generation, generate, made_with
from training.data.patterns import expand_shards
from training.distributed import World, first_decides, join_world, leave_world
from training.flops import NOWHERE
from training.loop import train_segment
from training.orders import TrainOrder
from training.procedure import make_procedure
from training.refuse import refuse_untrainable
from training.tenure import Tenure

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
SWEEP = "alone"
"""Stands where a sweep's name would."""


def train_alone(arguments: Sequence[str]) -> int:
    """Train one run; return an exit status.

    Raises:
        IsogridError: the run is impossible, in other hands, or fails.
    """
    if named := [word for word in arguments if word.startswith("sweep=")]:
        raise UsageError(
            f"this trains one run without a sweep: leave out {named[0]}, or type "
            f"python -m launcher {named[0]}"
        )
    config, launch = compose_run(arguments)
    world = join_world()
    try:
        config = replace(config, resources=replace(config.resources, num_ranks=world.size))
        root = root_of(launch.root)
        expansion = _expanded(config, root)
        if world.is_first:
            _refuse_impossible(root, expansion)
        return 0 if _Alone(config, launch, world, expansion).run() else INTERRUPTED
    finally:
        leave_world(world)


def _expanded(config: RunConfig, root: Root) -> Expansion:
    cell = Cell(labels={}, settings=())
    return expand(SWEEP, [cell], [config], standing_cuts(root))


class _Alone:
    """A run that is trained by hand. From now on a signal asks it to save and stop."""

    def __init__(
        self, config: RunConfig, launch: LaunchConfig, world: World, expansion: Expansion
    ) -> None:
        self._config, self._launch, self._world = config, launch, world
        self._root = root_of(launch.root)
        self._expansion = expansion
        self._stop = _StopRequest()

    def run(self) -> bool:
        """Train what is missing; return False if stopped before the end."""
        torch.set_num_threads(self._config.resources.threads_per_rank)
        if self._world.is_first:
            make_folders(self._root)
            _provide(self._config.data, self._root)
        for segment in self._expansion.segments.values():
            if not self._is_trained(segment) and not self._train(segment):
                return False
        if self._world.is_first:
            log.info("trained: %s", self._root.segment(self._expansion.runs[0].run_id))
        return True

    def _is_trained(self, segment: Segment) -> bool:
        is_done = self._world.is_first and read_done(self._root.segment(segment.key)) is not None
        return bool(first_decides(is_done, self._world))

    def _train(self, segment: Segment) -> bool:
        """Train a segment, whose lease the first rank holds; return whether its end was reached."""
        if not self._world.is_first:
            return train_segment(self._order(segment, first_decides(0, self._world)), self._world)
        freeze_segment(self._root, segment)
        folder, resources = self._root.segment(segment.key), self._config.resources
        with Tenure(folder, resources, self._launch.cluster) as tenure:
            order = self._order(segment, first_decides(tenure.attempt, self._world))
            log.info("training %s", segment.key)
            with self._stop.through(order.stop_file):
                tenure.is_finished = train_segment(order, self._world)
        if not tenure.is_finished:
            log.info("stopped and saved; type the same again to go on")
        return tenure.is_finished

    def _order(self, segment: Segment, attempt: int) -> TrainOrder:
        folder, parent = self._root.segment(segment.key), segment.parent
        return TrainOrder(
            item=TrainItem(
                segment=segment,
                sources=source_files(self._config.data, self._root),
                resources=self._config.resources,
                save_every_s=self._config.checkpoints.save_every_s,
                sweep=SWEEP,
                wandb=self._launch.wandb,
            ),
            folder=folder,
            parent_folder=self._root.segment(parent) if parent else None,
            index_folder=self._root.data,
            attempt=attempt,
            stop_file=folder / f"stop-{attempt}",
            verdict_file=folder / f"verdict-{attempt}",
        )


class _StopRequest:
    """Turns signals into a stop file, for which training looks."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._is_made = False
        for number in STOP_SIGNALS:
            signal.signal(number, self._note)

    @contextmanager
    def through(self, file: Path) -> Iterator[None]:
        """Make the file when a signal comes, or has come before."""
        self._file = file
        if self._is_made:
            file.touch()
        try:
            yield
        finally:
            self._file = None
            file.unlink(missing_ok=True)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._is_made = True
        if self._file is not None:
            self._file.touch()


def _refuse_impossible(root: Root, expansion: Expansion) -> None:
    """Look at what is asked for, and build it where it takes no memory, before anything is written.

    Raises:
        UsageError: it cannot be trained.
    """
    refuse_unusable(root)
    refuse_untrainable(root, expansion.runs)
    segments = expansion.segments.values()
    for train in {segment.train.model.label: segment.train for segment in segments}.values():
        procedure = make_procedure(train.procedure, train.model)
        procedure.tokenizer()
        with NOWHERE:
            procedure.build(train.seed)


def _provide(data: DataConfig, root: Root) -> None:
    """Write the shards of a data set that is made on the spot, if they are not there."""
    if data.generator is None:
        return
    folder = Path(expand_shards(root.absolute(data.shards))[0]).parent
    if made_with(folder) is None:
        log.info("writing %s", folder)
        generate(Generation(folder=folder, generator=data.generator))
