"""Stages at different resolutions and context lengths, trained and scored."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evaluation import results
from sweeps.folders import Root, make_folders
from sweeps.runs.expansion import Run, Segment
from tests.evaluation.scored import score
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints import checkpoint
from training.checkpoints.done import done_path
from training.checkpoints.saved import saved_samples, weights_path
from training.model import build_model, fitted


def staged() -> tuple[Run, Segment, Segment]:
    """Return a run of 10 steps at 16 pixels and 6 tokens, then 5 at its own 32 pixels and 10 tokens."""
    expansion = expansion_of("sweep=staged", "recipe=staged")
    (run,) = expansion.runs
    low, high = (expansion.segments[key] for key in run.segments)
    return run, low, high


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Root:
    """A root in which both stages are trained."""
    root = Root(tmp_path_factory.mktemp("root"))
    make_folders(root)
    for segment in staged()[1:]:
        train(order_for(segment, root.segments, data))
    return root


def test_positions_are_interpolated_and_steps_add_up(root: Root) -> None:
    _, low, high = staged()
    small, _ = checkpoint.read(weights_path(root.segment(low.key), 480))
    large, position = checkpoint.read(weights_path(root.segment(high.key), 640))
    image, text = "visual.positional_embedding", "positional_embedding"
    assert [small[image].shape[0], large[image].shape[0]] == [1 + 2 * 2, 1 + 4 * 4]
    assert [small[text].shape[0], large[text].shape[0]] == [6, 10]
    assert (position.steps, position.samples_trained, position.samples_seen) == (15, 640, 640)


def test_the_class_token_keeps_its_position(root: Root) -> None:
    _, low, high = staged()
    small, _ = checkpoint.read(weights_path(root.segment(low.key), 480))
    image = "visual.positional_embedding"
    adapted = fitted(small, build_model(high.train.model, seed=0))
    assert torch.equal(adapted[image][0], small[image][0])
    assert adapted.keys() == small.keys()


def test_a_later_stage_resumes_exactly(root: Root, data: Path, tmp_path: Path) -> None:
    _, low, high = staged()
    shutil.copytree(root.segment(low.key), tmp_path / low.key)
    half = replace(high, end=high.start + 64, milestones=(), keep_state=True)
    order = order_for(half, tmp_path, data)
    train(order)
    assert saved_samples(order.folder, "state") == [544]
    done_path(order.folder).unlink()
    straight, _ = checkpoint.read(weights_path(root.segment(high.key), 640))
    resumed = train(order_for(high, tmp_path, data)).weights_sha256
    assert resumed == checkpoint.tensors_digest(straight)


def test_each_stage_is_scored_at_its_resolution(root: Root) -> None:
    expansion = expansion_of("sweep=staged", "recipe=staged")
    score(root, expansion, expansion.segments.values(), root.data / "tiny-test")
    frame = results.load(root.path, eval="contrastive_loss").sort_values("samples_seen")
    early, late = frame["gflops_per_sample"]
    assert early < late / 2
    assert frame["gflops_total"].tolist() == pytest.approx([480 * early, 480 * early + 160 * late])
    assert frame["steps"].tolist() == [10, 15]
