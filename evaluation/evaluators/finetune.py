"""Fine-tuning end to end: image tower and classes learn from a training split, then are tested."""

import copy
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, normalize

from conf.schema import OptimConfig, ResourceConfig, StageSchedule
from evaluation.encoding.encoder import Encoder
from evaluation.encoding.stream import BATCH
from evaluation.evaluators.classification import (
    Labels,
    Scores,
    accuracy,
    class_features,
    mean_per_class_recall,
)
from evaluation.evaluators.labels import learnable, refuse_unlabelled
from evaluation.sets.layout import CLASSES, TEMPLATES, TRAIN
from evaluation.sets.testset import TestSet
from sweeps import durable
from sweeps.errors import NotFinite, StopAsked
from sweeps.text import plural
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Layout, Position
from training.checkpoints.state import load_state, own_state
from training.data.decode import Pixels
from training.data.images import train_pixels
from training.data.normalize import Normalizer
from training.distributed import World
from training.optimizer import make_optimizer, set_learning_rate
from training.schedule import learning_rate

log = logging.getLogger(__name__)

CROP = (0.9, 1.0)
"""Share of an image's area that is seen in training."""
WARMUP = 10
"""The first of so many parts of the steps is warm-up."""


class FineTune:
    """Starts from the zero-shot classifier, as in arXiv:2109.01903: AdamW, cosine, at constant scale.

    What a step does depends on the seed and its number alone, so a training that goes on from a state
    ends where an undisturbed one does.

    Args:
        epochs: over the training split.
        batch: images a step; what is left of an epoch is left out.
        lr: highest learning rate.
        weight_decay: of AdamW.
        seed: of order and crops.
        save_every_s: seconds between states.
    """

    files = (CLASSES, TEMPLATES, TRAIN)

    def __init__(
        self,
        epochs: int = 10,
        batch: int = 512,
        lr: float = 3e-5,
        weight_decay: float = 0.1,
        seed: int = 0,
        save_every_s: float = 600.0,
    ) -> None:
        self._optim = OptimConfig(lr=lr, weight_decay=weight_decay, beta2=0.999)
        self._epochs, self._batch, self._seed, self._save_every_s = epochs, batch, seed, save_every_s

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield what `run_from` does, of a training that leaves nothing to go on from."""
        yield from self.run_from(model, data, None)

    def run_from(
        self, model: Encoder, data: TestSet, state: Path | None
    ) -> Iterator[tuple[str, float]]:
        """Yield ft_acc1, ft_acc5 (from 5 classes on) and ft_mean_per_class_recall.

        Args:
            model: stays as it is; a copy is trained.
            data: with a training split.
            state: a file from which training goes on if it is there, and which is gone at the end.

        Raises:
            DataError: as `refuse_unlabelled` and `learnable`.
            NotFinite: the training diverged.
            StopAsked: this process is to leave; the state is that of the last step.
        """
        refuse_unlabelled(data)
        train = learnable(data)
        classifier = _Classifier(model, class_features(model, data))
        self._train(classifier, train, state, model.pulse)
        scores = classifier.scores(data.images)
        if state is not None:  # also of a training that diverged: nobody is to go on from it
            state.unlink(missing_ok=True)
        if not np.isfinite(scores).all():
            raise NotFinite("fine-tuning diverged: the scores of classes are no finite numbers")
        yield "ft_acc1", accuracy(scores, data.labels, 1)
        if len(data.classes) >= 5:
            yield "ft_acc5", accuracy(scores, data.labels, 5)
        yield "ft_mean_per_class_recall", mean_per_class_recall(scores, data.labels)

    def _train(
        self,
        classifier: "_Classifier",
        train: TestSet,
        state: Path | None,
        pulse: Callable[[], None],
    ) -> None:
        batch = min(self._batch, len(train.images))
        an_epoch = len(train.images) // batch
        total = an_epoch * self._epochs
        schedule = StageSchedule(shape="cosine", warmup_steps=total // WARMUP, total_steps=total)
        optimizer = make_optimizer(classifier, self._optim)
        key = self._key(len(train.images))
        done = _restored(classifier, optimizer, state, key) if state is not None else 0
        save, saved_at = partial(_save, classifier, optimizer, state, key, batch), time.monotonic()
        for step in range(done, total):
            try:
                pulse()
            except StopAsked:
                save(step)
                raise
            epoch, place = divmod(step, an_epoch)
            order = np.random.default_rng([self._seed, 0, epoch]).permutation(len(train.images))
            rows = order[place * batch : (place + 1) * batch]
            set_learning_rate(optimizer, learning_rate(schedule, self._optim.lr, step))
            classifier.learn(self._cropped(train.images, rows, step), train.labels[rows])
            optimizer.step()
            optimizer.zero_grad()
            if time.monotonic() - saved_at >= self._save_every_s:
                save(step + 1)
                saved_at = time.monotonic()
            if place == an_epoch - 1:
                log.info("fine-tuned %d of %d epochs", epoch + 1, self._epochs)

    def _key(self, num_images: int) -> str:
        """Return what tells the states of this training from those of one with other options."""
        options = (self._optim, self._epochs, self._batch, self._seed, num_images)
        return hashlib.sha256(durable.encode(options)).hexdigest()[:16]

    def _cropped(self, images: Pixels, rows: NDArray[np.int64], step: int) -> Pixels:
        uniforms = np.random.default_rng([self._seed, 1, step]).random((len(rows), 4))
        side = images.shape[1]
        return np.stack(
            [train_pixels(images[n], side, CROP, u) for n, u in zip(rows, uniforms, strict=True)]
        )


class _Classifier(torch.nn.Module):
    """A copy of an image tower, and a vector for each class."""

    def __init__(self, model: Encoder, classes: NDArray[np.float32]) -> None:
        super().__init__()
        self.tower: Any = copy.deepcopy(model.image_tower)
        self.classes = torch.nn.Parameter(torch.from_numpy(classes).to(model.device))
        self._scale, self._device, self._normalize = model.logit_scale, model.device, Normalizer()
        self._casting = model.casting

    def forward(self, images: Pixels) -> torch.Tensor:
        """Return the logits of pixels."""
        with self._casting():
            made = self.tower(self._normalize(torch.from_numpy(images).to(self._device)))
        features = (made[0] if isinstance(made, tuple) else made).float()
        logits: torch.Tensor = self._scale * normalize(features, dim=-1) @ self.classes.T
        return logits

    def learn(self, images: Pixels, labels: Labels) -> None:
        """Add the gradient of the loss."""
        self.train()
        loss = cross_entropy(self(images), torch.from_numpy(labels).to(self._device))
        loss.backward()  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def scores(self, images: Pixels) -> Scores:
        """Return the scores of all images."""
        self.eval()
        parts = [self(images[n : n + BATCH]).cpu().numpy() for n in range(0, len(images), BATCH)]
        scores: Scores = np.concatenate(parts)
        return scores


def _save(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    path: Path | None,
    key: str,
    batch: int,
    steps: int,
) -> None:
    """Write a state after some steps, where there is a file for it."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    position = Position(
        key=key,
        samples_seen=steps * batch,
        samples_trained=steps * batch,
        steps=steps,
        train_s=0.0,
        rank_s=0.0,
        layout=Layout.here(World(), ResourceConfig()),
    )
    tensors = {name: tensor.cpu() for name, tensor in own_state(model, optimizer).items()}
    checkpoint.write(path, tensors, position)


def _restored(model: torch.nn.Module, optimizer: torch.optim.Optimizer, path: Path, key: str) -> int:
    """Put a state back; return how many steps it has behind it, 0 if there is none of this training."""
    try:
        tensors, position = checkpoint.read(path)
    except FileNotFoundError:
        return 0
    if position.key != key:
        log.warning("fine-tuning begins anew: what was left to go on from is of other options")
        return 0
    load_state(model, optimizer, tensors)
    log.info("fine-tuning goes on after %s", plural(position.steps, "step"))
    return position.steps
