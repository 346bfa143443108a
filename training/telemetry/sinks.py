"""Who is shown the moments of a training: its metrics file, and what else is wanted."""

import sys

from training.orders import TrainOrder
from training.telemetry.dashboard import dashboard_of
from training.telemetry.metrics import MetricsWriter, Sink, begin_metrics
from training.telemetry.terminal import TerminalLine


def sinks_of(order: TrainOrder) -> list[Sink]:
    """Return the sinks of an attempt; the file of its metrics is the record, and comes first."""
    sinks: list[Sink] = [MetricsWriter(begin_metrics(order.folder, order.attempt))]
    if sys.stderr.isatty():
        sinks.append(TerminalLine(sys.stderr, order.item.segment.end))
    if dashboard := dashboard_of(order):
        sinks.append(dashboard)
    return sinks
