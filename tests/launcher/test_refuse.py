"""Bad input of every kind: one line that says what to do, a non-zero status, and nothing written."""

import os
import shlex
from pathlib import Path

import pytest

from launcher import commands
from tests.commands import OWN_CONF, TINY
from tests.training.data.shards import write_shard
from training.data.commands import index
from training.data.sources import FEW_SHARDS

EVAL = "eval.evals=[{{_target_: {}, name: a, dataset: {}}}]"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("optim.weight_decay=inf", "optim.weight_decay: Expected `float` <= "),
        ("optim.lr=0", "optim.lr: Expected `float` > 0"),
        ("resources.num_ranks=0", "resources.num_ranks: Expected `int` >= 1"),
        ("global_batch_size=-64", "global_batch_size: Expected `int` >= 1"),
        ("checkpoints.milestone_factor=1.0001", "milestone_factor: Expected `float` >= 1.1"),
        ("cluster.time_min=0", "cluster.time_min: Expected `int` >= 1"),
        ("schedule.warmup=200%", "'200%' is more than all"),
        ("data.crop_scale=[0.9,0.1]", "crop_scale=[0.9, 0.1]: the first is above 0 and no more than"),
        ("data.shards={3..0}.tar", "data.shards={3..0}.tar: write tar files"),
        ("data.shards=abc", "data.shards=abc: write tar files"),
        ("data.shards=abc.tar", "generated shards need a folder of their own"),
        ("data.generator._target_=nope.x", "generator: _target_='nope.x': there is no module 'nope'"),
        ("procedure._target_=nope.X", "procedure: _target_='nope.X': there is no module 'nope'"),
        (EVAL.format("evaluation.evaluators.retrieval.Retreival", "shapes"), "Did you mean Retrieval?"),
        (
            EVAL.format("evaluation.evaluators.retrieval.Retrieval", "nope"),
            "the data set 'nope'. Choose from: shapes",
        ),
        ("model.name=a/b", "model.name 'a/b' becomes part of paths"),
        ("procedure=coca", "procedure=coca: ViT-w32 has no part that writes captions"),
        ("cluster.sbatch.x=3", "To add it, write +cluster.sbatch.x=3"),
        ("hooks=[{on: run, argv: [a], timeout_s: abc}]", "beside it stand on and timeout_s, a number"),
        ("hooks=[{on: run, _target_: no.such}]", "hook _target_='no.such' cannot be imported"),
        ("modle=x", "there is no 'modle' to set. Did you mean model"),
    ],
)
def test_a_value_that_cannot_be(
    root: Path, capsys: pytest.CaptureFixture[str], argument: str, message: str
) -> None:
    assert commands.run([*TINY, f"root={root}", argument]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not root.exists()


def test_a_model_that_open_clip_does_not_know(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TINY, f"root={root}", "model.config=null", "model.name=ViT-B-31"]
    assert commands.run(words) == 2
    assert "open_clip has no model 'ViT-B-31'. Did you mean ViT-B-32" in capsys.readouterr().err


def test_a_published_mammut_goes_by_its_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", *TINY, f"root={root}", "procedure=mammut", "model.config=null"]
    assert commands.run([*words, "model.name=mammut_ViT-S-32"]) == 0
    assert "refused" not in capsys.readouterr().out
    assert commands.run([*words, "model.name=mammut_ViT-X-32"]) == 0
    assert "refused: no such size of MaMMUT: 'mammut_ViT-X-32'" in capsys.readouterr().out


def test_many_shards_are_to_be_indexed_before_a_job_would_do_it(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, rest = 10, FEW_SHARDS + 1
    paths = [write_shard(tmp_path / f"{n}.tar", {"0.txt": b"a"}) for n in range(first + rest)]
    words = [*TINY, f"root={root}", "data.generator=null"]
    words.append(f"data.shards={tmp_path}/{{0..{first + rest - 1}}}.tar")

    def refused() -> str:
        assert commands.run(["plan", *words]) == 0
        return capsys.readouterr().out.partition("a launch would be refused: ")[2]

    assert commands.run(words) == 2
    assert f"tiny: about {first + rest} shards are in no index" in capsys.readouterr().err
    assert not root.exists()
    part = f"shards={tmp_path}/{{0..{first - 1}}}.tar"
    assert index(["name=tiny", part, f"folder={root}/data", "workers=1"], print) == 0
    told = refused()
    assert f"tiny: about {rest} shards are in no index" in told
    typed = shlex.split(told[told.index("python -m training index") :])
    assert index([*typed[4:], "workers=1"], print) == 0
    os.utime(paths[0], (0, 0))
    assert refused() == ""
    for path in paths:
        os.utime(path, (0, 0))
    assert f"tiny: about {first + rest} shards are in no index" in refused()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: mine\nblocks: [[\n", "while parsing a flow node"),
        ("name: other\nblocks: []\n", "conf/sweep/mine.yaml has name: other; write name: mine"),
        ("name: mine\nblocks: []\n", "sweep mine has no runs"),
        ("name: mine\n", "conf/sweep/mine.yaml does not say: blocks"),
    ],
)
def test_a_sweep_file_that_cannot_be(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "mine.yaml").write_text(text)
    path = OWN_CONF.replace("]", f",file://{tmp_path}]")
    assert commands.run([path, "sweep=mine", f"root={root}"]) == 2
    assert message in capsys.readouterr().err
    assert not root.exists()


def test_a_plan_says_why_a_launch_would_be_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(["plan", "sweep=full_grid", f"root={root}"]) == 0
    assert "a launch would be refused: data.shards of LAION-80M is not set" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["modle=x"], "there is no 'modle' to select or to set. Did you mean model"),
        (["format=jsn"], "format=jsn is unknown. Did you mean json?"),
        (["model=x"], "model=x is not in this sweep"),
    ],
)
def test_a_status_that_cannot_be(
    undisturbed: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert commands.run(["status", *TINY, f"root={undisturbed}", *words]) == 2
    assert message in capsys.readouterr().err
