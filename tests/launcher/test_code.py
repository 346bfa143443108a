"""Which code the jobs of a sweep run, and which copies of it a launch deletes."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import (
    ClusterConfig,
    ClusterKind,
    EvalConfig,
    LaunchConfig,
    PolicyConfig,
    ProcedureConfig,
)
from launcher.provenance.snapshot import KEPT
from launcher.reconcile.code import code_of
from launcher.reconcile.sweep import Sweep
from launcher.records import submission
from launcher.records.ledger import Act, History
from launcher.records.submission import Submission
from sweeps.folders import CHECKOUT, Root, make_folders
from tests.configs import EVAL, expansion_of, run_config
from tests.launcher.worlds import history, runs, submitting, work

LAUNCH = LaunchConfig(cluster=ClusterConfig(name="local", kind=ClusterKind.local))


def sweep_under(
    root: Path, procedure: str = "training.procedures.clip.Clip", evals: EvalConfig = EVAL
) -> Sweep:
    make_folders(Root(root))
    config = run_config(procedure=ProcedureConfig(_target_=procedure), eval=evals)
    return Sweep(expansion=expansion_of(config), launch=LAUNCH, root=Root(root), hooks=[])


def old_copies(root: Path, number: int) -> list[Path]:
    """Make copies of code, from the oldest to the newest."""
    made = [Root(root).code / f"{n:012d}" for n in range(number)]
    for age, folder in enumerate(made):
        folder.mkdir(parents=True)
        os.utime(folder, (age, age))
    return made


def live(root: Path, code: Sequence[Path]) -> History:
    """Return a history with a submission that runs each of some copies, and is not over."""
    for number, folder in enumerate(code):
        given = Submission(
            id=f"s{number}",
            where="slurm@x",
            root=root,
            cluster=LAUNCH.cluster,
            policy=PolicyConfig(),
            code=folder,
            checkout=CHECKOUT,
            commit="",
            train=tuple(work(runs(1)).train),
        )
        submission.write(given)
    return history(*(submitting(f"s{number}", "item") for number in range(len(code))))


def test_copies_that_no_job_needs_are_deleted(root: Path) -> None:
    sweep = sweep_under(root)
    old = old_copies(root, KEPT + 3)
    known = live(root, old[1:2])
    taken = code_of(sweep, known)
    assert {path.name for path in old if not path.exists()} == {old[n].name for n in (0, 2, 3)}
    assert (taken.folder / "launcher" / "__main__.py").exists()
    assert taken.checkout == CHECKOUT


def test_a_copy_is_deleted_once_its_jobs_are_over(root: Path) -> None:
    sweep = sweep_under(root)
    old = old_copies(root, KEPT + 1)
    live(root, old[:1])
    code_of(sweep, history(submitting("s0", "item"), {"act": Act.ended, "submission": "s0"}))
    assert not old[0].exists()


def test_all_are_kept_where_it_is_unknown_what_a_job_runs(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = sweep_under(root)
    old = old_copies(root, KEPT + 3)
    code_of(sweep, history(submitting("unreadable", "item")))
    assert all(path.exists() for path in old)
    assert "old copies of the code are kept" in caplog.text


def test_the_procedures_and_evaluators_of_the_user_are_in_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    for module in ("my_procedure", "my_evaluator", "my_other"):
        (tmp_path / "own" / f"{module}.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    specs = (replace(EVAL.evals[0], _target_="my_evaluator.Mine"),)
    sweep = sweep_under(root, "my_procedure.Mine", replace(EVAL, evals=specs))
    taken = code_of(sweep, History())
    assert {path.name for path in taken.folder.glob("my_*")} == {"my_procedure.py", "my_evaluator.py"}
