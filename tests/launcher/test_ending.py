"""How an attempt ended, told from what it left."""

import signal
from pathlib import Path

import pytest

from launcher.jobs.ending import LOG_TAIL_BYTES, LOG_TAIL_LINES, Traces, ending_of, read_tail
from sweeps.work.outcome import Outcome
from training.exits import RankExit, Verdict

NODE = "srun: error: Node failure on n2\n"
KILLED = "srun: error: n3: task 2: Killed\n"
FAILED = "srun: error: n1: task 0: Exited with exit code 1\n"
OOM = "srun: error: n2: task 3: Out Of Memory\n"
OOM_STEP = (
    "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have "
    "been killed by the cgroup out-of-memory handler.\n"
)
OVER_LIMIT = "slurmstepd-n1: error: StepId=1.0 exceeded memory limit (3261 > 2097), being killed\n"
STEP = "slurmstepd: error: *** STEP 5.0 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO {} ***\n"


def ended(
    codes: list[int], code: RankExit | None = None, asked: Outcome | None = None, log: str = ""
) -> Outcome:
    verdict = None if code is None else Verdict(code=code, host="n4", reason="why")
    return ending_of(Traces(codes=codes, verdict=verdict, asked=asked, log=log)).outcome


@pytest.mark.parametrize(
    ("codes", "verdict", "outcome"),
    [
        ([1], None, Outcome.crashed),
        ([-signal.SIGSEGV], None, Outcome.crashed),
        ([-signal.SIGKILL], None, Outcome.communication),
        ([137], None, Outcome.crashed),
        ([143], RankExit.bad_data, Outcome.bad_data),
        ([RankExit.bad_data], None, Outcome.bad_data),
        ([137], RankExit.not_finite, Outcome.not_finite),
        ([1], RankExit.user_error, Outcome.user_error),
        ([143], RankExit.lost_state, Outcome.lost_state),
        ([RankExit.no_room], None, Outcome.no_room),
        ([137], RankExit.out_of_memory, Outcome.out_of_memory),
        ([137], RankExit.device_failure, Outcome.node_failure),
        ([137], RankExit.communication, Outcome.communication),
        ([-signal.SIGKILL], RankExit.communication, Outcome.communication),
    ],
)
def test_a_verdict_tells_more_than_exit_codes(
    codes: list[int], verdict: RankExit | None, outcome: Outcome
) -> None:
    assert ended(codes, verdict) is outcome


@pytest.mark.parametrize(
    ("log", "outcome"),
    [
        (NODE + KILLED, Outcome.node_failure),
        (STEP.format("NODE FAILURE"), Outcome.node_failure),
        (STEP.replace("slurmstepd:", "slurmstepd-n1:").format("NODE FAILURE"), Outcome.node_failure),
        (STEP.format("TIME LIMIT"), Outcome.time_limit),
        (STEP.format("PREEMPTION"), Outcome.preempted),
        (STEP.format("JOB REQUEUE"), Outcome.preempted),
        (OOM, Outcome.out_of_memory),
        (KILLED + OOM_STEP, Outcome.out_of_memory),
        (OVER_LIMIT + KILLED, Outcome.out_of_memory),
        (KILLED, Outcome.communication),
        (FAILED + KILLED, Outcome.crashed),
        ("a rank prints: " + NODE, Outcome.crashed),
        ("nothing of the kind\n", Outcome.crashed),
    ],
)
def test_what_slurm_says_is_heard_and_what_ranks_print_is_not(log: str, outcome: Outcome) -> None:
    assert ended([137], log=log) is outcome


@pytest.mark.parametrize(
    ("verdict", "asked", "log", "outcome"),
    [
        (None, Outcome.time_limit, "", Outcome.time_limit),
        (None, Outcome.cancelled, KILLED, Outcome.cancelled),
        (RankExit.communication, Outcome.preempted, KILLED, Outcome.preempted),
        (RankExit.not_finite, Outcome.stopped, "", Outcome.not_finite),
        (RankExit.out_of_memory, Outcome.time_limit, "", Outcome.out_of_memory),
        (RankExit.communication, Outcome.preempted, NODE, Outcome.node_failure),
        (RankExit.communication, None, NODE, Outcome.node_failure),
        (RankExit.communication, None, OOM, Outcome.out_of_memory),
    ],
)
def test_a_cause_comes_before_a_request_and_a_request_before_a_symptom(
    verdict: RankExit | None, asked: Outcome | None, log: str, outcome: Outcome
) -> None:
    assert ended([137], verdict, asked, log) is outcome


@pytest.mark.parametrize(
    ("code", "log", "node"),
    [
        (None, NODE, "n2"),
        (RankExit.device_failure, "", "n4"),
        (RankExit.communication, KILLED, "n3"),
        (RankExit.communication, "", ""),
    ],
)
def test_the_node_at_fault_is_named_where_it_is_known(
    code: RankExit | None, log: str, node: str
) -> None:
    verdict = None if code is None else Verdict(code=code, host="n4", reason="why")
    assert ending_of(Traces(codes=[1], verdict=verdict, asked=None, log=log)).node == node


def test_a_crash_shows_the_codes_and_the_end_of_the_log() -> None:
    log = "".join(f"line {number}\n" for number in range(1000))
    ending = ending_of(Traces(codes=[1, 1, -6], verdict=None, asked=None, log=log))
    reason = ending.reason.splitlines()
    assert reason[0] == "exit codes [-6, 1]"
    assert reason[1:] == [f"line {number}" for number in range(1000 - LOG_TAIL_LINES, 1000)]


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * LOG_TAIL_BYTES + b"the end")
    assert len(read_tail(tmp_path / "log")) == LOG_TAIL_BYTES
    assert read_tail(tmp_path / "log").endswith("the end")
