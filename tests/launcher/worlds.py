"""Observed worlds for tests of pure planning."""

from collections.abc import Iterable
from typing import Any

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig, ResourceConfig, RunConfig
from launcher.machines.queue import Ended, Job, Queue
from launcher.reconcile.actions import Action, Submit
from launcher.reconcile.observe import Observed, SegmentEvidence
from launcher.reconcile.plan import Work, plan
from launcher.reconcile.scores import Scoring
from launcher.records.ledger import Act, History, Line
from sweeps.costs.layout import items_per_job
from sweeps.runs.expansion import Expansion
from sweeps.runs.sources import SourceFiles
from sweeps.work.items import CheckpointEvals, TrainItem
from sweeps.work.lease import Attempt, Holder, Lease
from sweeps.work.outcome import Outcome
from tests.configs import EVAL, expansion_of, run_config

SHARED = ClusterConfig(name="shared", kind=ClusterKind.slurm)
HERE = "slurm@here"
POLICY = PolicyConfig(client_timeout_s=60.0, settle_s=30.0, fruitless_attempts=3, scores_per_item=2)
HOLDER = Holder(
    where=HERE, submission="s", index=0, job_id="1", restart=0, host="n1", pid=1, pid_start=1
)


def runs(count: int = 2) -> Expansion:
    """Return a sweep of independent runs."""
    return expansion_of(*(run_config(seed=seed) for seed in range(count)))


TWO = runs(2)
A, B = TWO.segments
"""The sweep that most tests look at, and its segments."""

DONE = SegmentEvidence(is_done=True, milestones=frozenset({640}))
"""One of them that is trained."""


def work(
    expansion: Expansion,
    wanted: Iterable[CheckpointEvals] = (),
    *,
    has_scorers: bool = False,
    cluster: ClusterConfig = SHARED,
) -> Work:
    """Return all that a sweep is made of; with scorers, its trainings bring them."""
    foreseen = {k: asked_of(k, *s.milestones) for k, s in expansion.segments.items() if has_scorers}
    configs: dict[str, RunConfig] = {key: r.config for r in expansion.runs for key in r.segments}
    return Work(
        segments=expansion.segments,
        train=[
            TrainItem(
                segment=segment,
                sources=(SourceFiles(name="D", shards="/d.tar"),),
                resources=configs[key].resources,
                save_every_s=600.0,
            )
            for key, segment in expansion.segments.items()
        ],
        scoring=Scoring(
            wanted=list(wanted),
            foreseen=lambda key: foreseen.get(key, []),
            datasets={"shapes": "/shapes"},
            resources=ResourceConfig(),
            per_item=POLICY.scores_per_item,
            pack=items_per_job(ResourceConfig(), cluster),
            most_jobs=100,
        ),
        cluster=cluster,
    )


def asked_of(segment: str, *samples: int) -> list[CheckpointEvals]:
    """Return what a suite asks for of a segment's checkpoints."""
    return [CheckpointEvals(segment=segment, samples_seen=n, evals=EVAL.evals) for n in samples]


def history(*lines: dict[str, Any]) -> History:
    """Return the history that ledger lines make."""
    known = History()
    for number, line in enumerate(lines):
        known.note(Line(**{"time": float(number), **line}))
    return known


def submitting(name: str, *items: str, where: str = HERE, at: float = 0.0) -> dict[str, Any]:
    """Return the line written before sbatch."""
    return {"act": Act.submitting, "submission": name, "items": items, "where": where, "time": at}


def submitted(name: str, job_id: str = "1") -> dict[str, Any]:
    """Return the line written after sbatch."""
    return {"act": Act.submitted, "submission": name, "job_id": job_id}


def job(name: str, *indices: int, is_running: bool = True, job_id: str = "1") -> Job:
    """Return a line of the queue; without indices it is no array."""
    return Job(job_id=job_id, name=name, indices=frozenset(indices) or None, is_running=is_running)


def ended(name: str, *indices: int, outcome: Outcome | None = Outcome.cancelled) -> Ended:
    """Return what the queue tells for a while of a job, or tasks of an array."""
    return Ended(
        job_id="1",
        name=name,
        indices=frozenset(indices) or None,
        outcome=outcome,
        at=5.0,
        reason="SAID",
    )


def lease(*outcomes: Outcome | None, samples: int = 64) -> Lease:
    """Return a lease whose attempts ended so, each as far as the others."""
    attempts = [
        Attempt(
            number=number,
            holder=HOLDER,
            started_at=float(number),
            beat_at=number + 0.5,
            samples=samples,
            num_cores=1,
            num_gpus=0,
            outcome=outcome,
            reason="" if outcome is None else f"said {outcome.value}",
        )
        for number, outcome in enumerate(outcomes, start=1)
    ]
    return Lease(attempt=attempts[-1], history=tuple(attempts[:-1]))


def observed(
    expansion: Expansion,
    *jobs: Job,
    evidence: dict[str, SegmentEvidence] | None = None,
    known: History | None = None,
    asked_at: float | None = 1000.0,
    **more: Any,
) -> Observed:
    """Return a world in which the queue holds `jobs`; `asked_at` None: it could not be asked.

    `ended`: jobs of which it still tells the end.
    """
    ended = more.pop("ended", ())
    queue = None if asked_at is None else Queue(asked_at=asked_at, jobs=jobs, ended=ended)
    nothing = {key: SegmentEvidence() for key in expansion.segments}
    return Observed(
        where=HERE if queue else "",
        history=known or History(),
        queue=queue,
        segments={**nothing, **(evidence or {})},
        scored=more.pop("scored", frozenset()),
        **more,
    )


def planned(the_work: Work, world: Observed, max_array_size: int = 100) -> list[Action]:
    """Return what is to be done."""
    return plan(the_work, world, POLICY, max_array_size)


def keys_of(actions: Iterable[Action]) -> list[list[str]]:
    """Return the work items of each submission in a plan."""
    return [[item.key for item in a.items] for a in actions if isinstance(a, Submit)]
