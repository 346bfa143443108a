"""What the user cancelled and is alive: whole jobs, or single items that share one. Pure."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from launcher.machines.queue import Job, Queue
from launcher.records.ledger import History, SubmissionRecord, segment_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Unwanted:
    """A job, or array task. `items`: the indices in its submission that are to be ended; none = all."""

    job_id: str
    submission: str
    items: tuple[int, ...] = ()


def unwanted_jobs(
    keys: Collection[str], history: History, queue: Queue, is_done: Callable[[str], bool]
) -> Iterator[Unwanted]:
    """Yield what is alive and trains or scores nothing but some segments.

    Args:
        keys: of the segments.
        history: the ledger.
        queue: what is alive.
        is_done: whether a segment is trained: an item that is done needs its job no longer.
    """
    wanted = set(keys)
    if not wanted:
        return
    for job in queue.jobs:
        record = history.submissions.get(job.name)
        for task in _tasks(record, job) if record else ():
            assert record is not None
            indices = range(task * record.pack, min((task + 1) * record.pack, len(record.items)))
            unwanted = [index for index in indices if _segments_of(record, index) <= wanted]
            others = [i for i in indices if i not in unwanted and not _is_done(record, i, is_done)]
            if unwanted:
                yield Unwanted(
                    job_id=_task_id(job, task),
                    submission=record.id,
                    items=tuple(unwanted) if others else (),
                )


def _tasks(record: SubmissionRecord, job: Job) -> list[int]:
    num_tasks = record.task_of(len(record.items) - 1) + 1
    return [task for task in range(num_tasks) if job.lists(task)]


def _task_id(job: Job, task: int) -> str:
    return job.job_id if job.indices is None else f"{job.job_id.partition('_')[0]}_{task}"


def _segments_of(record: SubmissionRecord, index: int) -> set[str]:
    """Return the segments that an item trains or scores."""
    return set(map(segment_of, record.covers(index)))


def _is_done(record: SubmissionRecord, index: int, is_done: Callable[[str], bool]) -> bool:
    return not record.checkpoints and is_done(record.items[index])
