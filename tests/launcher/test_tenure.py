"""What a supervisor notes of the attempt that it follows."""

from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig
from launcher.jobs.tenure import Tenure
from launcher.records.ledger import Act, Ledger, Line
from launcher.records.submission import Submission
from sweeps.folders import Root
from sweeps.host import this_host
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.launcher.worlds import HOLDER, TWO, A, work

GONE = replace(HOLDER, where="local@x", host=this_host(), pid=2**22)


@pytest.mark.parametrize(
    ("outcome", "noted", "reason"),
    [
        ("out_of_memory", Outcome.out_of_memory, "OUT_OF_MEMORY on n1"),
        ("", Outcome.vanished, "its process vanished"),
    ],
)
def test_whose_process_vanished_ended_as_the_scheduler_told_the_ledger(
    tmp_path: Path, outcome: str, noted: Outcome, reason: str
) -> None:
    given = submission(tmp_path)
    left_open = lease.successor(None, GONE, now=0.0, cores=1, gpus=0)
    given.item_folder(0).mkdir(parents=True)
    assert lease.take(given.item_folder(0), left_open)
    Root(tmp_path).ledger.mkdir()
    ledger = Ledger(Root(tmp_path).ledger)
    ledger.append(Line(time=1.0, act=Act.submitting, submission=GONE.submission, items=(A,)))
    told = Line(time=2.0, act=Act.ended, submission=GONE.submission)
    ledger.append(replace(told, outcomes=(outcome,), reasons=(reason if outcome else "",)))
    ledger.close()
    tenure = Tenure(given, 0)
    assert tenure.begin()
    (before,) = tenure.lease.history
    assert (before.outcome, before.reason) == (noted, reason)


def submission(root: Path) -> Submission:
    return Submission(
        id="next",
        where="local@x",
        root=root,
        cluster=ClusterConfig(name="here", kind=ClusterKind.local),
        policy=PolicyConfig(),
        code=root,
        checkout=root,
        commit="c0ffee",
        train=tuple(work(TWO).train),
    )
