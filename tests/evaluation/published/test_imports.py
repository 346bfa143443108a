"""Published results in the table, and rows as clip_benchmark's results."""

import csv
import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from analysis.__main__ import fit
from analysis.questions.tables import read_table
from evaluation import results
from evaluation.__main__ import add, export
from evaluation.results import compaction, inbox
from sweeps.commands import status_of
from sweeps.errors import UsageError
from sweeps.folders import CHECKOUT
from tests.evaluation.results.rows import row

LAION = CHECKOUT.parent / "shared/data/openclip"

RETRIEVAL = {
    "dataset": "wds/flickr30k",
    "model": "ViT-B-32",
    "pretrained": "laion2b_e16",
    "task": "zeroshot_retrieval",
    "metrics": {"image_retrieval_recall@5": 0.75, "note": "not a number"},
    "language": "en",
}
GERMAN = {
    "dataset": "imagenet1k",
    "model": "ViT-B-32",
    "pretrained": "laion2b_e16",
    "task": "zeroshot_classification",
    "metrics": {"acc1": 0.25, "acc5": 0.5},
    "language": "de",
}


def written(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def built(path: Path, *found: Mapping[str, object]) -> str:
    """Write results as `clip_benchmark build` does."""
    lines = []
    for one in found:
        metrics = one["metrics"]
        assert isinstance(metrics, dict)
        line = {**one, **metrics, "model_fullname": f"{one['model']} {one['pretrained']}"}
        lines.append({name: value for name, value in line.items() if name != "metrics"})
    with path.open("w") as file:
        writer = csv.DictWriter(file, sorted({name for line in lines for name in line}))
        writer.writeheader()
        writer.writerows(lines)
    return str(path)


def imported(capsys: pytest.CaptureFixture[str], root: Path, *files: str) -> str:
    assert add([*files, f"root={root}"]) == 0
    return capsys.readouterr().out


def test_results_of_clip_benchmark_stand_in_the_table_once(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox.append(root / "results", "own", [row()])
    one, table = written(tmp_path / "a.json", RETRIEVAL), built(tmp_path / "b.csv", GERMAN)
    assert imported(capsys, root, one, table) == "2 rows of 1 model, 2 of them new\n"
    compaction.compact(root / "results")
    assert imported(capsys, root, one, table) == "2 rows of 1 model, 0 of them new\n"
    frame = results.load(root, source="clip_benchmark")
    assert frame["eval"].tolist() == ["retrieval", "zeroshot_classification"]
    assert frame["downstream_dataset"].tolist() == ["flickr30k", "imagenet1k:de"]
    assert frame["image_retrieval_recall@5"].tolist()[0] == 0.75
    assert frame["final"].all()
    whole = results.load(root)
    assert whole["samples_seen"].dropna().tolist() == [640]
    assert whole["source"].tolist().count("isogrid") == 1


def test_metrics_that_were_not_computed_are_left_out(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    few = {**GERMAN, "dataset": "pcam", "metrics": {"acc1": 0.5, "acc5": math.nan}}
    files = written(tmp_path / "a.json", few), built(tmp_path / "b.csv", {**few, "model": "ViT-L-14"})
    assert imported(capsys, root, *files) == "2 rows of 2 models, 2 of them new\n"
    assert caplog.messages == [f"{files[0]}: left out, as no finite number stands there: acc5"]
    frame = results.load(root)
    assert (frame["acc1"].tolist(), "acc5" in frame) == ([0.5, 0.5], False)


def test_published_models_are_fitted_beside_or_without_a_sweep(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [
        {**GERMAN, "model": f"ViT-{number}", "metrics": {"acc1": 0.1 * number}} for number in (1, 2)
    ]
    imported(capsys, root, built(tmp_path / "a.csv", *models))
    table = read_table(str(root), None, None, published=True)
    assert table.frame["model"].tolist() == ["ViT-1", "ViT-2"]
    with pytest.raises(UsageError, match="no sweep was launched"):
        read_table(str(root), None, None)


def test_a_result_that_was_corrected_takes_the_place_of_the_old_one(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(capsys, root, written(tmp_path / "a.json", GERMAN))
    corrected = {**GERMAN, "metrics": {"acc1": 0.3, "acc5": 0.5}}
    said = imported(capsys, root, written(tmp_path / "a.json", corrected))
    assert said == "1 row of 1 model, 1 of them new\n"
    assert results.load(root)["acc1"].tolist() == [0.3]


def test_who_imports_again_with_fewer_tables_takes_nothing_back(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"arch": "ViT-B-32", "name": "b32.pt"}
    result = {"samples_seen": "100", "gmacs": "7", "gmacs_total": "700", "upstream_dataset": "LAION"}
    found = {"downstream_dataset": "cars", "task": "zeroshot_classification", "acc1": "0.5"}
    results_csv, runs_csv = tmp_path / "results.csv", tmp_path / "runs.csv"
    run = {**model, "lr": "1e-3", "warmup": "9", "gpus": "4", "local_bs": "32"}
    for path, line in ((results_csv, {**model, **result, **found}), (runs_csv, run)):
        path.write_text(f"{','.join(line)}\n{','.join(line.values())}\n")
    assert imported(capsys, root, str(results_csv)).endswith(" 1 of them new\n")
    assert imported(capsys, root, str(results_csv), str(runs_csv)).endswith(" 1 of them new\n")
    assert imported(capsys, root, str(results_csv)).endswith(" 0 of them new\n")
    assert results.load(root)[["lr", "global_batch_size"]].to_numpy().tolist() == [[1e-3, 128]]


def test_what_is_exported_can_be_imported_elsewhere(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [row(eval_version=1), row(eval_version=2, metrics={"acc1": 0.6})]
    retrieval = row(eval="retrieval", downstream_dataset="wds/vtab/pets", metrics={"recall": 1.0})
    inbox.append(root / "results", "own", [*rows, retrieval])
    imported(capsys, root, written(tmp_path / "a.json", RETRIEVAL))
    assert export(["format=clip_benchmark", f"root={root}", f"out={tmp_path / 'out'}"]) == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in files] == [
        "flickr30k_laion2b_e16_ViT-B-32_en_zeroshot_retrieval.json",
        "shapes_s@640_M_en_zeroshot_classification.json",
        "wds_vtab_pets_s@640_M_en_zeroshot_retrieval.json",
    ]
    assert json.loads(files[1].read_text()) == {
        "dataset": "shapes", "model": "M", "pretrained": "s@640", "task": "zeroshot_classification",
        "metrics": {"acc1": 0.6}, "language": "en",
    }  # fmt: skip
    said = imported(capsys, tmp_path / "other", *map(str, files))
    assert "3 rows of 2 models, 3 of them new\n" in said
    assert imported(capsys, root, *map(str, files)) == "3 rows of 2 models, 0 of them new\n"
    assert imported(capsys, root, str(files[1])) == "1 row of 1 model, 0 of them new\n"
    said = "left out, as they were exported from this table: "
    assert caplog.messages == [f"{said}2 rows", f"{said}1 row"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is no result of clip_benchmark"),
        ("a.json", {"dataset": "d"}, "missing required field `model`"),
        ("a.json", {**GERMAN, "metrics": {"acc1": None}}, "no metric is a number"),
        ("a.csv", "dataset,model,pretrained,task,acc1\nd,m,p,t,inf\n", "acc1='inf' is no number"),
        (
            "a.json",
            {**GERMAN, "metrics": {"lr": 1.0}},
            "no metric can be called 'lr', which is another",
        ),
        ("a.csv", "", "has no lines"),
        ("a.csv", "what,ever\n1,2\n", "has not the columns of any of: clip_benchmark's CSV"),
        ("a.csv", "dataset,model,pretrained,task,acc1\nd,m,p,t,x\n", "line 2: acc1='x' is no number"),
        ("a.csv", "dataset,model,pretrained,task,acc1\nd,m,p,t\n", "line 2: 4 columns where 5"),
        ("a.csv", "dataset,model,pretrained,task,acc1\nd,,p,t,0\n", "line 2: model is empty"),
        ("a.csv", "model,gmacs,mparams\nm,1,1\n", "hold facts about models, but no results"),
    ],
)
def test_a_file_that_holds_something_else_adds_nothing(
    name: str, content: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad = tmp_path / "root", written(tmp_path / name, content)
    assert status_of(lambda: add([bad, f"root={root}"])) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert message in said.err
    assert not root.exists()


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"there is no file .*{name}"):
        add([str(tmp_path / name), f"root={tmp_path}"])
    with pytest.raises(UsageError, match=f"is a folder; name its files: {tmp_path}/"):
        add([str(tmp_path), f"root={tmp_path}"])


def test_an_export_does_not_touch_a_folder_that_is_there(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox.append(root / "results", "own", [row()])
    written(tmp_path / "kept", "")
    assert status_of(partial(export, [f"root={root}"])) == 2
    assert "say where the files go" in capsys.readouterr().err
    assert status_of(partial(export, [f"root={root}", f"out={tmp_path}"])) == 2
    assert "is there already" in capsys.readouterr().err
    none = [f"root={root}", f"out={tmp_path}/none", "where.model=none"]
    assert status_of(partial(export, none)) == 2
    assert "nothing to export" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert (tmp_path / "kept").exists()


if LAION.is_dir():

    def test_the_tables_of_the_laion_study_have_what_a_fit_needs(
        root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        names = ("zeroshot_results", "trained_models_info", "arch_info")
        files = [str(LAION / f"{name}.csv") for name in names]
        assert imported(capsys, root, *files) == "1,312 rows of 32 models, 1,312 of them new\n"
        frame = results.load(root, downstream_dataset="imagenet1k", pretrain_dataset="LAION-2B")
        (huge,) = frame[frame["model"] == "ViT-H-14"].to_dict(orient="records")
        assert huge["gflops_per_sample"] == 2 * 190.97
        assert huge["gflops_total"] == pytest.approx(2 * 190.97 * huge["samples_seen"])
        assert (huge["global_batch_size"], huge["num_params"]) == (79_104, 986_110_000)
        assert (huge["acc1"], huge["lr"], huge["warmup"]) == (0.77972, 5e-4, 2000)
        words = [
            "y=error:acc1",
            "where.pretrain_dataset=LAION-2B",
            "where.downstream_dataset=imagenet1k",
        ]
        assert fit([f"root={root}", "published=true", "format=json", *words]) == 0
        assert -0.2 < json.loads(capsys.readouterr().out)["params"]["alpha"] < -0.05
