"""What a launch would do and what that would cost, before anything is spent; `plan_text` prints it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from launcher.reconcile.account import Account
from launcher.reconcile.standing import Standing, estimates_left
from launcher.reconcile.state import RunStatus
from launcher.show.account import account_json
from launcher.show.status import run_json
from sweeps.costs.cost import Estimate, Hours, Span, num_jobs, total
from sweeps.costs.storage import Storage, storage_of
from sweeps.runs.expansion import Expansion, Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What an hour of a GPU costs."""

    per_gpu_hour: float
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What is to be trained of a sweep, and its cost; None where no throughput was ever measured.

    `estimates`: of what is left, by segment. `jobs`: how many in a row each of them takes, by what is
    likely and at most. `num_unscored`: checkpoints that are there and lack a score. `shared_samples`,
    `shared`: trained once instead of once for each run that needs it. `all_cores`: that there are to
    share out, where no scheduler does. `obstacle`: why a launch would be refused now, empty if it would
    not.
    """

    sweep: str
    cluster: str
    statuses: list[RunStatus]
    num_segments: int
    num_unscored: int
    estimates: Mapping[str, Estimate | None]
    jobs: Mapping[str, tuple[int, int] | None]
    price: Price | None
    storage: Storage
    shared_samples: int
    shared: Hours | None
    account: Account
    all_cores: int | None
    obstacle: str

    @property
    def gpu_hours(self) -> Span | None:
        """Hours of GPUs that are held, of all that is left."""
        return total(self.estimates.values(), lambda known: known.gpu_hours)

    @property
    def core_hours(self) -> Span | None:
        """Core-hours that are charged, of all that is left."""
        return total(self.estimates.values(), lambda known: known.core_hours)

    @property
    def money(self) -> Span | None:
        """Price of the GPU-hours; None also where there is none."""
        hours = self.gpu_hours
        return hours * self.price.per_gpu_hour if hours and self.price else None

    @property
    def wall_hours(self) -> Span | None:
        """How long the longest run trains: no number of nodes makes the sweep faster."""
        spans = [self.wall_hours_of(status.run) for status in self.statuses]
        known = [span for span in spans if span is not None]
        if not known or len(known) < len(spans):
            return None
        return Span(
            likely=max(span.likely for span in known),
            low=max(span.low for span in known),
            high=max(span.high for span in known),
        )

    @property
    def num_jobs(self) -> tuple[int, int] | None:
        """How many jobs all that is left takes, as is likely and at most."""
        return _sum(self.jobs.values())

    @property
    def longest_chain(self) -> tuple[int, int] | None:
        """How many jobs in a row the longest run takes."""
        chains = [self.num_jobs_of(status.run) for status in self.statuses]
        known = [chain for chain in chains if chain is not None]
        if not known or len(known) < len(chains):
            return None
        return max(likely for likely, _ in known), max(most for _, most in known)

    def left_of(self, run: Run) -> list[Estimate | None]:
        """Return what is left of a run: its segments' estimates, in order."""
        return [self.estimates[key] for key in run.segments if key in self.estimates]

    def wall_hours_of(self, run: Run) -> Span | None:
        """Return how long the rest of a run trains, its segments one after another."""
        return total(self.left_of(run), lambda known: known.wall_hours)

    def num_jobs_of(self, run: Run) -> tuple[int, int] | None:
        """Return how many jobs in a row the rest of a run takes."""
        return _sum(self.jobs[key] for key in run.segments if key in self.estimates)


def make_preview(
    expansion: Expansion, standing: Standing, *, all_cores: int | None = None, obstacle: str = ""
) -> Preview:
    """Return what is left of a sweep and its cost.

    Args:
        expansion: the sweep, or the part of it that is selected.
        standing: how it stands.
        all_cores: that there are to share out, where no scheduler does.
        obstacle: why a launch would be refused.
    """
    costs, estimates = standing.costs, estimates_left(standing)
    price = costs.cluster.price_per_gpu_hour
    return Preview(
        sweep=expansion.sweep,
        cluster=costs.cluster.name,
        statuses=standing.statuses,
        num_segments=len(expansion.segments),
        num_unscored=standing.num_unscored,
        estimates=estimates,
        jobs={key: _jobs(known, standing) for key, known in estimates.items()},
        price=None if price is None else Price(per_gpu_hour=price, currency=costs.cluster.currency),
        storage=storage_of(expansion.segments[key] for key in estimates),
        shared_samples=_shared_samples(expansion),
        shared=_shared(expansion, standing),
        account=standing.account,
        all_cores=all_cores,
        obstacle=obstacle,
    )


def plan_json(preview: Preview) -> dict[str, Any]:
    """Return the preview as plain data: numbers, or null where something was never measured.

    `gpu_hours`, `core_hours`, `price`: of what is left, with `_low` and `_high`, by the range of the
    measured speeds. `wall_hours`: of the longest run. `num_jobs`: of the cluster's time limit;
    `longest_chain`: the most that one run takes in a row; null without a time limit. `storage_bytes`,
    `num_files`: when all is trained; `_peak`: while all is. `shared_…`: what sharing segments saves.
    The rest: `launcher.show.account.account_json`.
    """
    shared, storage, chain = preview.shared, preview.storage, preview.longest_chain
    jobs = preview.num_jobs
    return {
        "sweep": preview.sweep,
        "runs": [run_json(status) for status in preview.statuses],
        "num_segments": preview.num_segments,
        "num_segments_left": len(preview.estimates),
        "num_unscored": preview.num_unscored,
        **_span_json("gpu_hours", preview.gpu_hours),
        **_span_json("core_hours", preview.core_hours),
        **_span_json("price", preview.money),
        "currency": preview.price.currency if preview.price else None,
        **_span_json("wall_hours", preview.wall_hours),
        "num_jobs": jobs[0] if jobs else None,
        "num_jobs_high": jobs[1] if jobs else None,
        "longest_chain": chain[0] if chain else None,
        "longest_chain_high": chain[1] if chain else None,
        "storage_bytes": storage.bytes_end,
        "storage_bytes_peak": storage.bytes_peak,
        "num_files": storage.files_end,
        "num_files_peak": storage.files_peak,
        "shared_samples": preview.shared_samples,
        "shared_gpu_hours": shared.gpu if shared else None,
        "shared_core_hours": shared.core if shared else None,
        **account_json(preview.account, preview.statuses),
        "obstacle": preview.obstacle or None,
    }


def _span_json(name: str, span: Span | None) -> dict[str, float | None]:
    return {
        name: span.likely if span else None,
        f"{name}_low": span.low if span else None,
        f"{name}_high": span.high if span else None,
    }


def _jobs(known: Estimate | None, standing: Standing) -> tuple[int, int] | None:
    if known is None:
        return None
    likely = num_jobs(known.wall_hours, standing.costs.cluster)
    most = num_jobs(known.wall_hours * known.high_factor, standing.costs.cluster)
    return (likely, most) if likely and most else None


def _sum(pairs: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    """Return the sums of pairs, or None where one of them is missing."""
    likely = most = 0
    for pair in pairs:
        if pair is None:
            return None
        likely, most = likely + pair[0], most + pair[1]
    return likely, most


def _shared_samples(expansion: Expansion) -> int:
    alone = sum(run.samples_seen for run in expansion.runs)
    together = sum(segment.end - segment.start for segment in expansion.segments.values())
    return alone - together


def _shared(expansion: Expansion, standing: Standing) -> Hours | None:
    """Return what training shared segments once saves; None where one of them was never measured."""
    uses: dict[str, int] = {}
    for run in expansion.runs:
        for key in run.segments:
            uses[key] = uses.get(key, 0) + 1
    saved = Hours()
    for key, number in uses.items():
        if number > 1:
            known = standing.costs.estimate(key)
            if known is None:
                return None
            saved += known.hours * (number - 1)
    return saved
