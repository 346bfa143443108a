"""Gathers losses and rates between two moments, and shows them to sinks."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from training.checkpoints.checkpoint import Position
from training.distributed import World
from training.step import StepReport
from training.telemetry.hardware import peak_memory_gib
from training.telemetry.metrics import Moment, Sink

T = TypeVar("T")

MOMENT_EVERY_S, SELDOM_EVERY_S = 1.0, 10.0
SOON_S = 60.0
"""For so long moments come often; a run of weeks would leave files that nobody can read."""

PASSES = 3
"""A backward pass takes about twice the FLOPs of a forward one."""

Show = Callable[[], dict[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What a rate is measured by: 1e9 forward FLOPs of a sample, and FLOPs of one device a second."""

    world: World
    gflops_per_sample: float | None = None
    peak_flops: float | None = None

    def utilization(self, samples_per_s: float) -> float | None:
        """Return which share of the devices' FLOPs a rate of all ranks uses, where that is known."""
        if self.gflops_per_sample is None or self.peak_flops is None:
            return None
        flops = PASSES * self.gflops_per_sample * 1e9 * samples_per_s
        return flops / (self.peak_flops * self.world.size)


class Progress:
    """Gathers what happened since the last moment.

    Args:
        sinks: are shown each moment.
        samples: where training stands.
        show: returns what is in a moment besides.
        pace: what rates are measured by.
    """

    def __init__(self, sinks: Sequence[Sink], samples: int, show: Show, pace: Pace) -> None:
        self._sinks, self._show, self._pace = sinks, show, pace
        self._began = time.monotonic()
        self._begin(samples)
        self._written = False

    def waiting(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield batches, and note how long each is waited for."""
        iterator = iter(batches)
        while True:
            asked = time.monotonic()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self._waited_s += time.monotonic() - asked
            yield batch

    def after_step(self, position: Position, report: StepReport, *, is_last: bool) -> None:
        """Count one step, and show a moment if it is time, or it was the last one."""
        if not report.is_skipped:
            for name, loss in report.losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + loss
            self._steps += 1
        now = time.monotonic()
        every_s = MOMENT_EVERY_S if now - self._began < SOON_S else SELDOM_EVERY_S
        if self._written and not is_last and now - self._since_s < every_s:
            return
        moment = self._moment(position, report, now - self._since_s)
        for sink in self._sinks:
            sink.write(moment)
        self._begin(position.samples_seen)
        self._written = True

    def _begin(self, samples: int) -> None:
        self._since, self._since_s = samples, time.monotonic()
        self._sums: dict[str, float] = {}
        self._steps, self._waited_s = 0, 0.0

    def _moment(self, position: Position, report: StepReport, elapsed_s: float) -> Moment:
        world = self._pace.world
        rate = (position.samples_seen - self._since) / max(elapsed_s, 1e-9)
        return Moment(
            since=self._since,
            samples_seen=position.samples_seen,
            time=time.time(),
            samples_per_s=rate,
            samples_per_s_per_rank=rate / world.size,
            flops_utilization=self._pace.utilization(rate),
            data_wait=min(1.0, self._waited_s / max(elapsed_s, 1e-9)),
            memory_gib=peak_memory_gib(world.device),
            lr=report.lr,
            grad_norm=report.grad_norm if math.isfinite(report.grad_norm) else None,
            skipped_steps=position.skipped_steps,
            num_broken=position.num_broken,
            losses={name: total / self._steps for name, total in self._sums.items()},
            shown=self._show(),
        )
