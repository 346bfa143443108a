"""One model is scored from the command line, without a sweep."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from conf.schema import EvalSpec, ModelConfig
from evaluation import results
from evaluation.__main__ import score
from evaluation.alone import ScoreArguments, score_alone
from evaluation.encoding.encoder import Encoder
from evaluation.evaluator import make_evaluator
from evaluation.evaluators.classification import ZeroShotClassification
from evaluation.measure import Failed
from evaluation.results.rows import Row
from evaluation.sets.testset import load_test_set
from sweeps.commands import status_of
from sweeps.composing.compose import compose_part
from sweeps.errors import UsageError
from tests.commands import run
from training.distributed import World
from training.model import build_model, build_tokenizer
from training.synthetic.shapes import write_test_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as open_clip's trainer writes them, a set of classes and one of captions."""
    folder = tmp_path_factory.mktemp("alone")
    model = build_model(config(), seed=0)
    weights = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": weights}, folder / "epoch_1.pt")
    for name, number in (("wds_shapes", 3), ("wds_captions", 4)):
        (folder / name).mkdir()
        write_test_set(folder / name, num_samples=60, seed=number)
    (folder / "wds_captions" / "dataset_type.txt").write_text("retrieval\n")
    return folder


def config() -> ModelConfig:
    return compose_part("model", ModelConfig, ["model=ViT-w32"])


def test_sets_as_they_lie_on_the_hub_are_scored_from_the_command_line(
    folder: Path, tmp_path: Path
) -> None:
    words = [f"weights={folder}/epoch_1.pt", "model=ViT-w32", "samples_seen=1000", "append=true"]
    sets = f"dataset=[{folder}/wds_shapes,{folder}/wds_captions]"
    done = run("evaluation", "score", *words, sets, "format=json", root=tmp_path)
    assert done.returncode == 0, done.stderr
    shapes, captions = json.loads(done.stdout)["rows"]
    names = ("eval", "downstream_dataset", "model", "samples_seen")
    assert [shapes[n] for n in names] == ["zeroshot_classification", "wds_shapes", "ViT-w32", 1000]
    assert captions["eval"] == "retrieval"
    assert captions["image_retrieval_recall@10"] > 0
    model = build_model(config(), seed=0)
    encoder = Encoder(model, build_tokenizer(config()), World().device)
    found = dict(ZeroShotClassification().run(encoder, load_test_set(folder / "wds_shapes", 32)))
    assert {name: shapes[name] for name in found} == pytest.approx(found, abs=1e-9)

    frame = results.load(tmp_path)
    assert frame["checkpoint"].str.startswith("epoch_1-").tolist() == [True, True]
    assert frame["gflops_total"].tolist() == pytest.approx([1000 * shapes["gflops_per_sample"]] * 2)
    again = ScoreArguments(
        weights=f"{folder}/epoch_1.pt",
        model="ViT-w32",
        dataset=(f"{folder}/wds_shapes", f"{folder}/wds_captions"),
        root=str(tmp_path),
        append=True,
    )
    assert score_alone(again) == [], "what has a row is not computed again"
    hidden = tmp_path / f".{'best' * 50}.pt"
    hidden.hardlink_to(folder / "epoch_1.pt")
    (row,) = score_alone(replace(again, weights=str(hidden), dataset=again.dataset[0]))
    assert isinstance(row, Row)
    assert len(results.load(tmp_path, checkpoint=row.checkpoint)) == 1, "whatever weights are called"
    next((tmp_path / "decoded").glob("wds_shapes-*")).write_bytes(b"damaged")
    failed, row = score_alone(replace(again, append=False))
    assert "is damaged; delete it" in str(failed)
    assert isinstance(row, Row), "the other set is scored all the same"


def test_a_suites_sets_are_found_in_another_folder(folder: Path, tmp_path: Path) -> None:
    for name in ("shapes-test", "digits"):
        (tmp_path / name).symlink_to(folder / "wds_shapes")
    given = ScoreArguments(
        weights=f"{folder}/epoch_1.pt",
        model="ViT-w32",
        suite="quickstart",
        data=str(tmp_path),
        root=str(tmp_path),
    )
    found = score_alone(given)
    (failed,) = (one for one in found if isinstance(one, Failed))
    assert str(failed) == "contrastive_loss/shapes/v1: 60 pairs are fewer than a batch of 64"
    assert len(found) == 4, "the others are scored all the same"


def test_what_fails_is_named_after_the_rows_that_there_are(
    folder: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name in ("typed", "unnamed", "blank"):
        (tmp_path / name).mkdir()
        for path in (folder / "wds_shapes").iterdir():
            (tmp_path / name / path.name).symlink_to(path)
    (tmp_path / "typed" / "dataset_type.txt").write_text("multilable")
    for name in ("unnamed", "blank"):
        (tmp_path / name / "classnames.txt").unlink()
    (tmp_path / "blank" / "classnames.txt").write_text("\n\n")
    target = "evaluator=evaluation.evaluators.classification.ZeroShotClassification"
    sets = f"dataset=[{tmp_path}/typed,{tmp_path}/unnamed,{tmp_path}/blank,{folder}/wds_shapes]"
    words = [f"weights={folder}/epoch_1.pt", "model=ViT-w32", sets, target, f"root={tmp_path}"]
    assert status_of(partial(score, words)) == 1
    out, err = (said.decode() for said in capfdbinary.readouterr())
    assert (out.count("\n"), "wds_shapes" in out) == (2, True)
    assert "zeroshot_classification/typed/v1: " in err
    assert "says 'multilable'. Did you mean multilabel?" in err
    assert f"/unnamed/v1: there is no {tmp_path}/unnamed/classnames.txt, which this eval" in err
    assert f"/blank/v1: there is nothing in {tmp_path}/blank/classnames.txt, which" in err
    (decoded,) = (tmp_path / "decoded").iterdir()
    assert decoded.name.startswith("wds_shapes-"), "what lacks a file is not decoded"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": "nope.pt", "dataset": "nope"}, "weights=.*nope.pt: there is no such file"),
        ({"weights": "epoch_1.pt", "dataset": "wds_shapes"}, "say model=NAME"),
        ({"weights": "epoch_1.pt", "model": "ViT-w64", "dataset": "wds_shapes"}, "no weights of this"),
        (
            {"weights": "epoch_1.pt", "dataset": "wds_shapes", "evaluator": "evaluation.nope.Probe"},
            "there is no module 'evaluation.nope'",
        ),
        (
            {"weights": "epoch_1.pt", "model": "ViT-w32", "procedure": "coca", "dataset": "wds_shapes"},
            "no part that writes",
        ),
        ({"weights": "epoch_1.pt", "model": "ViT-w32"}, "say what to score on"),
        (
            {"weights": "epoch_1.pt", "model": "ViT-w32", "dataset": "wds_shapes", "suite": "vtab"},
            "not both",
        ),
        (
            {"weights": "epoch_1.pt", "model": "ViT-w32", "dataset": "wds_shapes", "root": __file__},
            "is not a folder",
        ),
        ({"weights": "epoch_1.pt", "model": "ViT-w32", "dataset": "nope"}, "nope/test/nshards.txt"),
        ({"weights": "epoch_1.pt", "model": "ViT-w32", "suite": "vtabb"}, "Did you mean vtab"),
    ],
)
def test_what_is_not_there_is_said(folder: Path, given: dict[str, Any], message: str) -> None:
    for name in {"weights", "dataset"} & given.keys():
        given = {**given, name: str(folder / given[name])}
    with pytest.raises(UsageError, match=message):
        score_alone(ScoreArguments(**given))


def test_weights_that_are_torn_and_sets_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    sets = (f"{folder}/wds_shapes", f"{tmp_path}/wds_shapes")
    given = ScoreArguments(weights=f"{tmp_path}/torn.safetensors", model="ViT-w32", dataset=sets)
    with pytest.raises(UsageError, match="wds_shapes would have one name: rename one"):
        score_alone(given)
    with pytest.raises(UsageError, match="holds no weights of this model: SafetensorError: "):
        score_alone(replace(given, dataset=sets[0]))


def test_options_that_an_evaluator_does_not_take_are_said() -> None:
    target = "evaluation.evaluators.groups.WorstGroup"
    spec = EvalSpec(_target_=target, name="a", dataset="d", options={"metric": "m", "feild": 1})
    with pytest.raises(UsageError, match=r"options of .*WorstGroup: .*'field'"):
        make_evaluator(spec)
