"""What the README shows is what the program takes."""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from launcher.commands import COMMANDS
from launcher.reconcile.hooks import read_hooks
from sweeps.composing.compose import compose_request
from sweeps.costs.layout import items_per_job
from sweeps.folders import CHECKOUT
from sweeps.runs.stages import stages_of
from tests.commands import OWN_CONF, run
from tests.slurm.cluster import SlurmCluster

README = (CHECKOUT / "README.md").read_text()
SWEEP, DATA, SUBSET, MIXTURE, STAGES, CLUSTER, HOOKS = re.findall(
    r"```yaml\n(.*?)```", README, re.DOTALL
)


@pytest.fixture
def conf(tmp_path: Path) -> str:
    """A search path with the README's files, beside the tests' own."""
    files = {
        "sweep/lr_study": SWEEP,
        "sweep/low_then_high": STAGES,
        "cluster/mine": CLUSTER,
        "data/my-laion": DATA,
    }
    files |= {"data/datacomp-medium": SUBSET, "data/my-mixture": MIXTURE}
    for name, text in files.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return OWN_CONF.replace("]", f",file://{tmp_path}]")


def test_its_sweep_and_cluster_compose(conf: str) -> None:
    request = compose_request([conf, "sweep=lr_study", "cluster=mine"])
    assert len(request.configs) == 2 * 3 * 2 - 2
    assert {c.schedule.warmup for c in request.configs if c.global_batch_size == 64} == {"10%"}
    assert request.launch.cluster.modules == ("CUDA",)
    assert {items_per_job(c.resources, request.launch.cluster) for c in request.configs} == {4, 2}
    alone = ("cluster.pass_from_jobs=true", "+cluster.sbatch.no-requeue=''")
    assert compose_request(
        [conf, "sweep=lr_study", "cluster=mine", *alone]
    ).launch.cluster.pass_from_jobs
    assert len(compose_request([conf, "sweep=lr_study", "scale=small"]).configs) == 5


def test_its_stages_compose(conf: str) -> None:
    request = compose_request([conf, "sweep=low_then_high"])
    low, high = stages_of(request.configs[0])
    assert (low.train.model.image_size, low.end, high.end) == (16, 40960, 51200)
    assert (high.train.global_batch_size, high.train.schedule.warmup_steps) == (32, 16)


@pytest.mark.slurm
def test_its_cluster_is_examined_and_what_differs_is_named(
    conf: str, root: Path, slurm_with_limits: SlurmCluster
) -> None:
    words = ("doctor", conf, "sweep=lr_study", "cluster=mine")
    done = run("launcher", *words, root=root, env=slurm_with_limits.env)
    assert done.returncode == 1, done.stderr
    assert "no partition 'gpu': set cluster.partition. Choose from: main" in done.stdout
    assert "no account 'my-project': set cluster.account. Choose from: lab, root" in done.stdout
    mended = ("cluster.partition=main", "cluster.account=lab")
    done = run("launcher", *words, *mended, root=root, env=slurm_with_limits.env)
    wrong = re.findall(r"^✗ (\w+)", done.stdout, re.MULTILINE)
    assert wrong == ["cores", "modules"], done.stdout
    assert "cores_per_node=48, but nodes have 8 CPUs" in done.stdout


def test_its_data_take_the_place_of_others(conf: str) -> None:
    (config, _) = compose_request([conf, "sweep=tiny", "data=my-laion"]).configs
    assert config.data.shards == "/scratch/laion/{00000..41455}.tar"
    (config, _) = compose_request([conf, "sweep=tiny", "data=datacomp-medium"]).configs
    assert config.data.subset.name == "basic"
    (config, _) = compose_request([conf, "sweep=tiny", "data=my-mixture"]).configs
    assert [source.weight for source in config.data.sources] == [3, 1]


def test_its_hooks_are_hooks() -> None:
    shown = OmegaConf.to_object(OmegaConf.create(HOOKS))
    assert isinstance(shown, dict)
    assert len(read_hooks(tuple(shown["hooks"]))) == 4


def test_its_table_of_commands_is_complete() -> None:
    shown = re.findall(r"^\| `(?:(\w+) )?(?:sweep=NAME|RUN|cluster=NAME)`", README, re.MULTILINE)
    assert {name or "launch" for name in shown} == set(COMMANDS)


@pytest.mark.parametrize("folder", ["conf", "sweeps", "launcher", "training", "evaluation", "analysis"])
def test_its_tree_names_the_folders(folder: str) -> None:
    assert re.search(rf"^{folder}/ +\w", README, re.MULTILINE)
    assert (CHECKOUT / folder).is_dir()
