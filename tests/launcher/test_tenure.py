"""What a supervisor notes of the attempt that it follows."""

from concurrent.futures import ThreadPoolExecutor
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
from tests.commands import PATIENCE_S, wait_for
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


def test_how_an_attempt_ended_is_noted_as_soon_as_the_file_system_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = submission(tmp_path)
    folder = given.item_folder(0)
    folder.mkdir(parents=True)
    tenure = Tenure(given, 0)
    assert tenure.begin()
    aside = folder.rename(tmp_path / "aside")
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(tenure.end, 64, Outcome.no_room, "full")
        wait_for(lambda: "cannot be noted" in caplog.text, "a first try")
        aside.rename(folder)
        assert ended.result(PATIENCE_S)
    held = lease.newest(folder)
    assert held is not None
    assert (held.attempt.outcome, held.attempt.samples) == (Outcome.no_room, 64)
    hasty = Tenure(submission(tmp_path, stale_s=0.01), 0)
    assert hasty.begin()
    folder.rename(aside)
    assert not hasty.end(64, Outcome.no_room)


def submission(root: Path, stale_s: float = 2 * PATIENCE_S) -> Submission:
    return Submission(
        id="next",
        where="local@x",
        root=root,
        cluster=ClusterConfig(name="here", kind=ClusterKind.local, stale_s=stale_s),
        policy=PolicyConfig(),
        code=root,
        checkout=root,
        commit="c0ffee",
        train=tuple(work(TWO).train),
    )
