"""Scoring real checkpoints of a tiny model."""

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conf.schema import EvalSpec, ResourceConfig
from evaluation import claims, orders, results, worker
from evaluation.alone import ScoreArguments, score_alone
from evaluation.claims import Claim, Scorer
from evaluation.encoding.encoder import Encoder
from evaluation.orders import ScoreOrder
from evaluation.results.arrow import BASE_SCHEMA
from evaluation.results.rows import Row
from evaluation.scoring import score_all
from evaluation.sets.decoded import Source
from evaluation.sets.testset import TestSet
from sweeps import durable
from sweeps.errors import ScoringFailed
from sweeps.folders import CHECKOUT, Root, make_folders
from sweeps.runs.expansion import Expansion
from sweeps.work.items import CheckpointEvals, ScoreItem, eval_id
from tests.commands import wait_for
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints.saved import weights_path
from training.data.generate import Generation, generate
from training.exits import RankExit, read_verdict

UNUSED = {"torch._dynamo", "torch.distributed.tensor", "sympy", "pandas", "timm"}
"""What takes long to import."""


class Fails:
    """An evaluator that cannot be run."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Raise an error."""
        raise ValueError("own reasons")


class FindsNothing(Fails):
    """An evaluator without a metric."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield nothing."""
        yield from ()


class Breaks(Fails):
    """An evaluator that finds the GPU broken."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Raise what torch does."""
        raise torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered")


class Stops:
    """An evaluator of a process that is asked to leave while it runs."""

    def __init__(self, stop_file: str) -> None:
        self._stop_file = Path(stop_file)

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Go on until the process leaves."""
        self._stop_file.touch()
        wait_for(model.pulse, "the stop to be seen")
        yield "never", 0.0


class Overtaken(Fails):
    """An evaluator of a process whose claim is followed while it runs."""

    def __init__(self, root: str, checkpoint: str) -> None:
        self._results, self._checkpoint = Root(Path(root)).results, checkpoint

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Follow the claim, as another process would."""
        held = claims.newest(self._results)[self._checkpoint]
        assert claims.take(self._results, replace(held, number=held.number + 1))
        yield "rank", 1.0


class Long(Fails):
    """A long evaluator, which finds nothing of its own to go on from."""

    def run_from(
        self, model: Encoder, data: TestSet, state: Path | None
    ) -> Iterator[tuple[str, float]]:
        """Yield a metric, as numpy has it."""
        assert state is not None
        assert not state.exists()
        yield "rank", np.float64(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Path, Expansion]:
    """A root in which one run is trained, and its test set written."""
    root = Root(tmp_path_factory.mktemp("root"))
    make_folders(root)
    expansion = expansion_of("sweep=tiny", "samples_seen=1280")
    (segment,) = expansion.segments.values()
    train(order_for(segment, root.segments, data))
    durable.replace(root.segment_config(segment.key), durable.encode(segment))
    generator = expansion.runs[0].config.eval.datasets["shapes"].generator
    assert generator is not None
    generate(Generation(folder=root.data / "tiny-test", generator=generator))
    return root.path, expansion


def order_of(
    trained: tuple[Path, Expansion], folder: Path, *samples: int, followable: tuple[Claim, ...] = ()
) -> ScoreOrder:
    root, expansion = trained
    (run,) = expansion.runs
    item = ScoreItem(
        checkpoints=tuple(
            CheckpointEvals(segment=run.run_id, samples_seen=n, evals=run.config.eval.evals)
            for n in samples
        ),
        datasets={"shapes": str(Root(root).data / "tiny-test")},
        resources=ResourceConfig(),
    )
    return ScoreOrder(
        item=item,
        root=root,
        scorer=Scorer(submission=folder.name, index=0, attempt=1),
        followable=followable,
        progress=folder / "progress",
        commit="c0ffee",
        stop_file=folder / "stop",
        verdict_file=folder / "verdict",
    )


def make_copy_of_weights(root: Path, expansion: Expansion, source: int, target: int) -> None:
    folder = Root(root).segment(expansion.runs[0].run_id)
    weights_path(folder, target).write_bytes(weights_path(folder, source).read_bytes())


def test_each_checkpoint_gets_its_rows_and_only_once(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    order = order_of(trained, tmp_path, 640, 1280)
    assert score_all(order)
    frame = results.load(trained[0])
    assert len(frame) == 4
    scored_at = frame["scored_at"].tolist()
    assert score_all(order)
    assert results.load(trained[0])["scored_at"].tolist() == scored_at
    assert (tmp_path / "progress").read_text().count("\n") == 4


def test_rows_are_born_complete(trained: tuple[Path, Expansion], tmp_path: Path) -> None:
    score_all(order_of(trained, tmp_path, 1280))
    frame = results.load(trained[0], samples_seen=1280, eval="zeroshot_classification")
    (row,) = frame.to_dict("records")
    assert (row["model"], row["pretrain_dataset"], row["downstream_dataset"]) == (
        "ViT-w32",
        "tiny",
        "shapes",
    )
    assert (row["lr"], row["warmup"], row["lr_scheduler"], row["steps"]) == (1e-3, 4, "cosine", 40)
    assert row["gflops_total"] == pytest.approx(row["gflops_per_sample"] * 1280)
    assert 0 <= row["acc1"] <= 1
    assert row["commit"] == "c0ffee"
    assert row["num_params"] > 10_000
    assert frame["gflops_per_sample"].notna().all()


def test_a_milestone_scored_alone_has_the_row_that_its_sweep_gives_it(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    score_all(order_of(trained, tmp_path, 1280))
    weights = weights_path(Root(root).segment(expansion.runs[0].run_id), 1280)
    test_set = Root(root).data / "tiny-test"
    given = ScoreArguments(weights=str(weights), dataset=str(test_set), append=True)
    (alone,) = score_alone(given)
    assert isinstance(alone, Row)
    assert len(results.load(root, downstream_dataset="tiny-test")) == 1, "it is that root's table"
    frame = results.load(
        root, checkpoint=alone.checkpoint, downstream_dataset="shapes", eval=alone.eval
    )
    (row,) = frame.to_dict("records")
    same = set(BASE_SCHEMA.names) - {"commit", "scored_at", "downstream_dataset"}
    assert {name: row[name] for name in same} == {name: getattr(alone, name) for name in same}
    assert {name: row[name] for name in alone.metrics} == alone.metrics


def test_a_checkpoint_that_is_not_there_is_passed_over(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    before = len(results.load(trained[0]))
    assert score_all(order_of(trained, tmp_path, 99))
    assert len(results.load(trained[0])) == before


def test_a_stop_leaves_the_rest_unscored(trained: tuple[Path, Expansion], tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    assert not score_all(order_of(trained, tmp_path, 640))


def test_what_fails_or_is_stopped_costs_no_other_eval_its_row(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    make_copy_of_weights(root, expansion, 640, 32)
    order, attempts = order_of(trained, tmp_path, 32), itertools.count(1)
    (task,) = order.item.checkpoints
    classify, loss = task.evals
    own = replace(loss, _target_=f"{__name__}.Fails", name="own")
    stops = replace(own, _target_=f"{__name__}.Stops", options={"stop_file": str(order.stop_file)})
    empty = replace(own, _target_=f"{__name__}.FindsNothing", name="empty")
    probe = replace(classify, dataset="nowhere")
    unnamed = replace(classify, dataset="unnamed")
    (tmp_path / "unnamed").mkdir()
    (tmp_path / "unnamed" / "test").symlink_to(Path(order.item.datasets["shapes"]) / "test")
    sets = {**order.item.datasets, **{name: str(tmp_path / name) for name in ("nowhere", "unnamed")}}

    def given(*evals: EvalSpec, followable: tuple[Claim, ...] = ()) -> ScoreOrder:
        item = replace(order.item, checkpoints=(replace(task, evals=evals),), datasets=sets)
        scorer = replace(order.scorer, attempt=next(attempts))
        return replace(order, item=item, followable=followable, scorer=scorer)

    def rows() -> set[str]:
        return set(results.load(root, checkpoint=task.checkpoint)["eval"])

    with pytest.raises(torch.AcceleratorError):
        worker.score(given(replace(own, _target_=f"{__name__}.Breaks"), loss))
    verdict = read_verdict(order.verdict_file)
    assert verdict is not None
    assert verdict.code is RankExit.device_failure
    (broken,) = claims.newest(Root(root).results).values()
    assert (rows(), "ECC" in broken.error) == (set(), True), "no other eval is tried"
    claims.release(Root(root).results, broken)
    assert not score_all(given(classify, stops, loss))
    assert (rows(), claims.newest(Root(root).results)) == ({classify.name}, {})
    order.stop_file.unlink()
    said = r"@32: .*unnamed/v1: .*nowhere/v1: no test set.*'own reasons'.*empty/.* no metric"
    with pytest.raises(ScoringFailed, match=said):
        score_all(given(classify, own, empty, probe, unnamed, loss))
    assert rows() == {classify.name, loss.name}
    (failed,) = claims.newest(Root(root).results).values()
    assert failed.failed == tuple(map(eval_id, (unnamed, probe, own, empty)))
    assert not list(Root(root).decoded.glob("unnamed*")), "what lacks a file is not decoded"
    assert not score_all(given(stops, followable=(failed,)))
    (given_back,) = claims.newest(Root(root).results).values()
    assert (given_back.tries, given_back.error) == (1, failed.error)
    claims.release(Root(root).results, given_back)


def test_a_decoded_set_that_is_damaged_costs_no_other_one_its_row(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    make_copy_of_weights(root, expansion, 640, 48)
    order = order_of(trained, tmp_path, 48)
    (task,), sets = order.item.checkpoints, order.item.datasets
    other = Path(shutil.copytree(sets["shapes"], tmp_path / "other"))
    (Root(root).decoded / Source(folder=other, side=32).name).write_bytes(b"damaged")
    evals = (replace(task.evals[0], dataset="other"), *task.evals)
    item = replace(
        order.item, checkpoints=(replace(task, evals=evals),), datasets={**sets, "other": str(other)}
    )
    with pytest.raises(ScoringFailed, match="other/v1: .* is damaged; delete it"):
        score_all(replace(order, item=item))
    assert len(results.load(root, checkpoint=task.checkpoint)) == len(task.evals)
    claims.release(Root(root).results, claims.newest(Root(root).results)[task.checkpoint])


def test_what_is_corrupt_is_named_after_the_others_are_scored(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    folder = Root(root).segment(expansion.runs[0].run_id)
    weights_path(folder, 1).write_bytes(b"torn")
    with pytest.raises(ScoringFailed, match=r"1 checkpoint not scored; .*@1: .*weights-1"):
        score_all(order_of(trained, tmp_path, 1, 640))
    assert len(results.load(root, checkpoint=f"{folder.name}@640")) == 2
    (failed,) = claims.newest(Root(root).results).values()
    assert (failed.tries, "weights-1" in failed.error) == (1, True)
    assert score_all(order_of(trained, tmp_path, 1)), "what is not followable is left alone"
    again = order_of(trained, tmp_path, 1, followable=(failed,))
    with pytest.raises(ScoringFailed):
        score_all(again)
    assert claims.newest(Root(root).results)[failed.checkpoint].tries == 2
    weights_path(folder, 1).unlink()


def test_a_checkpoint_in_other_hands_is_left_to_them(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    make_copy_of_weights(root, expansion, 640, 64)
    (run,) = expansion.runs
    theirs = Claim(
        checkpoint=f"{run.run_id}@64",
        number=1,
        tries=1,
        scorer=Scorer(submission="theirs", index=0, attempt=1),
    )
    assert claims.take(Root(root).results, theirs)
    assert score_all(order_of(trained, tmp_path, 64))
    assert results.load(root, checkpoint=theirs.checkpoint).empty
    assert score_all(order_of(trained, tmp_path, 64, followable=(theirs,)))
    assert len(results.load(root, checkpoint=theirs.checkpoint)) == 2
    assert theirs.checkpoint not in claims.newest(Root(root).results)


def test_who_is_taken_for_dead_hands_in_what_it_found(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    make_copy_of_weights(root, expansion, 640, 80)
    order = order_of(trained, tmp_path, 80)
    (task,) = order.item.checkpoints
    told = {"root": str(root), "checkpoint": task.checkpoint}
    slow = replace(task.evals[0], _target_=f"{__name__}.Overtaken", name="slow", options=told)
    item = replace(order.item, checkpoints=(replace(task, evals=(slow,)),))
    assert score_all(replace(order, item=item))
    assert results.load(root, checkpoint=task.checkpoint)["rank"].tolist() == [1.0]
    theirs = claims.newest(Root(root).results)[task.checkpoint]
    assert theirs.number == 2, "the other process works under its own"
    claims.release(Root(root).results, theirs)


def test_who_scores_a_checkpoint_keeps_nobody_from_its_long_evals(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    make_copy_of_weights(root, expansion, 640, 96)
    order = order_of(trained, tmp_path, 96)
    (task,) = order.item.checkpoints
    long = [replace(task.evals[0], _target_=f"{__name__}.Long", name=name) for name in ("one", "two")]
    item = replace(order.item, checkpoints=(replace(task, evals=(*long, *task.evals)),))
    one = Claim(
        checkpoint=task.checkpoint,
        part=eval_id(long[0]),
        number=1,
        tries=1,
        scorer=Scorer(submission="theirs", index=0, attempt=1),
    )
    for theirs in (one, replace(one, part="")):
        assert claims.take(Root(root).results, theirs)
    assert score_all(replace(order, item=item))
    assert results.load(root, checkpoint=task.checkpoint)["eval"].tolist() == ["two"]
    claims.release(Root(root).results, one)
    again = replace(order, item=item, scorer=replace(order.scorer, attempt=2))
    assert score_all(again)
    assert set(results.load(root, checkpoint=task.checkpoint)["eval"]) == {"one", "two"}
    left = claims.newest(Root(root).results)
    assert (one.name in left, task.checkpoint in left) == (False, True)
    claims.release(Root(root).results, replace(one, part=""))


def test_a_scoring_process_imports_no_more_than_it_needs(
    trained: tuple[Path, Expansion], tmp_path: Path
) -> None:
    root, expansion = trained
    make_copy_of_weights(root, expansion, 640, 128)
    orders.write(tmp_path / "order", order_of(trained, tmp_path, 128))
    code = "import sys; from evaluation.worker import main; print(main(), *sys.modules)"
    words = [sys.executable, "-c", code, str(tmp_path / "order")]
    done = subprocess.run(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    code, *modules = done.stdout.split()
    assert (code, UNUSED & set(modules)) == ("0", set())
    assert len(results.load(root, checkpoint=f"{expansion.runs[0].run_id}@128")) == 2
