"""The expansion as it was launched."""

from pathlib import Path

from conf.schema import ClusterConfig, ClusterKind, LaunchConfig, RunConfig
from sweeps import frozen
from sweeps.folders import Root, make_folders
from sweeps.frozen import FrozenSweep
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
