"""Gathers losses and rates between two lines of metrics."""

import math
import time
from collections.abc import Callable

from training.checkpoint import Position
from training.metrics import MetricsWriter, Moment, Rate
from training.step import StepReport

METRICS_EVERY_S = 1.0

Show = Callable[[], dict[str, float]]


class Progress:
    """Gathers what happened since the last line of metrics.

    Args:
        metrics: where lines go.
        samples: where training stands.
        show: returns what stands in a line besides.
    """

    def __init__(self, metrics: MetricsWriter, samples: int, show: Show) -> None:
        self._metrics, self._show = metrics, show
        self._rate = Rate(samples)
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._written = False

    def after_step(self, position: Position, report: StepReport) -> None:
        """Count one step, and write a line if it is time."""
        if not report.is_skipped:
            for name, loss in report.losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + loss
            self._steps += 1
        if self._written and self._rate.elapsed() < METRICS_EVERY_S:
            return
        self._metrics.write(
            Moment(
                samples_seen=position.samples_seen,
                time=time.time(),
                samples_per_s=self._rate.take(position.samples_seen),
                lr=report.lr,
                grad_norm=report.grad_norm if math.isfinite(report.grad_norm) else None,
                skipped_steps=position.skipped_steps,
                num_broken=position.num_broken,
                losses={name: total / self._steps for name, total in self._sums.items()},
                shown=self._show(),
            )
        )
        self._sums, self._steps, self._written = {}, 0, True
