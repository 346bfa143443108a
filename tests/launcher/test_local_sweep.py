"""A whole sweep on this machine: to the end, through kills, stops and repetition."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import results
from launcher.show.logs import log_text
from launcher.show.named import sweeps_of_runs
from sweeps.folders import CHECKOUT, Root
from sweeps.runs import frozen
from sweeps.work import lease
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome
from tests.commands import HERE as SWEEP
from tests.commands import OWN_CONF, PATIENCE_S, ROOM, environment, gated_by, run, start, wait_for
from tests.launcher.processes import (
    RANK,
    SUPERVISOR,
    expected_scores,
    kill_often,
    outcomes_of,
    processes,
    refute_difference,
    scores_of,
    weights_under,
)
from tests.training.segments import expansion_of
from training.checkpoints.saved import saved_samples
from training.telemetry.metrics import metrics_path, read_moments

pytestmark = pytest.mark.slow


def test_a_sweep_runs_to_its_report(undisturbed: Path) -> None:
    assert weights_under(undisturbed).keys() == {1280, 3840}
    scores = scores_of(undisturbed)
    assert set(scores) == expected_scores(expansion_of("sweep=tiny"))
    assert set(scores.values()) == {1}
    assert (undisturbed / "reports" / "tiny" / "law.html").exists()


@pytest.mark.parametrize(
    ("printed", "last"),
    [
        ("", "(it has printed nothing; "),
        ("waiting for it\nmade\n", "made"),
    ],
)
def test_the_log_of_a_run_is_found_by_the_beginning_of_its_id(
    undisturbed: Path, tmp_path: Path, printed: str, last: str
) -> None:
    root = shutil.copytree(undisturbed, tmp_path / "root", symlinks=True)
    (log,) = root.glob("segments/ViT-w32_tiny_1280-*/log-1.txt")
    log.write_text(printed)
    shown = run("launcher", "logs", "ViT-w32_tiny_1280", "follow=true", root=root)
    assert shown.returncode == 0, shown.stderr
    title, *_, shown_last = shown.stdout.splitlines()
    assert ", attempt 1, job " in title
    assert title.endswith(f", done: {log}")
    assert shown_last.startswith(last)
    unknown = run("launcher", "logs", "ViT-w33", root=root)
    assert (unknown.returncode, "no run was launched that begins with" in unknown.stderr) == (2, True)


def test_a_log_is_followed_over_attempts_to_the_end(root: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    one = (*SWEEP, "samples_seen=3840", "policy.fruitless_attempts=20", *gated_by(gate))
    launcher = start("launcher", *one, root=root)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step")
    command = [sys.executable, "-m", "launcher", "logs", "ViT-w32_tiny_3840", "follow=true"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment(root), stdout=subprocess.PIPE, text=True
    ) as logs:
        assert logs.stdout is not None
        titles = [logs.stdout.readline()]
        processes(root, RANK)[0].kill()
        gate.touch()
        titles += [line for line in logs.stdout if line.startswith("==> ")]
    assert launcher.wait(PATIENCE_S) == 0
    attempts = [title.split(", ")[1] for title in titles]
    assert attempts[:2] == ["attempt 1", "attempt 2"]


def test_a_later_attempt_is_followed_once_it_has_a_log(undisturbed: Path, tmp_path: Path) -> None:
    root = Root(shutil.copytree(undisturbed, tmp_path / "root", symlinks=True))
    (sweep,) = sweeps_of_runs(root, ["ViT-w32_tiny_1280"])
    (run,) = sweep.expansion.runs
    first_log = root.segment(run.run_id) / "log-1.txt"
    first_log.write_text("begun\nhalf a li")
    held = lease.newest(root.segment(run.run_id))
    assert held is not None
    holder = replace(held.attempt.holder, submission="another")
    second = replace(held.attempt, number=2, outcome=None, holder=holder)
    assert lease.take(root.segment(run.run_id), Lease(attempt=second, history=(held.attempt,)))
    shown = log_text(sweep, 40, follow=True)
    assert [", attempt 1, " in next(shown), next(shown)] == [True, "begun"]
    first_log.write_text("begun\nhalf a line\nand")
    assert next(shown) == "half a line"
    second_log = root.segment(run.run_id) / "log-2.txt"
    second_log.write_text("again")
    assert [next(shown), ", attempt 2, " in next(shown)] == ["and", True]
    ended = replace(second, outcome=Outcome.done)
    lease.renew(root.segment(run.run_id), Lease(attempt=ended, history=(held.attempt,)))
    assert [*shown] == ["again"]


def test_few_files_are_left(undisturbed: Path) -> None:
    for folder in (undisturbed / "segments").iterdir():
        names = [path.name for path in folder.iterdir() if not path.name.startswith("weights-")]
        assert len(names) <= 25, names


def test_typed_again_it_does_nothing_and_says_so(undisturbed: Path, tmp_path: Path) -> None:
    root = shutil.copytree(undisturbed, tmp_path / "root", symlinks=True)
    before = sorted((root / "submissions").iterdir())
    done = run("launcher", *SWEEP, root=root)
    assert done.returncode == 0
    assert "nothing to do: every run is done" in done.stdout
    assert "report: " in done.stdout.splitlines()[-1]
    assert sorted((root / "submissions").iterdir()) == before


def test_its_status_in_json_and_in_words(undisturbed: Path) -> None:
    status = json.loads(run("launcher", "status", *SWEEP, "format=json", root=undisturbed).stdout)
    assert status["counts"]["done"] == 2
    assert [one["progress"] for one in status["runs"]] == [1.0, 1.0]
    assert status["core_hours"] > 0
    assert status["note"] is None
    words = run("launcher", "status", *SWEEP, "samples_seen=1280", root=undisturbed).stdout
    assert "tiny: 1 run: 1 done" in words


def test_the_plan_says_what_a_benchmark_that_is_added_leaves_to_be_scored(undisturbed: Path) -> None:
    retrieval = (
        "{_target_: evaluation.evaluators.retrieval.Retrieval, name: retrieval, dataset: shapes}"
    )
    plan = run("launcher", "plan", *SWEEP, f"eval.evals=[{retrieval}]", root=undisturbed)
    assert "0 segments to train" in plan.stdout, plan.stderr
    assert "6 checkpoints to be scored" in plan.stdout


def test_a_run_that_is_made_by_an_override_is_another_run(undisturbed: Path) -> None:
    given = (*SWEEP, "samples_seen=1280", "optim.lr=2e-3")
    status = json.loads(run("launcher", "status", *given, "format=json", root=undisturbed).stdout)
    assert status["counts"]["waiting"] == 1


def test_what_a_budget_holds_up_goes_on_when_it_is_raised(root: Path) -> None:
    eight = (OWN_CONF, "sweep=eight", ROOM, "cluster.gpus_per_node=4")
    assert run("launcher", *eight, "seed=0", root=root).returncode == 0
    shown = run("launcher", "status", *eight, "seed=0", "format=json", root=root).stdout
    spent = json.loads(shown)["gpu_hours"]
    assert spent > 0
    two = (*eight, "seed=0,1")
    waits = run("launcher", *two, f"budget.gpu_hours={spent / 2:.9f}", root=root)
    assert "2 runs: 1 waiting, 1 done" in waits.stdout, waits.stderr
    assert "committed; 1 run waits for more" in waits.stdout
    assert not processes(root, SUPERVISOR)
    raised = run("launcher", *two, "budget.gpu_hours=9", root=root)
    assert "2 runs: 2 done" in raised.stdout, raised.stderr


def test_kills_at_random_moments_change_no_bit_and_no_score(undisturbed: Path, root: Path) -> None:
    kill_often(root, *SWEEP, "policy.fruitless_attempts=20", seed=0)
    done = run("launcher", *SWEEP, "policy.fruitless_attempts=20", root=root)
    assert done.returncode == 0, done.stderr
    refute_difference(root, undisturbed, expansion_of("sweep=tiny"))


def test_a_second_launcher_leaves_the_first_alone_whose_interrupt_stops_all_at_a_checkpoint(
    root: Path, tmp_path: Path
) -> None:
    one = (*SWEEP, "samples_seen=3840", *gated_by(tmp_path / "gate"))
    launcher = start("launcher", *one, root=root)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step")
    (folder,) = Root(root).segments.iterdir()
    second = run("launcher", *one, root=root)
    assert (second.returncode, f"process {launcher.pid}" in second.stderr) == (1, True)
    launcher.send_signal(signal.SIGINT)
    wait_for((folder / "stop-1").exists, "the request to stop")
    (tmp_path / "gate").touch()
    assert launcher.wait(PATIENCE_S) == 130
    assert processes(root, RANK) == processes(root, SUPERVISOR) == []
    assert outcomes_of(folder) == [Outcome.stopped]
    assert saved_samples(folder, "state") != []


def test_ranks_die_with_their_supervisor(root: Path) -> None:
    endless = gated_by(root / "no such gate")
    launcher = start("launcher", *SWEEP, "samples_seen=1280", *endless, root=root)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step")
    launcher.kill()
    launcher.wait()
    assert len(processes(root, RANK)) == 2
    (supervisor,) = processes(root, SUPERVISOR)
    supervisor.kill()
    wait_for(lambda: not processes(root, RANK), "the ranks to die")


def test_what_is_cancelled_is_saved_and_starts_again_after_resume_only(
    root: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    one = (*SWEEP, "samples_seen=3840", *gated_by(gate))
    launcher = start("launcher", *one, root=root)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step")
    (folder,) = Root(root).segments.iterdir()
    assert run("launcher", "cancel", *one, root=root).stdout.startswith(f"cancelled {folder.name}, ")
    wait_for((folder / "stop-1").exists, "the request to stop")
    gate.touch()
    assert launcher.wait(PATIENCE_S) == 0
    assert saved_samples(folder, "state") != []
    assert "1 cancelled" in run("launcher", *one, root=root).stdout
    assert run("launcher", "cancel", *one, root=root).stdout == "nothing is to be cancelled\n"
    released = run("launcher", "resume", *one, root=root).stdout
    saved = saved_samples(folder, "state")[-1]
    trains = f"the next launch trains it from {saved:,} of 3,840 samples"
    assert released == f"released {folder.name}, which was cancelled: {trains}\n"
    assert "1 done" in run("launcher", *one, root=root).stdout
    assert outcomes_of(folder) == [Outcome.stopped, Outcome.done]


def test_a_longer_horizon_trains_only_what_is_missing(root: Path) -> None:
    trunk = (OWN_CONF, "sweep=trunk", ROOM)
    assert run("launcher", *trunk, "samples_seen=640", root=root).returncode == 0
    shorter = {path.name for path in Root(root).segments.iterdir()}
    assert run("launcher", *trunk, "samples_seen=1280", root=root).returncode == 0
    ends = {key: s.end for key, s in expansion_of("sweep=trunk").segments.items()}
    added = sorted(ends[p.name] for p in Root(root).segments.iterdir() if p.name not in shorter)
    assert added == [1024, 1280]
    (trunk_end,) = (p for p in Root(root).segments.iterdir() if ends[p.name] == 1024)
    first = read_moments(metrics_path(trunk_end, 1))[0]
    assert first.samples_seen == 512 + 32


def test_runs_made_by_an_override_have_a_sweep_of_their_own(root: Path) -> None:
    one = (*SWEEP, "samples_seen=1280")
    assert run("launcher", *one, root=root).returncode == 0
    assert run("launcher", *one, "seed=5", "resources.num_ranks=1", root=root).returncode == 0
    (other,) = (name for name in frozen.launched(Root(root)) if name != "tiny")
    assert results.load(root, sweep=other)["seed"].unique().tolist() == [5]
    assert results.load(root, sweep="tiny")["seed"].unique().tolist() == [0]
    assert "tiny: 2 runs: 1 waiting, 1 done" in run("launcher", "status", *SWEEP, root=root).stdout


def test_a_run_that_diverges_is_held_and_tried_again_after_resume_only(root: Path) -> None:
    given = (*SWEEP, "samples_seen=1280", "resources.num_ranks=1", "optim.lr=1e30")
    done = run("launcher", *given, root=root)
    assert done.returncode == 1
    assert "lower optim.lr or lengthen schedule.warmup" in done.stdout
    assert "1 held" in done.stdout
    (folder,) = Root(root).segments.iterdir()
    assert outcomes_of(folder) == [Outcome.not_finite]
    assert "nothing to submit now" in run("launcher", *given, root=root).stdout
    released = run("launcher", "resume", *given, root=root).stdout
    assert released.startswith(f"released {folder.name}, which was held (not_finite: ")
    assert run("launcher", "resume", *given, root=root).stdout == "nothing is held or cancelled\n"
    assert "1 held" in run("launcher", *given, root=root).stdout
    assert outcomes_of(folder) == [Outcome.not_finite] * 2


def test_a_run_that_keeps_crashing_is_held_after_a_few_attempts(root: Path) -> None:
    target = "procedure._target_=tests.launcher.crashing.Crashing"
    given = (*SWEEP, "samples_seen=1280", "resources.num_ranks=1", target)
    done = run("launcher", *given, root=root)
    assert done.returncode == 1
    assert "3 attempts without new samples" in done.stdout
    assert "RuntimeError: broken on purpose" in done.stdout
