"""The lease of a segment that is trained by hand."""

from pathlib import Path

import pytest

from conf.schema import ClusterConfig, ClusterKind, ResourceConfig
from sweeps.work import lease
from sweeps.work.lease import Attempt
from sweeps.work.outcome import Outcome
from tests.commands import wait_for
from training.tenure import Tenure


def attempt(folder: Path) -> Attempt:
    held = lease.newest(folder)
    assert held is not None
    return held.attempt


def test_a_file_system_that_fails_for_a_while_ends_no_heartbeat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, aside = tmp_path / "segment", tmp_path / "aside"
    folder.mkdir()
    cluster = ClusterConfig(name="here", kind=ClusterKind.local, beat_s=0.01)
    with Tenure(folder, ResourceConfig(), cluster):
        folder.rename(aside)
        wait_for(lambda: "no heartbeat" in caplog.text, "a beat that fails")
        before = attempt(aside).beat_at
        aside.rename(folder)
        wait_for(lambda: attempt(folder).beat_at > before, "a beat that does not fail")
    assert attempt(folder).outcome is Outcome.stopped
