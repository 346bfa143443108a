"""Gathers losses and rates between two lines of metrics."""

import math
import time

import torch

from training.metrics import MetricsWriter, Moment, Rate
from training.step import StepReport

METRICS_EVERY_S = 1.0


class Progress:
    """Gathers what happened since the last line of metrics."""

    def __init__(self, metrics: MetricsWriter, samples: int) -> None:
        self._metrics = metrics
        self._rate = Rate(samples)
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0
        self._written = False

    def after_step(self, samples: int, report: StepReport, model: torch.nn.Module) -> None:
        """Count one step, and write a line if it is time."""
        for name, loss in report.losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(loss)) + loss
        self._steps += 1
        if self._written and self._rate.elapsed() < METRICS_EVERY_S:
            return
        scale = getattr(model, "logit_scale", None)
        means = {name: float(total) / self._steps for name, total in self._sums.items()}
        self._metrics.write(
            Moment(
                samples_seen=samples,
                time=time.time(),
                samples_per_s=self._rate.take(samples),
                lr=report.lr,
                logit_scale=float(scale.detach()) if isinstance(scale, torch.Tensor) else None,
                grad_norm=report.grad_norm if math.isfinite(report.grad_norm) else None,
                losses=means,
            )
        )
        self._sums, self._steps, self._written = {}, 0, True
