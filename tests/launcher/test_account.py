"""What a sweep may still be charged, and what is handed over under it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import BudgetConfig, ClusterConfig, ClusterKind, ResourceConfig
from launcher.reconcile.account import Account, Costs, account_of
from launcher.reconcile.actions import Submit
from launcher.reconcile.observe import SegmentEvidence
from launcher.records.ledger import Act
from sweeps.costs.cost import NO_HOURS, Hours
from sweeps.costs.rates import Rate, Rates, Setting
from sweeps.runs.expansion import Expansion
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome
from tests.configs import expansion_of, run_config
from tests.launcher.worlds import (
    DONE,
    TWO,
    A,
    B,
    asked_of,
    history,
    job,
    lease,
    observed,
    planned,
    submitted,
    submitting,
    work,
)

CLUSTER = ClusterConfig(name="c", kind=ClusterKind.slurm, time_min=600)
MEASURED = Rate(
    of=Setting(model="M", data="D", gpu=None, batch_per_rank=64, num_ranks=1),
    samples_per_s=640 / 3600,
)
"""640 samples, which is what a run has, take a core for an hour."""


def costs(expansion: Expansion = TWO, *rates: Rate, **budget: float) -> Costs:
    return Costs(
        sweep="test",
        budget=BudgetConfig(**budget),
        cluster=CLUSTER,
        segments=expansion.segments,
        layouts=dict.fromkeys(expansion.segments, ResourceConfig()),
        rates=Rates(rates),
    )


def handed_over(name: str, *items: str, sweep: str = "test") -> list[dict[str, Any]]:
    return [{**submitting(name, *items), "sweep": sweep}, submitted(name)]


def half_way(*outcomes: Outcome | None) -> SegmentEvidence:
    """Return a segment at 320 samples; each of its attempts took a quarter of an hour."""
    known = lease(*outcomes, samples=320)
    first, *rest = (replace(a, beat_at=a.started_at + 900.0) for a in reversed(known.attempts))
    return SegmentEvidence(lease=Lease(attempt=first, history=tuple(reversed(rest))))


ENDED = {"act": Act.ended, "submission": "s", "hours": (Hours(core=2), Hours(core=1, gpu=1))}
LEFT = {"act": Act.left, "submission": "s", "indices": (0,), "hours": (Hours(core=2),)}


@pytest.mark.parametrize(
    ("lines", "evidence", "listed", "spent", "committed"),
    [
        ([], {}, [], Hours(), Hours()),
        (handed_over("s", A, B), {}, [0, 1], Hours(), Hours(core=2)),
        (handed_over("s", A, B, sweep="other"), {}, [0, 1], Hours(), Hours()),
        (handed_over("s", A, "gone"), {}, [0, 1], Hours(), Hours(core=1)),
        ([handed_over("s", A, B)[0]], {}, [], Hours(), Hours(core=2)),
        ([*handed_over("s", A, B), ENDED], {}, [], Hours(core=3, gpu=1), Hours()),
        ([*handed_over("s", A, B), LEFT], {}, [1], Hours(core=2), Hours(core=1)),
        (handed_over("s", A), {A: half_way(None)}, [0], Hours(core=0.25), Hours(core=0.5)),
        (
            handed_over("s", A),
            {A: half_way(Outcome.crashed, None)},
            [0],
            Hours(core=0.5),
            Hours(core=0.5),
        ),
        (handed_over("s", A, B), {A: half_way(Outcome.crashed)}, [1], Hours(core=0.25), Hours(core=1)),
        (handed_over("s", A, B), {A: DONE}, [1], Hours(core=1), Hours(core=1)),
    ],
    ids=[
        "nothing",
        "queued",
        "of another sweep",
        "of a cell that was removed",
        "whether it became a job is unknown",
        "over",
        "one has left the queue",
        "running, half way",
        "running, for the second time",
        "crashed and not noted yet",
        "done and not noted yet",
    ],
)
def test_the_account_of_a_sweep(
    lines: list[dict[str, Any]],
    evidence: dict[str, SegmentEvidence],
    listed: list[int],
    spent: Hours,
    committed: Hours,
) -> None:
    jobs = [job("s", *listed)] if listed else []
    world = observed(TWO, *jobs, evidence=evidence, known=history(*lines))
    assert account_of(costs(TWO, MEASURED), world) == Account(
        budget=BudgetConfig(), spent=spent, committed=committed
    )


def test_a_lease_tells_the_exact_charge_of_what_is_done_or_scores() -> None:
    scoring = {**submitting("t", "score-x"), "sweep": "test", "checkpoints": ((f"{A}@640",),)}
    world = observed(TWO, evidence={A: DONE}, known=history(*handed_over("s", A), scoring))
    held = half_way(Outcome.done).lease
    assert held is not None
    its_own = replace(held.attempt, holder=replace(held.attempt.holder, submission="t"))
    leases = {A: held, "score-x": Lease(attempt=its_own)}
    assert account_of(costs(TWO, MEASURED), world, leases=leases).spent == Hours(core=0.5)


@pytest.mark.parametrize(
    ("rates", "budget", "expected"),
    [
        ([MEASURED], {}, [[A, B]]),
        ([MEASURED], {"core_hours": 2}, [[A, B]]),
        ([MEASURED], {"core_hours": 1.9}, [[A]]),
        ([MEASURED], {"core_hours": 0.9}, []),
        ([MEASURED], {"gpu_hours": 0}, [[A, B]]),
        ([], {"core_hours": 20}, [[A, B]]),
        ([], {"core_hours": 19}, [[A]]),
    ],
    ids=["no cap", "both fit", "one fits", "none fits", "no GPU", "a whole job each", "one job"],
)
def test_what_fits_in_the_budget_is_handed_over(
    rates: list[Rate], budget: dict[str, float], expected: list[list[str]]
) -> None:
    the_work = replace(work(TWO), costs=costs(TWO, *rates, **budget))
    submits = [a for a in planned(the_work, observed(TWO)) if isinstance(a, Submit)]
    assert [[item.key for item in submit.items] for submit in submits] == expected


MANY = expansion_of(*(run_config(seed=n, samples_seen=640 * (n + 1)) for n in range(5)))
FATES = ("is missing", "waits", "runs", "is over", "is done")


@given(
    cap=st.floats(0, 20),
    fates=st.lists(st.sampled_from(FATES), min_size=5, max_size=5),
    charge=st.floats(0, 5),
    rates=st.sampled_from([(), (MEASURED,)]),
)
def test_what_is_handed_over_never_exceeds_the_cap_and_nothing_waits_that_fits(
    cap: float, fates: list[str], charge: float, rates: tuple[Rate, ...]
) -> None:
    the_costs = costs(MANY, *rates, core_hours=cap)
    lines, jobs = [], []
    evidence: dict[str, SegmentEvidence] = {}
    for key, fate in zip(MANY.segments, fates, strict=True):
        lines += handed_over(key, key) if fate != "is missing" else []
        jobs += [job(key)] if fate in ("waits", "runs") else []
        evidence |= {key: half_way(None)} if fate == "runs" else {}
        evidence |= {key: DONE} if fate == "is done" else {}
        ended = {"act": Act.ended, "submission": key, "hours": (Hours(core=charge),)}
        lines += [ended] if fate in ("is over", "is done") else []
    world = observed(MANY, *jobs, evidence=evidence, known=history(*lines))
    before = account_of(the_costs, world)
    actions = planned(replace(work(MANY), costs=the_costs), world)
    new = [item.key for action in actions if isinstance(action, Submit) for item in action.items]
    lines += handed_over("new", *new)
    world = observed(
        MANY, *jobs, job("new", *range(len(new))), evidence=evidence, known=history(*lines)
    )
    after = account_of(the_costs, world)
    assert (after.spent + after.committed).core <= max(cap, (before.spent + before.committed).core)
    left = {
        k for k, fate in zip(MANY.segments, fates, strict=True) if fate in ("is missing", "is over")
    }
    assert all(after.exceeded_by(the_costs.taken_for(key)) for key in left - set(new))


def test_what_runs_and_what_was_spent_leave_less() -> None:
    lines = [*handed_over("s", A), *handed_over("t", "old"), {**LEFT, "submission": "t"}]
    world = observed(TWO, job("s", 0), evidence={A: half_way(None)}, known=history(*lines))
    submits = {
        cap: planned(replace(work(TWO), costs=costs(TWO, MEASURED, core_hours=cap)), world)
        for cap in (3.7, 3.8)
    }
    assert not any(isinstance(action, Submit) for action in submits[3.7])
    assert any(isinstance(action, Submit) for action in submits[3.8])


def test_a_crashed_training_may_go_on_in_the_pass_that_sees_its_end() -> None:
    crashed = observed(TWO, evidence={A: half_way(Outcome.crashed), B: DONE})
    crashed = replace(crashed, history=history(*handed_over("s", A)))
    the_work = replace(work(TWO), costs=costs(TWO, MEASURED, core_hours=0.75))
    (submit,) = [a for a in planned(the_work, crashed) if isinstance(a, Submit)]
    assert submit.items == (the_work.train[0],)


@pytest.mark.parametrize(("cap", "is_scored"), [(3.5, True), (3, False)])
def test_scoring_goes_on_until_the_budget_is_used_up(cap: float, is_scored: bool) -> None:
    known = history(*handed_over("s", A, B), ENDED)
    world = observed(TWO, evidence={A: DONE, B: DONE}, known=known)
    the_work = replace(work(TWO, asked_of(A, 640)), costs=costs(TWO, MEASURED, core_hours=cap))
    assert bool(planned(the_work, world)) is is_scored


def test_scoring_is_committed_by_what_it_has_cost_so_far() -> None:
    score = {**submitting("s", "score-x"), "sweep": "test", "checkpoints": ((f"{A}@64", f"{A}@128"),)}
    ended = {"act": Act.ended, "submission": "s", "hours": (Hours(core=3),)}
    again = {**submitting("t", "score-y"), "sweep": "test", "checkpoints": ((f"{A}@640",),)}
    known = history(score, submitted("s"), ended, again, submitted("t"))
    account = account_of(costs(TWO, MEASURED), observed(TWO, job("t"), known=known))
    assert (account.spent, account.committed) == (Hours(core=3), Hours(core=1.5))


def test_a_cap_is_named_as_the_user_set_it() -> None:
    account = Account(budget=BudgetConfig(gpu_hours=10, core_hours=100), spent=Hours(core=95, gpu=5))
    assert account.exceeded_by(NO_HOURS) == ""
    assert account.exceeded_by(Hours(core=6)) == "budget.core_hours=100"
    assert account.exceeded_by(Hours(core=6, gpu=6)) == "budget.gpu_hours=10"
