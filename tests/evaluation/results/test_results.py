"""The table as people read it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import ClusterConfig, ClusterKind, LaunchConfig
from evaluation import results
from evaluation.__main__ import table
from evaluation.results import arrow, compaction, inbox, store
from evaluation.results.filters import filter_of
from evaluation.results.frames import frame_of_rows
from evaluation.results.select import filtered
from sweeps.errors import DamagedFile, UsageError
from sweeps.folders import CHECKOUT, Root, make_folders
from sweeps.runs import frozen
from sweeps.runs.frozen import FrozenSweep
from tests.commands import run
from tests.configs import expansion_of, run_config
from tests.evaluation.results.rows import row


@pytest.fixture
def launched(root: Path) -> Path:
    """A root with a sweep of two runs, each scored at its middle and its end, twice at the end."""
    make_folders(Root(root))
    expansion = expansion_of(run_config(), run_config(seed=1))
    launch = LaunchConfig(cluster=ClusterConfig(name="local", kind=ClusterKind.local))
    sweep = FrozenSweep(expansion=expansion, launch=launch, overrides=(), conf_digest="")
    frozen.freeze(Root(root), sweep)
    for one in expansion.runs:
        key = one.run_id
        for name, at, samples in (("old", 1.0, 640), ("new", 2.0, 640), ("mid", 1.0, 320)):
            own = row(
                checkpoint=f"{key}@{samples}", segment=key, samples_seen=samples, scored_at=at,
                metrics={"acc1": at / 10}, seed=one.config.seed,
            )  # fmt: skip
            inbox.append(Root(root).results, f"{key}-{name}", [own])
    return root


def test_each_eval_of_a_checkpoint_stands_once_and_the_newest_counts(launched: Path) -> None:
    frame = results.load(launched)
    assert len(frame) == 4
    assert frame[frame.samples_seen == 640]["acc1"].tolist() == [0.2, 0.2]


def test_final_marks_the_last_checkpoint_of_a_run(launched: Path) -> None:
    frame = results.load(launched)
    assert frame["final"].tolist() == (frame["samples_seen"] == 640).tolist()


def test_a_sweep_brings_its_runs_and_their_labels(launched: Path) -> None:
    frame = results.load(launched, sweep="test", final=True)
    assert frame["run_id"].nunique() == 2
    assert frame["number"].tolist() == ["0", "1"] or frame["number"].tolist() == ["1", "0"]
    assert (frame["seed"].astype(str) == frame["number"]).all()


def test_only_the_columns_that_are_named_are_given(launched: Path) -> None:
    frame = results.load(launched, columns=["acc1", "final", "seed"], samples_seen=640)
    assert frame.columns.tolist() == ["acc1", "final", "seed"]
    assert sorted(frame["seed"]) == [0, 1]
    of_sweep = results.load(launched, sweep="test", columns=["run_id", "acc1"], final=True)
    assert of_sweep.columns.tolist() == ["run_id", "acc1"]
    assert len(of_sweep) == 2
    with pytest.raises(UsageError, match="no column 'run_id'"):
        results.load(launched, columns=["run_id"])


def test_a_filter_sees_the_newest_row_only(launched: Path) -> None:
    assert results.load(launched, acc1=0.1)["samples_seen"].tolist() == [320, 320]
    compaction.compact(Root(launched).results)
    assert results.load(launched, acc1={"max": 0.15})["samples_seen"].tolist() == [320, 320]


FILTERS = st.one_of(
    st.sampled_from([0, 1, 1.5, "a", None, {"min": 1}, {"max": 1, "min": 0.5}, {"min": 6e9}]),
    st.lists(st.sampled_from([0, 1.0, 2.5, "a", "b", None]), max_size=3),
)


@given(wanted=FILTERS)
def test_a_filter_means_the_same_to_arrow_and_to_pandas(wanted: Any) -> None:
    rows = [row(lr=lr, commit=text) for lr in (0, 1.0, 2.5, None) for text in ("a", "b", None)]
    rows += [row(samples_seen=1), row(samples_seen=10**10)]
    table, frame = arrow.table_of(rows), frame_of_rows(rows)
    for column in ["lr", "samples_seen", *([] if isinstance(wanted, dict) else ["commit"])]:
        found = filter_of(table.schema, {column: wanted}).rows(table)
        assert found.tolist() == filtered(frame, {column: wanted}).index.tolist()


def test_text_is_categorical_and_serves_as_text(launched: Path) -> None:
    frame = results.load(launched, sweep="test")
    for name in ("model", "checkpoint", "run_id", "number"):
        assert isinstance(frame[name].dtype, pd.CategoricalDtype)
        assert frame[name].cat.categories.tolist() == sorted(set(frame[name]))
    assert len(frame[frame["model"] == "M"]) == 4
    some = frame[frame["final"]]
    assert some.groupby("checkpoint")["acc1"].count().tolist() == [1, 1]
    assert some.sort_values("checkpoint")["checkpoint"].tolist() == sorted(some["checkpoint"])
    named = pd.DataFrame({"model": ["M"], "family": ["ViT"]})
    assert frame.merge(named, on="model")["family"].tolist() == ["ViT"] * 4
    assert frame.to_csv() == frame.astype({"model": "str", "checkpoint": "str"}).to_csv()
    assert set(pd.concat([some, frame[~frame["final"]]])["checkpoint"]) == set(frame["checkpoint"])


def test_filters_take_values_and_lists(launched: Path) -> None:
    assert len(results.load(launched, seed=1)) == 2
    assert len(results.load(launched, seed=[0, 1], samples_seen=320)) == 2
    with pytest.raises(UsageError, match="no column 'sed'. Did you mean seed"):
        results.load(launched, sed=1)


def test_an_unknown_sweep_is_named_with_the_known_ones(launched: Path) -> None:
    with pytest.raises(UsageError, match=r"'tset' was never launched .* Did you mean test"):
        results.load(launched, sweep="tset")


def test_the_pairs_that_are_scored_are_named_as_work_items_name_them(launched: Path) -> None:
    pairs = results.scored_pairs(Root(launched))
    assert {name for _, name in pairs} == {"zeroshot_classification/shapes/v1"}
    assert len(pairs) == 4


def test_the_command_prints_the_table_in_each_format(launched: Path, tmp_path: Path) -> None:
    words = ("table", f"root={launched}", "sweep=test", "final=true", "where.seed=1")
    printed = run("evaluation", *words, "columns=[acc1,number]", root=launched).stdout
    assert printed == "acc1,number\n0.2,1\n"
    (row,) = json.loads(run("evaluation", *words, "format=json", root=launched).stdout)["rows"]
    assert (row["acc1"], row["seed"], row["final"]) == (0.2, 1, True)
    out = tmp_path / "table.parquet"
    run("evaluation", *words, "format=parquet", f"out={out}", root=launched)
    assert pd.read_parquet(out)["acc1"].tolist() == [0.2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabel"], "there is no command 'tabel'. Did you mean table?"),
        (["table"], "there is no results table under"),
        (["table", "format=xls"], "format: Invalid enum value 'xls'. Choose from: csv, json, parquet"),
        (
            ["table", "columns=acc1"],
            "columns: Expected `array`, got `str`; write a list, columns=[A,B]",
        ),
        (["mean"], "suite= is missing"),
        (["decoded"], "there is no root "),
    ],
)
def test_bad_arguments_are_one_line(words: list[str], message: str, root: Path) -> None:
    done = run("evaluation", *words, root=root)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr
    assert not root.exists()


@pytest.mark.parametrize("out", ["/dev/null", "/tmp"])
def test_what_is_no_file_is_not_replaced_by_one(launched: Path, out: str) -> None:
    with pytest.raises(UsageError, match=f"out={out} is no file"):
        table([f"root={launched}", f"out={out}"])


def test_a_part_that_is_damaged_is_named(launched: Path) -> None:
    compaction.compact(Root(launched).results)
    (part,) = (Root(launched).results / "parts").glob("*.parquet")
    part.write_bytes(b"torn")
    with pytest.raises(DamagedFile, match=f"{part.name} is damaged"):
        results.load(launched)


@pytest.mark.parametrize(
    "damage", [b'{"checkpoint', b"\0\0\0", b'{"checkpoint": "\xff"}', b'{"eval": 1}']
)
def test_a_damaged_line_of_the_inbox_is_named(root: Path, damage: bytes) -> None:
    stored = Root(root).results
    inbox.append(stored, "report", [row(checkpoint="a"), row(checkpoint="b")])
    (path,) = (stored / "inbox").glob("*/report.jsonl")
    path.write_bytes(path.read_bytes() + damage)
    for use in (results.load, lambda _: store.read_keys(stored), lambda _: compaction.compact(stored)):
        with pytest.raises(DamagedFile, match=f"^{path}, line 3 is damaged, .* delete it"):
            use(root)
    path.write_bytes(path.read_bytes().removesuffix(damage))
    assert len(results.load(root)) == 2


def test_the_launcher_asks_what_is_scored_without_arrow(launched: Path) -> None:
    compaction.compact(Root(launched).results)
    code = f"""
import sys
from pathlib import Path
from typing import Any
from evaluation.results import scored_pairs
from sweeps.folders import Root
assert len(scored_pairs(Root(Path({str(launched)!r})))) == 4
print(sorted({{"pandas", "torch", "pyarrow", "numpy"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
