"""Runs that trying again does not help are held, with a reason that says what to do."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.commands import CHECKOUT, HERE, PATIENCE_S, environment, run

ONE = (*HERE, "samples_seen=1280", "resources.num_ranks=1")

pytestmark = pytest.mark.slow


def outcomes(root: Path) -> list[Outcome | None]:
    """Return how the attempts of the only segment ended."""
    (folder,) = Root(root).segments.iterdir()
    known = lease.newest(folder)
    return [attempt.outcome for attempt in known.attempts] if known else []


def test_who_runs_out_of_memory_twice_is_held_with_advice(root: Path) -> None:
    done = run("launcher", *ONE, "procedure._target_=tests.launcher.failing.Hungry", root=root)
    assert done.returncode == 1
    assert outcomes(root) == [Outcome.out_of_memory] * 2
    assert "out_of_memory, 2 times: the same layout would fail again: raise" in done.stdout
    assert "can't allocate memory" in done.stdout


def test_a_bad_shard_is_named(root: Path, data: Path) -> None:
    shutil.copytree(data / "tiny", root / "data/tiny")
    shard = min((root / "data/tiny").glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:1000])
    done = run("launcher", *ONE, root=root)
    assert done.returncode == 1
    assert outcomes(root) == [Outcome.bad_data]
    assert shard.name in done.stdout


def test_who_finds_no_room_for_a_state_is_held(root: Path) -> None:
    Root(root).segments.mkdir(parents=True)
    mount = f"mount -t tmpfs -o size=256k tmpfs {Root(root).segments}"
    launch = shlex.join([sys.executable, "-m", "launcher", *ONE])
    as_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *as_user, "sh", "-c", f"{mount} && exec {launch}"],
        cwd=CHECKOUT, env=environment(root), capture_output=True, text=True, check=False,
        timeout=2 * PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "no_room: the file system, or your quota on it, is full: make room, then" in done.stdout
    assert "[Errno 28] No space left on device (on " in done.stdout
