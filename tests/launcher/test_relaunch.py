"""Which job of a submission has the last word, when jobs have their sweep go on."""

from pathlib import Path

import pytest

from conf.schema import PolicyConfig
from launcher.jobs.relaunch import others_go_on
from launcher.machines.queue import Job, Queue
from launcher.records import submission
from launcher.records.submission import Submission
from tests.launcher.worlds import HERE, SHARED, TWO, job, work


@pytest.fixture
def pair(tmp_path: Path) -> Submission:
    given = Submission(
        id="s",
        where=HERE,
        root=tmp_path,
        cluster=SHARED,
        policy=PolicyConfig(),
        code=tmp_path,
        checkout=tmp_path,
        commit="c0ffee",
        train=tuple(work(TWO).train),
    )
    submission.write(given)
    return given


@pytest.mark.parametrize(
    ("jobs", "they_do"),
    [
        ([job("s", 0), job("s", 1)], True),
        ([job("s", 0), job("s", 1, is_running=False)], True),
        ([job("s", 0)], False),
        ([job("s", 0), job("t", 1)], False),
        (None, False),
    ],
    ids=["runs", "waits", "is gone without a word", "is of others", "nobody knows"],
)
def test_a_job_is_the_last_unless_another_one_is_seen_to_go_on(
    pair: Submission, jobs: list[Job] | None, they_do: bool
) -> None:
    queue = Queue(asked_at=1.0, jobs=tuple(jobs)) if jobs is not None else None
    assert others_go_on(pair, 0, queue) == they_do


def test_of_two_jobs_that_end_at_once_one_is_the_last(pair: Submission) -> None:
    both = Queue(asked_at=1.0, jobs=(job("s", 0), job("s", 1)))
    assert [others_go_on(pair, task, both) for task in (0, 1)] == [True, False]
