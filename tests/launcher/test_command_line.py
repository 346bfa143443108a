"""The command line, as processes: bad input, plans, JSON, and what it does not import."""

import json
import os
from pathlib import Path

import pytest

from launcher.reconcile.state import State
from tests.commands import CHECKOUT, OWN_CONF, run

ONE = ("sweep=quickstart", "model=ViT-w32", "data=shapes-clean", "samples_seen=10240")
RUN_KEYS = {"run_id", "state", "model", "data", "samples_seen", "progress"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lunch", *ONE], "there is no command 'lunch'. Did you mean launch"),
        (["sweep=quickstrat"], "there is no sweep 'quickstrat'. Did you mean quickstart"),
        (["sweep=quickstart", "model=ViT-w33"], "model=ViT-w33 is not in this sweep"),
        (["sweep=quickstart", "model=ViT-w33"], "Choose from: ViT-w32, ViT-w64, ViT-w96"),
        ([*ONE, "global_batch_size=66"], "= global_batch_size 66, but 66 = 4 × 16 × 1 + 2"),
        ([*ONE, "data.generator=null", "data.shards=/none/{0..3}.tar"], "4 of 4 shards are missing"),
        ([*ONE, "data.generator=null", "data.shards=/none/{0..3}.tar"], "the first is /none/0.tar"),
        (["sweep=full_grid", "samples_seen=3B"], "data.shards of LAION-80M is not set"),
        ([*ONE, "root=/proc/isogrid"], "root=/proc/isogrid"),
        ([*ONE, "root=/dev/null/root"], "/dev/null is not a folder"),
        ([*ONE, "cluster=slurm"], "is not on this machine"),
        ([*ONE, "hooks=[{on: run}]"], "give either _target_ or argv"),
        ([*ONE, "eval.datasets.shapes.generator=null"], "test set 'shapes': there is no"),
        ([*ONE, "+cluster.env={A-B: x}"], "'A-B' is no name of an environment variable"),
        ([*ONE, "format=yaml"], "[text, json]"),
    ],
)
def test_bad_input_gets_one_line_and_writes_nothing(
    arguments: list[str], message: str, root: Path, tmp_path: Path
) -> None:
    done = run("launcher", *arguments, root=root, env={"PATH": str(tmp_path)})
    assert message in done.stderr
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not root.exists()


def test_the_root_of_another_user_is_refused(root: Path) -> None:
    if os.geteuid() == 0:
        root.mkdir()
        os.chown(root, 12345, -1)
    place = root if os.geteuid() == 0 else Path("/usr")
    done = run("launcher", *ONE, root=place)
    assert (done.returncode, "a root has one user" in done.stderr) == (2, True)
    assert not (place / "ledger").exists()


def test_a_data_set_that_another_generator_made_is_refused(root: Path) -> None:
    folder = root / "data" / "shapes-clean"
    folder.mkdir(parents=True)
    (folder / "generator.json").write_text('{"_target_": "other"}')
    done = run("launcher", *ONE, root=root)
    assert (done.returncode, "was made with {'_target_': 'other'}" in done.stderr) == (2, True)
    assert sorted(path.name for path in root.iterdir()) == ["data"]


def test_the_plan_of_the_published_grid_in_json(root: Path) -> None:
    done = run("launcher", "plan", "sweep=full_grid", "format=json", root=root)
    plan = json.loads(done.stdout)
    assert (plan["sweep"], plan["num_segments"], len(plan["runs"])) == ("full_grid", 29, 29)
    assert plan["gpu_hours"] == pytest.approx(1_058_318, rel=1e-3)
    assert plan["core_hours"] == pytest.approx(12 * plan["gpu_hours"], rel=1e-3)
    assert plan["gpu_hours_low"] < plan["gpu_hours"] < plan["gpu_hours_high"]
    assert (plan["longest_chain"], plan["price"], plan["shared_samples"]) == (14, None, 0)
    assert plan["wall_hours"] == pytest.approx(319, abs=1)
    assert plan["num_files_peak"] - plan["num_files"] == 29 * (25 - 7)
    assert plan["runs"][0].keys() >= RUN_KEYS
    assert plan["runs"][0]["data"] == "LAION-80M"
    assert plan["runs"][0]["samples_seen"] == 2_560_013_280
    assert not root.exists()


def test_the_plan_in_words_names_every_run_and_the_totals(root: Path) -> None:
    done = run("launcher", "plan", "sweep=quickstart", root=root)
    assert done.stdout.count("waiting") == 18
    assert "quickstart: 18 runs in 18 segments; 18 runs and 18 segments to train" in done.stdout
    assert "core-hours" in done.stdout
    assert done.stderr == ""


def test_a_cost_that_nobody_measured_is_null(root: Path) -> None:
    arguments = ("plan", *ONE, "model.name=mine", "format=json")
    plan = json.loads(run("launcher", *arguments, root=root).stdout)
    assert (plan["gpu_hours"], plan["core_hours"]) == (None, None)


def test_the_plan_says_what_sharing_saves(root: Path) -> None:
    done = run("launcher", "plan", OWN_CONF, "sweep=trunk", root=root)
    assert "3 runs in 6 segments" in done.stdout
    assert "sharing     saves 1,536 samples, " in done.stdout


def test_the_status_of_a_sweep_that_was_never_launched(root: Path) -> None:
    done = run("launcher", "status", "sweep=quickstart", "model=ViT-w32", "format=json", root=root)
    status = json.loads(done.stdout)
    assert status["counts"] == {state.value: 6 if state is State.waiting else 0 for state in State}
    assert all(one.keys() >= RUN_KEYS for one in status["runs"])
    assert "never launched" in status["note"]
    assert not root.exists()


def test_help_and_the_composed_config_are_hydras(root: Path) -> None:
    shown = run("launcher", "--help", root=root)
    assert shown.stdout.startswith(
        "usage: python -m launcher [launch|plan|status|watch|cancel|resume|logs]"
    )
    names = sorted(path.stem for path in (CHECKOUT / "conf" / "sweep").iterdir())
    assert f"sweep: {', '.join(names)}" in shown.stdout
    composed = run("launcher", "plan", "sweep=quickstart", "optim.lr=0.5", "--cfg", "job", root=root)
    assert "lr: 0.5" in composed.stdout
    assert "name: quickstart" in composed.stdout
    assert run("launcher", "--info", "defaults-tree", root=root).returncode == 0


def test_several_runs_at_once_by_hydra_are_referred_to_sweeps(root: Path) -> None:
    done = run("launcher", "--multirun", *ONE, root=root)
    assert done.returncode == 2
    assert "a sweep enumerates runs" in done.stderr
