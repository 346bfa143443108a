"""How an attempt ended."""

import signal
from pathlib import Path

import pytest

from launcher.jobs.ending import LOG_TAIL_LINES, ending_of
from launcher.records.outcome import Outcome
from training.exits import RankExit


@pytest.mark.parametrize(
    ("codes", "asked_by", "outcome"),
    [
        ([1, 1], None, Outcome.crashed),
        ([-9, 0], None, Outcome.crashed),
        ([RankExit.stopped], signal.SIGUSR1, Outcome.time_limit),
        ([RankExit.stopped], signal.SIGTERM, Outcome.stopped),
        ([143, RankExit.bad_data], None, Outcome.bad_data),
        ([143, RankExit.not_finite], signal.SIGTERM, Outcome.not_finite),
    ],
)
def test_the_outcome_follows_from_codes_and_requests(
    tmp_path: Path, codes: list[int], asked_by: int | None, outcome: Outcome
) -> None:
    (tmp_path / "log").write_text("why\n")
    assert ending_of(codes, asked_by, tmp_path / "log")[0] is outcome


def test_a_crash_shows_the_codes_and_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(1000)))
    reason = ending_of([1, 1, -6], None, tmp_path / "log")[1].splitlines()
    assert reason[0] == "exit codes [-6, 1]"
    assert reason[1:] == [f"line {number}" for number in range(1000 - LOG_TAIL_LINES, 1000)]
