"""Whatever a cluster's config holds: it is refused, or reaches the job as it is and has no effect."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig
from launcher import commands
from launcher.machines.sbatch import script
from launcher.reconcile.names import refuse_unsafe_cluster
from launcher.records.submission import Submission
from sweeps.errors import UsageError
from tests.commands import TINY
from tests.launcher.worlds import runs, work
from tests.slurm.cluster import SlurmCluster

HOSTILE = (
    "$(touch effect)", "`touch effect`", "; touch effect", "\ntouch effect\n", "&& touch effect #",
    "| tee effect", "> effect", "<(touch effect)", "'", '"', "\\", "$HOME", "~", "*", "#", "%j", "!!",
    " ", "\t", "\r", "\0", "\u00a0", "\u2028", "é", "-", "{a,b}", "#SBATCH --wrap=x",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), max_size=5).map("".join)
PLAUSIBLE = TEXT | st.sampled_from(["CUDA/12.4", "GCC/13.2.0-x", "a b", "gpu&ib", "it's"])

CLUSTERS = st.builds(
    ClusterConfig,
    name=st.just("mine"),
    kind=st.just(ClusterKind.slurm),
    account=st.none() | PLAUSIBLE,
    partition=st.none() | PLAUSIBLE,
    qos=st.none() | PLAUSIBLE,
    modules=st.lists(PLAUSIBLE, max_size=2).map(tuple),
    env=st.dictionaries(st.sampled_from(["A", "B_2"]) | TEXT, PLAUSIBLE, max_size=2),
    sbatch=st.dictionaries(st.sampled_from(["comment", "constraint"]) | TEXT, PLAUSIBLE, max_size=2),
)

SHELL = """
module() { printf '%s\\0' "$@" >> modules; }
export SLURM_CPUS_PER_TASK=1
"""


def submission(cluster: ClusterConfig, folder: Path) -> Submission:
    return Submission(
        id="isogrid-abc-sweep-train-1",
        where="slurm@x",
        root=folder,
        cluster=cluster,
        policy=PolicyConfig(),
        code=folder,
        checkout=folder,
        commit="",
        train=tuple(work(runs(1)).train),
    )


@contextmanager
def shell(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """Let batch scripts find a `module`, and a Python that writes its environment down."""
    with pytest.MonkeyPatch.context() as patch:
        for fake in ("srun", "sbatch"):
            (folder / fake).touch(mode=0o755)
        (folder / "python").write_text("#!/bin/sh\nexec env -0 > environment\n")
        (folder / "python").chmod(0o755)
        (folder / "functions").write_text(SHELL)
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        patch.setattr("sys.executable", str(folder / "python"))
        yield patch


def split(path: Path) -> list[str]:
    return path.read_bytes().decode().split("\0")[:-1] if path.exists() else []


def options(text: str) -> list[str]:
    """Return the names of the options that sbatch finds in a script."""
    lines = (line.split()[1] for line in text.splitlines() if line.startswith("#SBATCH"))
    return sorted(line.removeprefix("--").partition("=")[0] for line in lines)


@settings(max_examples=60)
@given(CLUSTERS)
def test_a_batch_script_does_what_is_meant_and_nothing_else(cluster: ClusterConfig) -> None:
    try:
        refuse_unsafe_cluster(cluster)
    except UsageError:
        return
    with tempfile.TemporaryDirectory() as name, shell(folder := Path(name)):
        text = script(submission(cluster, folder))
        plain = script(submission(ClusterConfig(name="mine", kind=ClusterKind.slurm), folder))
        before = set(os.listdir(folder))
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        env = {**os.environ, "BASH_ENV": str(folder / "functions"), "HOME": "/nowhere"}
        subprocess.run(["bash", "-c", text], cwd=folder, env=env, check=True)
        assert set(os.listdir(folder)) - before <= {"modules", "environment"}
        loaded = split(folder / "modules")
        exported = dict(line.split("=", 1) for line in split(folder / "environment"))
    assert loaded == [word for module in cluster.modules for word in ("load", module)]
    assert {key: exported[key] for key in cluster.env} == cluster.env
    named = {name for name in ("account", "partition", "qos") if getattr(cluster, name) is not None}
    assert options(text) == sorted({*options(plain), *named, *cluster.sbatch})


def test_a_module_that_does_not_load_ends_the_job_before_python(tmp_path: Path) -> None:
    cluster = ClusterConfig(name="mine", kind=ClusterKind.slurm, modules=("CUDA/99",))
    with shell(tmp_path):
        text = script(submission(cluster, tmp_path))
        (tmp_path / "functions").write_text("module() { return 3; }\n")
        env = {**os.environ, "BASH_ENV": str(tmp_path / "functions")}
        ended = subprocess.run(["bash", "-c", text], cwd=tmp_path, env=env, check=False)
    assert ended.returncode == 3
    assert not (tmp_path / "environment").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modules": ("CUDA;x",)}, "cluster.modules: 'CUDA;x' is no name of a module"),
        ({"env": {"A B": "1"}}, "cluster.env: 'A B' is no name of an environment variable"),
        ({"env": {"A": "1\n2"}}, r"cluster.env.A='1\\n2': write one line"),
        ({"account": "a\n#SBATCH --x"}, "cluster.account='a"),
        ({"sbatch": {"job_name": "x"}}, "cluster.sbatch: 'job_name' is no long option of sbatch"),
        ({"sbatch": {"array": "0-1"}}, "cluster.sbatch.array: the launcher needs this option"),
        ({"sbatch": {"comment": "a\\b"}}, "write printable characters, no backslash"),
        ({"name": "../x"}, "cluster.name '../x' becomes part of paths"),
    ],
)
def test_what_no_quoting_saves_is_refused(change: dict[str, object], message: str) -> None:
    cluster = ClusterConfig(name="mine", kind=ClusterKind.slurm)
    with pytest.raises(UsageError, match=message):
        refuse_unsafe_cluster(replace(cluster, **change))  # type: ignore[arg-type]


def test_a_root_whose_name_slurm_would_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", *TINY, "cluster=slurm", f"root='{tmp_path}/50%'"]
    assert commands.run(words) == 0
    assert "use a path without line breaks, % and backslash" in capsys.readouterr().out


@pytest.mark.slurm
def test_slurm_reads_an_option_as_it_was_meant(slurm: SlurmCluster, tmp_path: Path) -> None:
    comment = 'it\'s $HOME, `id` "x" #y --z=1 %j é'
    cluster = ClusterConfig(name="m", kind=ClusterKind.slurm, sbatch={"comment": comment})
    refuse_unsafe_cluster(cluster)
    path = tmp_path / "job.sh"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", slurm.env["PATH"])
        path.write_text(script(submission(cluster, tmp_path)))
    job_id = slurm.client("sbatch", "--hold", "--parsable", str(path)).strip()
    shown = slurm.client("scontrol", "show", "job", job_id)
    slurm.client("scancel", job_id)
    assert f"   Comment={comment} \n" in shown
