"""The expansion as it was launched."""

from pathlib import Path

import pytest

from conf.schema import (
    ClusterConfig,
    ClusterKind,
    LaunchConfig,
    RunConfig,
    ScheduleConfig,
    ScheduleName,
)
from sweeps.errors import DamagedFile
from sweeps.folders import Root, make_folders
from sweeps.runs import frozen
from sweeps.runs.expansion import cuts_of
from sweeps.runs.frozen import FrozenSweep
from tests.configs import expansion_of, run_config

LAUNCH = LaunchConfig(cluster=ClusterConfig(name="local", kind=ClusterKind.local))


def frozen_sweep(*configs: RunConfig) -> FrozenSweep:
    return FrozenSweep(expansion=expansion_of(*configs), overrides=(), launch=LAUNCH, conf_digest="c")


def made(root: Path) -> Root:
    make_folders(Root(root))
    return Root(root)


def test_what_was_frozen_comes_back_the_same(root: Path) -> None:
    sweep = frozen_sweep(run_config(), run_config(seed=1))
    frozen.freeze(made(root), sweep)
    assert frozen.load(Root(root), "test") == sweep
    assert frozen.launched(Root(root)) == ["test"]


def test_each_piece_of_a_config_stands_in_the_file_once(root: Path) -> None:
    frozen.freeze(made(root), frozen_sweep(*(run_config(seed=seed) for seed in range(50))))
    assert Root(root).frozen("test").read_text().count('"name":"retrieval"') == 1
    known = frozen.load(Root(root), "test")
    assert known is not None
    assert len({id(run.config.eval) for run in known.expansion.runs}) == 1


def test_a_file_of_another_version_is_damaged(root: Path) -> None:
    frozen.freeze(made(root), frozen_sweep(run_config()))
    path = Root(root).frozen("test")
    path.write_text(path.read_text().replace('"global_batch_size"', '"batch"'))
    with pytest.raises(DamagedFile, match=r"test\.json is damaged, or of another version: .*batch"):
        frozen.load(Root(root), "test")


def test_the_cuts_of_a_trunk_are_read_without_its_runs(root: Path) -> None:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="2 steps", cooldown="20%")
    sweep = frozen_sweep(*(run_config(samples_seen=n, schedule=schedule) for n in (640, 1280)))
    frozen.freeze(made(root), sweep)
    cuts = frozen.load_cuts(Root(root), "test")
    assert cuts == tuple(cuts_of(sweep.expansion))
    assert [cut.end for cut in cuts] == [512, 1024]
    assert frozen.load_cuts(Root(root), "other") == ()


def test_a_launch_replaces_what_was_launched_before(root: Path) -> None:
    frozen.freeze(made(root), frozen_sweep(run_config()))
    frozen.freeze(Root(root), frozen_sweep(run_config(seed=2)))
    known = frozen.load(Root(root), "test")
    assert known is not None
    assert [run.config.seed for run in known.expansion.runs] == [2]


def test_an_edited_configuration_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: 1\n")
    before = frozen.conf_digest(tmp_path)
    (tmp_path / "a.yaml").write_text("x: 2\n")
    assert frozen.conf_digest(tmp_path) != before
