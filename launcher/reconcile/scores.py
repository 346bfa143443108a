"""Which checkpoints are handed over to be scored, and after which training. Pure, as `plan` is.

Where jobs can wait for each other, each submission of trainings brings a submission of scorers that
starts when it is over and scores what is there by then, so scoring needs nobody at the login node. A
pass hands over what such scorers do not: what is there already and fills a work item, what no scorer
waits for any more, and what would have to wait for longer trainings beside it.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conf.schema import ResourceConfig
from launcher.reconcile.liveness import scores_in_hand
from launcher.reconcile.observe import Observed
from launcher.reconcile.state import State, given_up, unscored
from launcher.records.ledger import SubmissionRecord, SubmissionState
from sweeps.work.items import CheckpointEvals, ScoreItem

OVER = {State.done, State.held}
"""States of a segment that will have no further checkpoints for now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """What is to be scored, and how.

    `wanted`: of checkpoints that exist. `foreseen`: by segment, of all checkpoints that it will have;
    nothing where jobs cannot wait for each other. `datasets`: folder of each test set. `per_item`:
    checkpoints of one work item. `pack`: work items that share a job. `most_jobs`: of one submission.
    """

    wanted: Sequence[CheckpointEvals]
    foreseen: Callable[[str], Sequence[CheckpointEvals]]
    datasets: Mapping[str, str]
    resources: ResourceConfig
    per_item: int
    pack: int
    most_jobs: int

    def items(
        self, tasks: Sequence[CheckpointEvals], *, at_most: int | None = None
    ) -> tuple[ScoreItem, ...]:
        """Return work items that score some checkpoints, each about as many as the others.

        A job that several can share is shared, though fewer might do.
        """
        if not tasks:
            return ()
        num_items = max(math.ceil(len(tasks) / self.per_item), min(len(tasks), self.pack))
        size = math.ceil(len(tasks) / min(num_items, at_most or num_items))
        return tuple(self._item(tasks[first : first + size]) for first in range(0, len(tasks), size))

    def after(
        self, segments: Collection[str], observed: Observed, cancelled: Collection[str]
    ) -> tuple[ScoreItem, ...]:
        """Return work items for all that trainings of some segments will leave to be scored."""
        kept = [key for key in segments if key not in cancelled]
        foreseen = [task for key in kept for task in self.foreseen(key)]
        wanted = [t for t in unscored(foreseen, observed) if t.checkpoint not in cancelled]
        return self.items(wanted, at_most=self.most_jobs * self.pack)

    def _item(self, tasks: Sequence[CheckpointEvals]) -> ScoreItem:
        names = {spec.dataset for task in tasks for spec in task.evals}
        return ScoreItem(
            checkpoints=tuple(tasks),
            datasets={name: self.datasets[name] for name in sorted(names)},
            resources=self.resources,
        )


def trainings_without_scorers(observed: Observed, over: Collection[str]) -> Iterator[SubmissionRecord]:
    """Yield the submissions of trainings in the queue for which no scorers were handed over."""
    listed = {job.name for job in observed.queue.jobs} if observed.queue else set()
    records = observed.history.submissions
    followed = {record.after for record in records.values() if _is_handed_over(record, over)}
    for record in records.values():
        is_training = record.where == observed.where and not record.checkpoints
        if record.id in listed and is_training and record.id not in followed:
            yield record


def pending(
    scoring: Scoring,
    observed: Observed,
    states: Mapping[str, tuple[State, str]],
    *,
    most_failures: int,
    over: Collection[str],
    cancelled: Collection[str],
) -> list[CheckpointEvals]:
    """Return the checkpoints that are to be scored now.

    A segment's checkpoints wait until it is over, so that a job scores many; unless there are enough to
    fill a work item already. Then the scorers that come after it start. Where those wait for others
    that still train, its checkpoints are scored before, one lot after the other.
    """
    ended = {key for key, (state, _) in states.items() if state in {*OVER, State.cancelled}}
    in_hand = scores_in_hand(observed, over, ended)
    lacking = unscored(scoring.wanted, observed)
    hopeless = given_up(lacking, observed, most_failures)
    found = [
        task
        for task in lacking
        if task.checkpoint not in in_hand.now
        and task.checkpoint not in cancelled
        and task.segment not in cancelled
        and task.checkpoint not in hopeless
        and states[task.segment][0] is not State.cancelled
    ]
    if len(found) >= scoring.per_item:
        return found
    is_busy = any(task.checkpoint in in_hand.now for task in lacking)
    left_to_others = in_hand.soon | in_hand.late if is_busy else in_hand.soon
    return [
        task
        for task in found
        if task.checkpoint not in left_to_others and states[task.segment][0] in OVER
    ]


def _is_handed_over(record: SubmissionRecord, over: Collection[str]) -> bool:
    is_open = record.state is SubmissionState.unresolved and record.id not in over
    return record.was_accepted or is_open
