"""What is missing, and what to do about it. Pure: no clock, file, environment or process.

| what is known of a work item                                 | action      |
|--------------------------------------------------------------|-------------|
| the queue could not be asked                                 | nothing     |
| cancelled by the user, and alive                             | Cancel      |
| done; held; cancelled; alive or perhaps; its parent not done | nothing     |
| its last jobs ended before an attempt of it began            | nothing: held |
| a training that would exceed the budget                      | nothing     |
| a scoring on its own, and the budget is used up              | nothing     |
| else, where there is room                                    | Submit      |

Trainings are handed over together with the scorers that start when they are over (`scores`), and

| what is known of a submission of trainings                   | action      |
|--------------------------------------------------------------|-------------|
| the queue lists it; no scorers were handed over after it     | Submit them |

| what is known of a checkpoint that has no scores             | action      |
|--------------------------------------------------------------|-------------|
| its scorer runs, or may start; it failed often; cancelled    | nothing     |
| else, and there are enough to fill a work item               | Submit      |
| else, its segment is over, and no scorer waits for that      | Submit      |
| … or one waits for others too, and none of the sweep runs     | Submit      |
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from conf.schema import ClusterConfig, PolicyConfig, ResourceConfig
from launcher.reconcile.account import Costs, Purse
from launcher.reconcile.actions import Action, Cancel, GiveUp, NoteEnded, Submit
from launcher.reconcile.observe import Observed
from launcher.reconcile.scores import Scoring, pending, trainings_without_scorers
from launcher.reconcile.settle import settle
from launcher.reconcile.state import State, segment_states
from launcher.reconcile.told import Told
from launcher.reconcile.unwanted import unwanted_jobs
from sweeps.costs.layout import items_per_job
from sweeps.runs.expansion import Segment
from sweeps.work.items import ScoreItem, TrainItem, WorkItem

ItemT = TypeVar("ItemT", TrainItem, ScoreItem)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """All that a sweep is made of: trainings, the most expensive first, and the scores wanted.

    `segments`: of the trainings, by key. `cluster`: decides how many items share a job. `costs`: what
    trainings cost, and the budget (None: there is none).
    """

    segments: Mapping[str, Segment]
    train: Sequence[TrainItem]
    scoring: Scoring
    cluster: ClusterConfig
    costs: Costs | None = None


def plan(work: Work, observed: Observed, policy: PolicyConfig, max_array_size: int) -> list[Action]:
    """Return what is to be done now.

    Args:
        work: what the sweep is made of.
        observed: what is.
        policy: patience and limits.
        max_array_size: jobs of one submission.
    """
    if observed.queue is None:
        return []
    told = Told(observed)
    settled = list(settle(observed, observed.queue, policy, told))
    cancelled = observed.history.cancelled | told.cancelled
    over = {action.submission for action in settled if isinstance(action, (GiveUp, NoteEnded))}
    unwanted = unwanted_jobs(
        cancelled,
        observed.history,
        observed.queue,
        lambda key: key in observed.segments and observed.segments[key].is_done,
    )
    cancels = [Cancel(unwanted=jobs)] if (jobs := tuple(unwanted)) else []
    states = segment_states(work.segments, observed, policy.fruitless_attempts, told, over)
    ready = _Ready(work, observed, policy, over, cancelled, states)
    submissions = _that_fit(_submissions(ready, max_array_size), observed.room, work.cluster)
    return [*settled, *cancels, *submissions]


class _Room:
    """Cores that are still free; unlimited where the scheduler shares them out."""

    def __init__(self, free: int | None, total: int | None) -> None:
        self._free, self._total = free, total

    def take(self, item: WorkItem) -> bool:
        """Take room for an item if there is some; one larger than the machine has it to itself."""
        if self._free is None:
            return True
        is_empty = self._free == self._total
        if item.resources.num_cores > self._free and not is_empty:
            return False
        self._free -= item.resources.num_cores
        return True


def _submissions(ready: "_Ready", max_array_size: int) -> Iterator[Submit]:
    room = _Room(ready.observed.free_cores, ready.observed.all_cores)
    purse = Purse(ready.work.costs, ready.observed, ready.over)
    train = list(_taken(ready.trainings(), room, purse))
    for group in _by_shape(train):
        for action in ready.submissions(group, max_array_size):
            yield replace(action, scores=ready.scores_after([item.key for item in action.items]))
    yield from ready.late_scorers()
    scores = list(_taken(ready.scorings(), room, purse))
    yield from ready.submissions(scores, max_array_size)


def _that_fit(
    submissions: Iterable[Submit], room: int | None, cluster: ClusterConfig
) -> Iterator[Submit]:
    """Yield submissions until their jobs fill the room there is.

    Scorers that do not fit are handed over when their trainings are over.
    """
    for submit in submissions:
        if room is None:
            yield submit
        elif room > 0:
            fitting = submit.of(submit.items[: room * _per_job(submit.items, cluster)])
            room -= _num_jobs(fitting.items, cluster)
            scores = fitting.scores[: room * _per_job(fitting.scores, cluster)]
            room -= _num_jobs(scores, cluster)
            yield replace(fitting, scores=scores)


def _per_job(items: Sequence[WorkItem], cluster: ClusterConfig) -> int:
    return items_per_job(items[0].resources, cluster) if items else 1


def _num_jobs(items: Sequence[WorkItem], cluster: ClusterConfig) -> int:
    return -(-len(items) // _per_job(items, cluster))


def _taken(items: Iterable[ItemT], room: _Room, purse: Purse) -> Iterator[ItemT]:
    for item in items:
        if purse.admits(item) and room.take(item):
            purse.pay(item)
            yield item


@dataclass(frozen=True, slots=True)
class _Ready:
    """Finds what may be handed over, the submissions in `over` having just ended."""

    work: Work
    observed: Observed
    policy: PolicyConfig
    over: Collection[str]
    cancelled: Collection[str]
    states: Mapping[str, tuple[State, str]]

    def trainings(self) -> list[TrainItem]:
        """Return the trainings that wait for nothing."""
        return [
            item
            for item in self.work.train
            if self.states[item.key][0] is State.waiting
            and (item.segment.parent is None or self.observed.segments[item.segment.parent].is_done)
        ]

    def submissions(self, items: Sequence[WorkItem], max_array_size: int) -> Iterator[Submit]:
        """Yield what hands over items of one shape."""
        size = max_array_size * _per_job(items, self.work.cluster)
        for first in range(0, len(items), size):
            yield Submit(items=tuple(items[first : first + size]))

    def scores_after(self, segments: Collection[str]) -> tuple[ScoreItem, ...]:
        """Return what is to be scored when trainings of some segments are over."""
        return self.work.scoring.after(segments, self.observed, self.cancelled)

    def late_scorers(self) -> Iterator[Submit]:
        """Yield the scorers that a launcher did not come to hand over after its trainings."""
        for record in trainings_without_scorers(self.observed, self.over):
            if items := self.scores_after(record.items):
                yield Submit(items=items, after=record.id)

    def scorings(self) -> tuple[ScoreItem, ...]:
        """Return items for what is there, unscored, and in nobody's hands."""
        tasks = pending(
            self.work.scoring,
            self.observed,
            self.states,
            most_failures=self.policy.fruitless_attempts,
            over=self.over,
            cancelled=self.cancelled,
        )
        return self.work.scoring.items(tasks)


def _by_shape(items: Iterable[TrainItem]) -> list[list[TrainItem]]:
    """Group items by what they ask of the machine; their order inside a group stays."""
    by_shape: dict[ResourceConfig, list[TrainItem]] = {}
    for item in items:
        by_shape.setdefault(item.resources, []).append(item)
    return list(by_shape.values())
