"""A sweep as it stands: the state of its runs, what they cost, and what its budget holds up."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from launcher.reconcile.account import NO_CAP, Account, Costs, account_of, open_items
from launcher.reconcile.liveness import live_items
from launcher.reconcile.observe import Observed, observe_files
from launcher.reconcile.state import RunStatus, State, unscored
from launcher.reconcile.sweep import Sweep, observe_now, statuses_of, wanted_now
from launcher.records.ledger import History, read_history, segment_of
from sweeps.costs.cost import Estimate, setting_of
from sweeps.costs.rates import Rate, Rates, published_rates
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import owners_of
from sweeps.work import lease
from sweeps.work.items import CheckpointEvals
from sweeps.work.lease import Lease

MEASURED_S = 300.0
"""An attempt that is running tells its speed once it has lasted so long: starting takes time too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is known of a sweep. Only the statuses are of the selected runs alone.

    `num_unscored`: checkpoints that are there and lack a score.
    """

    statuses: list[RunStatus]
    observed: Observed
    costs: Costs
    account: Account
    num_unscored: int


def current_standing(sweep: Sweep) -> Standing:
    """Return how a sweep stands now; nothing is written."""
    return _standing(sweep, observe_now(sweep))


def standing_by_files(sweep: Sweep) -> Standing:
    """Return how a sweep stands by its files alone, the queue being unknown; nothing is written."""
    segments, history = sweep.expansion.segments.values(), read_history(sweep.root.ledger)
    return _standing(sweep, observe_files(sweep.root, segments, history))


def standing_of(
    sweep: Sweep, observed: Observed, wanted: Sequence[CheckpointEvals], costs: Costs
) -> Standing:
    """Return how a sweep stands, given what was observed and which scores are wanted."""
    statuses = statuses_of(sweep, observed, wanted)
    account = account_of(costs, observed)
    standing = Standing(
        statuses=statuses,
        observed=observed,
        costs=costs,
        account=account,
        num_unscored=len(unscored(wanted, observed)),
    )
    scored_now = {segment_of(key) for key in live_items(observed) if "@" in key}
    reasons = (_held_up(status, standing, scored_now) for status in statuses)
    explained = [
        replace(status, reason=reason) if reason else status
        for status, reason in zip(statuses, reasons, strict=True)
    ]
    return replace(standing, statuses=explained)


def with_exact_charges(standing: Standing, root: Root) -> Standing:
    """Return the same with what has ended charged by its lease, though the ledger lacks it yet."""
    costs, observed = standing.costs, standing.observed
    leases = dict(_open_leases(costs.sweep, observed.history, root))
    return replace(standing, account=account_of(costs, observed, leases=leases))


def estimates_left(standing: Standing) -> dict[str, Estimate | None]:
    """Return what the rest of each unfinished segment costs; None where nothing was measured."""
    return {
        key: standing.costs.estimate(key, evidence.samples)
        for key, evidence in standing.observed.segments.items()
        if not evidence.is_done
    }


def costs_of(sweep: Sweep) -> Costs:
    """Return what a whole sweep's trainings cost, though only a part of it may be selected."""
    expansions = [sweep.expansion]
    if sweep.launch.budget != NO_CAP and (known := frozen.load(sweep.root, sweep.name)):
        expansions.insert(0, known.expansion)
    owners = {key: run for known in expansions for key, run in owners_of(known).items()}
    return Costs(
        sweep=sweep.name,
        budget=sweep.launch.budget,
        cluster=sweep.launch.cluster,
        segments={key: segment for known in expansions for key, segment in known.segments.items()},
        layouts={key: run.config.resources for key, run in owners.items()},
        rates=Rates(published_rates()),
    )


def as_measured(costs: Costs, observed: Observed) -> Costs:
    """Return the same by the speeds that this root's own trainings showed, and the published ones."""
    own = [*observed.history.rates.values(), *_running_rates(costs, observed)]
    return replace(costs, rates=Rates(published_rates(), own))


def _standing(sweep: Sweep, observed: Observed) -> Standing:
    costs = as_measured(costs_of(sweep), observed)
    standing = standing_of(sweep, observed, wanted_now(sweep, observed), costs)
    return with_exact_charges(standing, sweep.root)


def _running_rates(costs: Costs, observed: Observed) -> Iterator[Rate]:
    """Yield the speeds of attempts that have lasted a while, on the cluster that was asked."""
    for key, evidence in observed.segments.items():
        held = evidence.lease
        if held is None or held.attempt.holder.where != observed.where:
            continue
        begun = held.history[-1].samples if held.history else costs.segments[key].start
        seconds = held.attempt.beat_at - held.attempt.started_at
        if seconds >= MEASURED_S and held.attempt.samples > begun:
            of = setting_of(costs.segments[key], costs.layouts[key], costs.cluster)
            yield Rate(of=of, samples_per_s=(held.attempt.samples - begun) / seconds)


def _held_up(status: RunStatus, standing: Standing, scored_now: Container[str]) -> str:
    """Return why the budget lets a run wait, or nothing; `scored_now`: segments in scorers' hands."""
    costs, account, segments = standing.costs, standing.account, standing.observed.segments
    if costs.budget == NO_CAP:
        return ""
    if status.state is State.trained:
        is_stuck = account.is_used_up and not any(key in scored_now for key in status.run.segments)
        return "the budget is used up, so it is not scored" if is_stuck else ""
    if status.state is not State.waiting:
        return ""
    key = next(key for key in status.run.segments if not segments[key].is_done)
    cap = account.exceeded_by(costs.taken_for(key, segments[key].samples))
    return f"{cap} leaves no room for it" if cap else ""


def _open_leases(sweep: str, history: History, root: Root) -> Iterator[tuple[str, Lease]]:
    """Yield the leases of a sweep's items whose charges the ledger lacks, by key."""
    for record in history.submissions.values():
        for index in open_items(record) if record.sweep == sweep else ():
            folder = root.submission(record.id) / f"{index}"
            held = lease.newest(folder if record.checkpoints else root.segment(record.items[index]))
            if held is not None:
                yield record.items[index], held
