"""Why a job is told to end: what its supervisor reads from the controller."""

from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.machines.slurm_client import why_told_to_end
from sweeps.errors import QueueUnknown
from sweeps.work.outcome import Outcome

SHOWN = "JobId=7 JobState=RUNNING Reason={reason} Restarts={restarts} PreemptTime={preempted} X=1"


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes `scontrol` print something."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def prints(text: str) -> None:
        program = tmp_path / "scontrol"
        program.write_text(f"#!/bin/sh\necho '{text}'\n")
        program.chmod(0o755)

    return prints


@pytest.mark.parametrize(
    ("reason", "restarts", "preempted", "outcome"),
    [
        ("None", 1, "None", Outcome.cancelled),
        ("None", 2, "None", Outcome.preempted),
        ("None", 1, "2026-01-01T00:00:00", Outcome.preempted),
        ("TimeLimit", 1, "None", Outcome.time_limit),
        ("JobHeldAdmin", 1, "None", Outcome.stopped),
    ],
)
def test_restarts_reason_and_preemption_tell_who_wants_the_nodes(
    scontrol: Callable[[str], None], reason: str, restarts: int, preempted: str, outcome: Outcome
) -> None:
    scontrol(SHOWN.format(reason=reason, restarts=restarts, preempted=preempted))
    assert why_told_to_end("7", 1, 10.0) is outcome


def test_a_job_of_which_nothing_is_shown_is_unknown(scontrol: Callable[[str], None]) -> None:
    scontrol("nothing")
    with pytest.raises(QueueUnknown, match="no restarts and reason of job 7"):
        why_told_to_end("7", 1, 10.0)
