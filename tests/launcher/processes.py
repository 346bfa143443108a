"""Find and end the processes of a sweep under test, and compare what sweeps end in."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil

from evaluation.results import store
from sweeps.folders import Root
from sweeps.runs.expansion import Expansion
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.commands import start
from training.checkpoints.done import read_done
from training.telemetry.metrics import metrics_path, read_moments

SUPERVISOR, RANK, SCORER = "launcher.jobs.job", "training.rank", "evaluation.worker"


def processes(root: Path, module: str) -> list[psutil.Process]:
    """Return the live processes of a module that work under `root`, with their command as `info`."""
    found = {}
    for process in psutil.process_iter(["cmdline", "ppid", "status"]):
        command = process.info["cmdline"] or [""]
        is_ours = module in command and any(str(root) in word for word in command)
        is_dead = process.info["status"] == psutil.STATUS_ZOMBIE
        if is_ours and "srun" not in command[0] and not is_dead:
            found[process.pid] = process
    # A child looks like its parent until it has become another program.
    return [process for process in found.values() if process.info["ppid"] not in found]


def kill_one(root: Path, module: str, chance: random.Random) -> bool:
    """End one such process with SIGKILL; return False if there is none."""
    found = processes(root, module)
    if not found:
        return False
    try:
        chance.choice(found).kill()
    except psutil.NoSuchProcess:  # it has just ended
        return False
    return True


def kill_while(
    launcher: "subprocess.Popen[bytes]", root: Path, num_kills: int, chance: random.Random
) -> list[str]:
    """Kill supervisors, ranks and scorers at random moments while a launcher lives; return which."""
    killed: list[str] = []
    while launcher.poll() is None and len(killed) < num_kills:
        time.sleep(chance.uniform(0.3, 2.5))
        module = chance.choice([SUPERVISOR, RANK, SCORER])
        if kill_one(root, module, chance):
            killed.append(module)
    return killed


def kill_often(root: Path, *words: str, seed: int, env: Mapping[str, str] | None = None) -> None:
    """Start a launcher three times, and kill it and what it started at random moments."""
    chance = random.Random(seed)
    killed: list[str] = []
    for _ in range(3):
        launcher = start("launcher", *words, root=root, env=env)
        killed += kill_while(launcher, root, 2, chance)
        time.sleep(chance.uniform(0, 1))
        launcher.kill()
        launcher.wait()
    assert {SUPERVISOR, RANK} & set(killed), "nothing was killed: the test proves nothing"


def refute_difference(root: Path, undisturbed: Path, expansion: Expansion) -> None:
    """Check that two roots ended in the same bits, and this one has every score exactly once."""
    undisturbed_weights = weights_under(undisturbed)
    ends = [segment.end for segment in expansion.segments.values()]
    assert weights_under(root) == {end: undisturbed_weights[end] for end in ends}
    scores = scores_of(root)
    assert set(scores) == expected_scores(expansion)
    assert set(scores.values()) == {1}


def weights_under(root: Path) -> dict[int, str]:
    """Return the digest of the final weights of what is trained, by its samples.

    Not by its key: that of a run which a gate holds up is another one.
    """
    markers = map(read_done, Root(root).segments.iterdir())
    return {marker.samples_seen: marker.weights_sha256 for marker in markers if marker}


def scores_of(root: Path) -> Counter[tuple[str, str, str]]:
    """Return how often each (checkpoint, eval, data set) stands in the table, as it was written."""
    table = store.read_table(Root(root).results)
    columns = [table.column(n).to_pylist() for n in ("checkpoint", "eval", "downstream_dataset")]
    return Counter(zip(*columns, strict=True))


def expected_scores(expansion: Expansion) -> set[tuple[str, str, str]]:
    """Return (checkpoint, eval, data set) of all that the runs' suites ask for."""
    return {
        (f"{key}@{samples}", spec.name, spec.dataset)
        for run in expansion.runs
        for key in run.segments
        for samples in expansion.segments[key].milestones
        for spec in run.config.eval.evals
    }


def outcomes_of(folder: Path) -> list[Outcome | None]:
    """Return how the attempts of a work item ended."""
    known = lease.newest(folder)
    return [attempt.outcome for attempt in known.attempts] if known else []


def refute_repetition(folder: Path, saved: int) -> None:
    """Check that the last attempt began where a state was saved, or later."""
    known = lease.newest(folder)
    assert known is not None
    moments = read_moments(metrics_path(folder, known.attempt.number))
    own = [m.samples_seen for m in moments if m.time >= known.attempt.started_at]
    assert own
    assert own[0] > saved > 0
