"""Runs that trying again does not help are held, with a reason that says what to do."""

import shutil
from pathlib import Path

import pytest

from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.commands import HERE, run

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
