"""Fine-tuning learns, and goes on where it was killed."""

import itertools
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conf.schema import ModelConfig
from evaluation.encoding.encoder import Encoder
from evaluation.evaluator import Resumable
from evaluation.evaluators.finetune import FineTune
from evaluation.sets.testset import TestSet, load_test_set
from sweeps.composing.compose import compose_part
from sweeps.errors import DataError, NotFinite, StopAsked
from training.checkpoints import checkpoint
from training.distributed import World
from training.model import build_model, build_tokenizer
from training.synthetic.shapes import write_test_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TestSet:
    """Drawings of which only the colour is asked, to learn from and to be tested by."""
    folder = tmp_path_factory.mktemp("drawings")
    write_test_set(folder, num_samples=300, seed=5)
    data = load_test_set(folder, 32)
    colours = data.labels // 6
    names = tuple(name.split()[0] for name in data.classes[::6])
    train = TestSet(data.images[:200], colours[:200], (), names)
    return TestSet(
        data.images[200:], colours[200:], (), names, ("a photo of a {c} circle",), train=lambda: train
    )


class Killed(Exception):
    """Ends a training as a kill would: after a state was saved, before the end."""


class Fragile(torch.nn.Module):
    """A tower that dies at some call."""

    calls_left = 10**9

    def __init__(self, tower: torch.nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, *given: Any) -> Any:
        Fragile.calls_left -= 1
        if Fragile.calls_left == 0:
            raise Killed
        return self.tower(*given)


def encoder() -> Encoder:
    config = compose_part("model", ModelConfig, ["model=ViT-w32"])
    Fragile.calls_left = 10**9
    model: Any = build_model(config, seed=0)
    model.visual = Fragile(model.visual)
    return Encoder(model, build_tokenizer(config), World().device)


def test_it_learns_and_ends_where_an_undisturbed_one_does(data: TestSet, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    tune = FineTune(epochs=4, batch=20, lr=2e-3, save_every_s=0.0)
    assert isinstance(tune, Resumable)
    model, state = encoder(), tmp_path / "unfinished" / "state.safetensors"
    before = {name: tensor.clone() for name, tensor in model.image_tower.state_dict().items()}
    undisturbed = dict(tune.run(model, data))
    assert undisturbed["ft_acc1"] > 0.5, "chance is 1 / 8"
    assert all(torch.equal(t, before[name]) for name, t in model.image_tower.state_dict().items())

    Fragile.calls_left = 23
    with pytest.raises(Killed):
        list(tune.run_from(model, data, state))
    assert state.exists()
    Fragile.calls_left = 40 - 22 + 1 + 1  # the steps that are left, and one batch of test images
    assert dict(tune.run_from(model, data, state)) == undisturbed
    assert not state.exists()


def test_who_is_asked_to_leave_saves_where_it_stands(data: TestSet, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    tune, model, state = FineTune(epochs=1, batch=20), encoder(), tmp_path / "state.safetensors"
    undisturbed = dict(tune.run(model, data))
    seen = itertools.count(1)

    def pulse() -> None:
        if next(seen) == 7:
            raise StopAsked

    model.pulse = pulse
    with pytest.raises(StopAsked):
        list(tune.run_from(model, data, state))
    assert checkpoint.read(state)[1].steps == 6
    other = FineTune(epochs=1, batch=20, lr=2e-3)
    copied = Path(shutil.copy(state, tmp_path / "other.safetensors"))
    assert dict(other.run_from(model, data, copied)) == dict(other.run(model, data)), "not from there"
    assert dict(tune.run_from(model, data, state)) == undisturbed
    assert not state.exists()


def test_a_training_that_diverges_gives_no_scores_and_leaves_no_state(
    data: TestSet, tmp_path: Path
) -> None:
    state = tmp_path / "state.safetensors"
    with pytest.raises(NotFinite, match="fine-tuning diverged"):
        list(FineTune(epochs=1, batch=100, lr=1e30, save_every_s=0.0).run_from(encoder(), data, state))
    assert not state.exists()


def test_without_a_training_split_that_fits_nothing_can_be_learnt() -> None:
    images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    data = TestSet(images, np.array([0, 1]), (), ("red", "blue"), ("a {c} circle",))
    with pytest.raises(DataError, match="no training split"):
        list(FineTune().run(encoder(), data))
    for label, message in ((2, "labels of 3 classes and names of 2"), (-100, "the label -100")):
        train = partial(TestSet, images, np.array([0, label]))
        with pytest.raises(DataError, match=f"the training split has {message}"):
            list(FineTune().run(encoder(), replace(data, train=train)))
