"""What a sweep may still be charged: its cap, less what it was charged, less what is under way. Pure.

What is under way counts with what it has used and with the estimate of its rest: by the rates that
were measured, or, where none was, by what one job may use until its time limit. What was handed over
under another sweep's name is that sweep's, though segments may be shared.
"""

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from conf.schema import BudgetConfig, ClusterConfig, ResourceConfig
from launcher.reconcile.liveness import live_items
from launcher.reconcile.observe import NOTHING_KNOWN, Observed
from launcher.records.ledger import History, SubmissionRecord, SubmissionState
from sweeps.costs.cost import NO_HOURS, Estimate, Hours, estimate, most_hours
from sweeps.costs.rates import Rates
from sweeps.runs.expansion import Segment
from sweeps.work.items import ScoreItem, TrainItem
from sweeps.work.lease import Lease, charged_by

NO_CAP = BudgetConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What a whole sweep's trainings cost: segments and their layouts, where they run, how fast."""

    sweep: str
    budget: BudgetConfig
    cluster: ClusterConfig
    segments: Mapping[str, Segment]
    layouts: Mapping[str, ResourceConfig]
    rates: Rates

    def estimate(self, key: str, done: int = 0) -> Estimate | None:
        """Return what is expected of the rest of a training; None where nothing was measured."""
        return estimate(self.segments[key], self.layouts[key], self.cluster, self.rates, done=done)

    def taken_for(self, key: str, done: int = 0) -> Hours:
        """Return what the rest of a training is taken to be charged, measured or not."""
        expected = self.estimate(key, done)
        return expected.hours if expected else most_hours(self.layouts[key], self.cluster)


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A sweep's charges. `committed`: what is queued or running is yet to be charged, as estimated."""

    budget: BudgetConfig
    spent: Hours = NO_HOURS
    committed: Hours = NO_HOURS

    @property
    def is_used_up(self) -> bool:
        """Whether the charges have reached a cap."""
        return any(used >= cap for _, cap, used in _caps(self.budget, self.spent))

    def exceeded_by(self, more: Hours) -> str:
        """Return the cap that so many more hours would exceed, as the user set it, or nothing."""
        caps = _caps(self.budget, self.spent + self.committed + more)
        return next((f"budget.{name}={cap:g}" for name, cap, used in caps if used > cap), "")


def account_of(
    costs: Costs,
    observed: Observed,
    over: Container[str] = (),
    leases: Mapping[str, Lease] = MappingProxyType({}),
) -> Account:
    """Return how a sweep's account stands.

    Args:
        costs: of the sweep.
        observed: what is.
        over: submissions that have just been found to be over.
        leases: of work items that have finished, or that score, by key. Without its lease such an
            item counts as estimated, until the ledger has its charge.
    """
    known = _Known(
        costs=costs,
        observed=observed,
        leases=leases,
        live=live_items(observed, over),
        score_price=_score_price(observed.history),
    )
    spent = committed = NO_HOURS
    for record in observed.history.submissions.values():
        if record.sweep != costs.sweep:
            continue
        spent = sum(record.charged.values(), start=spent)
        for index in open_items(record):
            used, rest = known.under_way(record, index)
            spent, committed = spent + used, committed + rest
    return Account(budget=costs.budget, spent=spent, committed=committed)


def open_items(record: SubmissionRecord) -> list[int]:
    """Return the items, by index, whose charges the ledger does not have yet."""
    if record.state is SubmissionState.over:
        return []
    return [index for index in range(len(record.items)) if index not in record.charged]


class Purse:
    """What the budget leaves while items are being chosen; without a budget, everything."""

    def __init__(self, costs: Costs | None, observed: Observed, over: Collection[str]) -> None:
        self._costs = costs if costs and costs.budget != NO_CAP else None
        self._observed = observed
        self._score_price = _score_price(observed.history) if self._costs else NO_HOURS
        self._account = account_of(self._costs, observed, over) if self._costs else None

    def admits(self, item: TrainItem | ScoreItem) -> bool:
        """Return whether an item may be handed over: scoring may until the budget is used up."""
        if self._account is None:
            return True
        if isinstance(item, ScoreItem):
            return not self._account.is_used_up
        return not self._account.exceeded_by(self._price(item))

    def pay(self, item: TrainItem | ScoreItem) -> None:
        """Commit what an item will be charged."""
        if self._account is not None:
            committed = self._account.committed + self._price(item)
            self._account = replace(self._account, committed=committed)

    def _price(self, item: TrainItem | ScoreItem) -> Hours:
        if isinstance(item, ScoreItem):
            return self._score_price * len(item.checkpoints)
        assert self._costs is not None
        return self._costs.taken_for(item.key, self._observed.segments[item.key].samples)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What the charges of items follow from that are not in the ledger yet."""

    costs: Costs
    observed: Observed
    leases: Mapping[str, Lease]
    live: Container[str]
    score_price: Hours

    def under_way(self, record: SubmissionRecord, index: int) -> tuple[Hours, Hours]:
        """Return what an item has used, and what it is yet to use."""
        if record.checkpoints:
            return self._scoring(record, index)
        key = record.items[index]
        if key not in self.costs.segments:
            return NO_HOURS, NO_HOURS
        evidence = self.observed.segments.get(key, NOTHING_KNOWN)
        if evidence.is_done:
            lease = self.leases.get(key)
            return charged_by(record.id, lease) if lease else self.costs.taken_for(key), NO_HOURS
        used = charged_by(record.id, evidence.lease)
        return used, self.costs.taken_for(key, evidence.samples) if key in self.live else NO_HOURS

    def _scoring(self, record: SubmissionRecord, index: int) -> tuple[Hours, Hours]:
        checkpoints, lease = record.checkpoints[index], self.leases.get(record.items[index])
        if lease:
            return charged_by(record.id, lease), NO_HOURS
        is_live = any(checkpoint in self.live for checkpoint in checkpoints)
        return NO_HOURS, self.score_price * (len(checkpoints) if is_live else 0)


def _score_price(history: History) -> Hours:
    """Return what scoring a checkpoint was charged so far, on average."""
    charged, checkpoints = NO_HOURS, 0
    for record in history.submissions.values():
        for index, hours in record.charged.items() if record.checkpoints else ():
            charged += hours
            checkpoints += len(record.checkpoints[index])
    return charged * (1 / checkpoints) if checkpoints else NO_HOURS


def _caps(budget: BudgetConfig, hours: Hours) -> Iterator[tuple[str, float, float]]:
    """Yield name, value and use of each cap that is set."""
    if budget.gpu_hours is not None:
        yield "gpu_hours", budget.gpu_hours, hours.gpu
    if budget.core_hours is not None:
        yield "core_hours", budget.core_hours, hours.core
