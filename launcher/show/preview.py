"""What `plan` prints: what a launch would do and what that costs, before anything is spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conf.schema import ClusterConfig, ResourceConfig
from launcher.reconcile.state import RunStatus, State
from launcher.show.status import axes_of, run_json, state_colour
from launcher.text import plural, table
from sweeps.cost import Estimate, estimate
from sweeps.expansion import Expansion, Segment, owners_of
from sweeps.rates import Rates

COLUMNS = ("ranks", "batch", "GPU-hours", "core-hours", "their range", "duration")


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What is to be trained of a sweep and its cost; None where no throughput was ever measured.

    `shared_samples`: what is trained once instead of once for each run that needs it. `obstacle`: why
    a launch would be refused now, empty if it would not.
    """

    sweep: str
    statuses: list[RunStatus]
    num_segments: int
    estimates: dict[str, Estimate | None]
    shared_samples: int
    obstacle: str

    def total(self, field: str) -> float | None:
        """Return the sum of a field of all estimates; None if one of them is missing."""
        known = [e for e in self.estimates.values() if e is not None]
        if len(known) < len(self.estimates):
            return None
        return float(sum(getattr(e, field) for e in known))


def make_preview(
    expansion: Expansion,
    statuses: list[RunStatus],
    trained: Mapping[str, int],
    cluster: ClusterConfig,
    rates: Rates,
    *,
    obstacle: str = "",
) -> Preview:
    """Return what is left of a sweep and its cost.

    Args:
        expansion: the sweep.
        statuses: of its runs, in its order.
        trained: samples up to which each segment is trained already.
        cluster: where it would run.
        rates: measured throughput.
        obstacle: why a launch would be refused.
    """
    layouts = {key: run.config.resources for key, run in owners_of(expansion).items()}
    left = {
        key: segment for key, segment in expansion.segments.items() if trained.get(key, 0) < segment.end
    }
    return Preview(
        sweep=expansion.sweep,
        statuses=statuses,
        num_segments=len(expansion.segments),
        estimates=_estimates(left, layouts, cluster, rates, trained),
        shared_samples=_shared(expansion),
        obstacle=obstacle,
    )


def plan_json(preview: Preview) -> dict[str, Any]:
    """Return the preview as plain data."""
    return {
        "sweep": preview.sweep,
        "runs": [run_json(status) for status in preview.statuses],
        "num_segments": preview.num_segments,
        "num_segments_left": len(preview.estimates),
        "gpu_hours": preview.total("gpu_hours"),
        "core_hours": preview.total("core_hours"),
        "shared_samples": preview.shared_samples,
        "obstacle": preview.obstacle or None,
    }


def plan_text(preview: Preview, *, is_terminal: bool) -> str:
    """Return the preview as a table of runs and a line of totals."""
    axes = axes_of(preview.statuses)
    rows = [
        [*(status.run.labels.get(axis, "") for axis in axes), *_row(preview, status)]
        for status in preview.statuses
    ]
    colour_of = state_colour if is_terminal else None
    shown = table([*axes, "state", *COLUMNS], rows, right=len(COLUMNS), colour_of=colour_of)
    refusal = f"\na launch would be refused: {preview.obstacle}" if preview.obstacle else ""
    return f"{shown}\n{_totals(preview)}{refusal}"


def _estimates(
    left: Mapping[str, Segment],
    layouts: Mapping[str, ResourceConfig],
    cluster: ClusterConfig,
    rates: Rates,
    trained: Mapping[str, int],
) -> dict[str, Estimate | None]:
    return {
        key: estimate(segment, layouts[key], cluster, rates, done=trained.get(key, 0))
        for key, segment in left.items()
    }


def _shared(expansion: Expansion) -> int:
    alone = sum(run.samples_seen for run in expansion.runs)
    together = sum(segment.end - segment.start for segment in expansion.segments.values())
    return alone - together


def _row(preview: Preview, status: RunStatus) -> list[str]:
    run = status.run
    left = [preview.estimates[key] for key in run.segments if key in preview.estimates]
    known = [e for e in left if e is not None]
    fixed = [
        status.state.value,
        f"{run.config.resources.num_ranks:,}",
        f"{run.config.global_batch_size:,}",
    ]
    if len(known) < len(left):
        return [*fixed, "unknown", "unknown", "", "unknown"]
    low = sum(e.core_hours * e.low_factor for e in known)
    high = sum(e.core_hours * e.high_factor for e in known)
    return [
        *fixed,
        _number(sum(e.gpu_hours for e in known)),
        _number(sum(e.core_hours for e in known)),
        f"{_number(low)} to {_number(high)}" if low < high else "",
        _duration(sum(e.wall_hours for e in known)),
    ]


def _totals(preview: Preview) -> str:
    to_do = sum(status.state not in (State.done, State.trained) for status in preview.statuses)
    gpu, core = preview.total("gpu_hours"), preview.total("core_hours")
    lines = [
        f"{preview.sweep}: {plural(len(preview.statuses), 'run')} "
        f"in {plural(preview.num_segments, 'segment')}; {plural(to_do, 'run')} "
        f"and {plural(len(preview.estimates), 'segment')} to train"
    ]
    if preview.shared_samples:
        lines.append(f"sharing saves {preview.shared_samples:,} samples of training")
    if gpu is None or core is None:
        lines.append("cost unknown: conf/rates.yaml has no measurement of some model on this cluster")
    else:
        lines.append(
            f"{gpu:,.0f} GPU-hours, {_number(core)} core-hours (measured rates, their range beside)"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _duration(hours: float) -> str:
    """Return a duration in the unit that suits it."""
    for unit, size in (("d", 24.0), ("h", 1.0), ("min", 1 / 60)):
        if hours >= 2 * size:
            return f"{hours / size:.1f} {unit}"
    return f"{hours * 3600:.0f} s"
