"""Train one segment: from the newest state that verifies to its end, exactly.

k steps, a stop and the rest are all steps at once, bit for bit on the same layout: everything random
is a function of (seed, step, rank), and the state is weights, optimiser and position. How ranks are
started and who watches them is the launcher's business; this loop reads a `TrainOrder`, answers to a
stop file, and writes states, milestones, metrics and finally the done marker.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from conf.schema import ResourceConfig, TrainConfig
from sweeps.errors import NotFinite
from sweeps.runs.duration import steps_of
from sweeps.runs.expansion import Segment
from training.checkpoints import keeper
from training.checkpoints.keeper import Keeper
from training.checkpoints.restore import restored
from training.clock import Clock, Wish
from training.data.index import fingerprint_of
from training.data.loader import Batch, StepDataset, batches
from training.data.sources import opened, ready
from training.distributed import World, first_decides, wait_for_all
from training.flops import gflops_per_sample
from training.laying_out import lay_out
from training.optimizer import make_optimizer
from training.orders import TrainOrder
from training.precision import use_deterministic_algorithms, use_precision
from training.procedure import Procedure, make_procedure
from training.schedule import learning_rate
from training.step import Stepper, StepReport
from training.telemetry.hardware import peak_flops
from training.telemetry.progress import Pace, Progress
from training.telemetry.sinks import sinks_of

log = logging.getLogger(__name__)

SHARDS_NAMED = 3

WHOLE_FLOPS = 9
"""Decimals of 1e9 FLOPs: there is no half of one."""


def train_segment(order: TrainOrder, world: World) -> bool:
    """Train until the segment's end or until asked to stop; return whether the end was reached.

    Raises:
        DataError: shards are missing or unreadable.
        NotFinite: the loss was no finite number in too many steps in a row.
        Superseded: a later attempt holds the lease.
    """
    trainer = _Trainer(order, world)
    if not world.is_first:
        return trainer.run(None)
    sinks = sinks_of(order)
    try:
        return trainer.run(Progress(sinks, trainer.samples_seen, trainer.shown, trainer.pace))
    finally:
        for sink in sinks:
            sink.close()


class _Trainer:
    """The loop's state: model, optimiser and position."""

    def __init__(self, order: TrainOrder, world: World) -> None:
        self._order, self._world = order, world
        self._segment: Segment = order.item.segment
        self._train: TrainConfig = self._segment.train
        self._resources: ResourceConfig = order.item.resources
        use_precision(self._train.precision)
        if self._resources.deterministic:
            use_deterministic_algorithms()
        self._procedure: Procedure = make_procedure(self._train.procedure, self._train.model)
        self._dataset = self._open_data()
        self._model = self._procedure.build(self._train.seed).to(world.device)
        lay_out(self._model, self._resources, world)
        self._optimizer = make_optimizer(self._model, self._train.optim)
        self._stepper = Stepper(
            self._train,
            self._procedure,
            self._model,
            self._optimizer,
            resources=self._resources,
            world=world,
        )
        self._position = restored(order, self._model, self._optimizer, world, self._dataset.fingerprint)
        if world.is_first and self._position.gflops_per_sample is None:
            gflops = gflops_per_sample(self._procedure)
            self._position = replace(self._position, gflops_per_sample=gflops)
        self._keeper = Keeper(
            order, self._model, self._optimizer, world, restored=self._position.samples_seen
        )
        self._clock = Clock(order.stop_file, order.item.save_every_s)

    @property
    def samples_seen(self) -> int:
        """Where training stands."""
        return self._position.samples_seen

    @property
    def pace(self) -> Pace:
        """What rates are measured by."""
        return Pace(
            world=self._world,
            gflops_per_sample=self._position.gflops_per_sample,
            peak_flops=peak_flops(self._world.device, self._train.precision),
        )

    def shown(self) -> dict[str, float]:
        """Return what metrics show beside losses and rates."""
        return self._procedure.shown(self._model)

    def run(self, progress: Progress | None) -> bool:
        """Step until the end or a stop; the first rank also notes progress and saves."""
        with self._keeper.saver:
            return self._run(progress)

    def _run(self, progress: Progress | None) -> bool:
        first, last = self._step_at(self._position.samples_seen), self._step_at(self._segment.end)
        batches = self._batches(range(first, last))
        if progress is not None:
            batches = progress.waiting(batches)
        for step, batch in zip(range(first, last), batches, strict=True):
            report = self._stepper.take(step, batch, self._learning_rate(step))
            self._advance(step + 1, report)
            if progress is not None:
                progress.after_step(self._position, report, is_last=step + 1 == last)
            self._refuse_divergence(step)
            wish = Wish(first_decides(self._own_wish(), self._world))
            self._save(wish, is_last=step + 1 == last)
            if wish is Wish.stop and step + 1 < last:
                self._keeper.finish()
                return False
        self._keeper.publish(self._position)
        wait_for_all(self._world)
        return True

    def _open_data(self) -> StepDataset:
        sources, folder = self._order.item.sources, self._order.index_folder
        indexes = ready(sources, folder) if self._world.is_first else ()
        expected = first_decides(fingerprint_of(indexes), self._world)
        return StepDataset(
            self._train,
            indexes or opened(sources, folder, expected),
            self._procedure.tokenizer(),
            self._procedure.image_size,
            self._world,
        )

    def _batches(self, steps: range) -> Iterator[Batch]:
        return batches(
            self._dataset,
            steps,
            num_workers=self._resources.num_workers,
            pin_memory=self._world.device.type == "cuda",
        )

    def _learning_rate(self, step: int) -> float:
        stage_step = step - self._step_at(self._segment.stage_start)
        return learning_rate(self._train.schedule, self._train.optim.lr, stage_step)

    def _advance(self, steps: int, report: StepReport) -> None:
        batch, stage_start = self._train.global_batch_size, self._segment.stage_start
        reached = stage_start + (steps - self._step_at(stage_start)) * batch
        samples_seen = min(reached, self._segment.end)
        skipped = int(report.is_skipped)
        seconds = self._clock.lap_s()
        self._position = replace(
            self._position,
            steps=self._position.steps + 1,
            samples_trained=self._position.samples_trained + batch,
            samples_seen=samples_seen,
            gflops=self._gflops_at(samples_seen),
            train_s=self._position.train_s + seconds,
            rank_s=self._position.rank_s + seconds * self._world.size,
            skipped_steps=self._position.skipped_steps + skipped,
            skipped_in_a_row=(self._position.skipped_in_a_row + 1) * skipped,
            num_broken=self._position.num_broken + report.num_broken,
        )

    def _gflops_at(self, samples: int) -> float | None:
        """Return what all samples took when so many are seen, without the error of many additions."""
        now = self._position
        if now.gflops is None or now.gflops_per_sample is None:
            return None
        return round(now.gflops + now.gflops_per_sample * (samples - now.samples_seen), WHOLE_FLOPS)

    def _own_wish(self) -> Wish:
        """Return what this rank wants after a step; what the first one wants counts."""
        if not self._world.is_first:
            return Wish.go_on
        self._keeper.refuse_superseded(keeper.LEASE_POLL_S)
        wish = self._clock.wish()
        is_too_soon = wish is Wish.save and self._keeper.saver.is_busy
        return Wish.go_on if is_too_soon else wish

    def _save(self, wish: Wish, *, is_last: bool) -> None:
        """Begin to write a milestone and a state where they are due."""
        is_milestone = self._position.samples_seen in self._segment.milestones
        wants_state = wish is not Wish.go_on or (is_last and self._segment.keep_state)
        if is_milestone or wants_state:
            self._keeper.save(self._position, as_milestone=is_milestone, as_state=wants_state)
        if wants_state:
            self._clock.saved()

    def _refuse_divergence(self, step: int) -> None:
        skipped, batch = self._position.skipped_in_a_row, self._train.global_batch_size
        if skipped <= self._train.optim.max_skipped_steps:
            return
        shards = self._dataset.shards_of(step)
        raise NotFinite(
            f"no finite loss or gradient in {skipped} steps in a row, the last one of the samples "
            f"{step * batch} to {(step + 1) * batch - 1}, from {_listed(shards)}; lower optim.lr or "
            f"lengthen schedule.warmup"
        )

    def _step_at(self, samples: int) -> int:
        """Return the step before which `samples` were seen, counted as if all had this stage's batch.

        It names a place in the order of the data, which two stages so never share.
        """
        batch, stage_start = self._train.global_batch_size, self._segment.stage_start
        return steps_of(stage_start, batch) + steps_of(samples - stage_start, batch)


def _listed(shards: Sequence[Path]) -> str:
    """Return the first few shards by name, and how many more there are."""
    names = ", ".join(str(path) for path in shards[:SHARDS_NAMED])
    more = len(shards) - SHARDS_NAMED
    return f"{names} and {more} more" if more > 0 else names
