"""One launcher at a time."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher.reconcile.lock import LockHolder, locked
from sweeps import durable
from sweeps.errors import LauncherBusy
from sweeps.folders import CHECKOUT
from sweeps.host import own_start, this_host
from tests.commands import wait_for


def held_by(root: Path, **given: object) -> None:
    fields = {"host": this_host(), "pid": os.getpid(), "pid_start": own_start()}
    holder = LockHolder(**{**fields, "beat_at": time.time(), **given})  # type: ignore[arg-type]
    durable.publish(root / "lock.1", durable.encode(holder))


def beat_at(root: Path) -> float:
    held = durable.read(root / "lock.1", LockHolder)
    return held.beat_at if held else 0.0


def test_a_second_launcher_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with (
        locked(tmp_path, 300),
        pytest.raises(LauncherBusy, match=f"process {os.getpid()} on {this_host()}"),
        locked(tmp_path, 300),
    ):
        pass


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    for _ in range(12):
        with locked(tmp_path, 300):
            pass
    assert len(list(tmp_path.iterdir())) <= 4


def test_the_heart_outlives_a_file_system_that_fails_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root, away = tmp_path / "root", tmp_path / "away"
    root.mkdir()
    with locked(root, stale_s=0.5):
        root.rename(away)
        wait_for(lambda: "no heartbeat of the lock" in caplog.text, "a heartbeat that fails")
        away.rename(root)
        back_at = time.time()
        assert wait_for(lambda: beat_at(root) > back_at, "the next heartbeat")


@pytest.mark.parametrize(
    "holder",
    [
        {"pid": 2**22},
        {"pid_start": 1},
        {"host": "elsewhere", "beat_at": time.time() - 301},
        {"is_released": True},
    ],
    ids=["gone", "another process of that number", "silent elsewhere", "released"],
)
def test_the_lock_of_a_dead_launcher_is_taken(tmp_path: Path, holder: dict[str, object]) -> None:
    held_by(tmp_path, **holder)
    with locked(tmp_path, 300):
        assert durable.newest_generation(tmp_path, "lock") == 2


def test_a_launcher_that_beats_on_another_host_is_alive(tmp_path: Path) -> None:
    held_by(tmp_path, host="elsewhere")
    with pytest.raises(LauncherBusy, match="on elsewhere"), locked(tmp_path, 300):
        pass


def test_a_launcher_that_was_overtaken_may_not_act(tmp_path: Path) -> None:
    with locked(tmp_path, 300) as lock:
        lock.check()
        durable.publish(tmp_path / "lock.2", b"{}")
        with pytest.raises(LauncherBusy, match="took over"):
            lock.check()


def test_the_lock_of_a_launcher_that_was_killed_is_taken(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from launcher.reconcile.lock import locked
with locked(Path({str(tmp_path)!r}), 300):
    print("held", flush=True)
    time.sleep(3600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout is not None
        launcher.stdout.readline()
        with pytest.raises(LauncherBusy), locked(tmp_path, 300):
            pass
        launcher.kill()
    with locked(tmp_path, 300):
        pass


def test_the_holder_beats(tmp_path: Path) -> None:
    with locked(tmp_path, 0.5):
        first = beat_at(tmp_path)
        wait_for(lambda: beat_at(tmp_path) > first, "a heartbeat")
