"""A checkpoint that encodes test sets and prompts, each image and each text once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from threading import local
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from conf.schema import Precision
from evaluation.encoding.apart import apart
from evaluation.encoding.stream import BATCH, ImageStream
from evaluation.encoding.tokens import Tokens
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError, NotFinite
from training.data.decode import Pixels
from training.data.normalize import Normalizer
from training.distributed import World
from training.model import Tokenizer
from training.precision import casting, use_precision
from training.procedure import Captioner, Procedure
from training.samples import Chunk, text_lengths

Features = NDArray[np.float32]
"""Unit vectors, shape (n, embedding)."""

CaptionLosses = Callable[[Chunk], tuple[torch.Tensor, torch.Tensor]]
"""Sums of the losses of each caption's tokens, and their numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What was asked of an encoder, in order; the values mean nothing."""

    sets: dict[TestSet, None] = field(default_factory=dict)
    texts: dict[str, None] = field(default_factory=dict)


class _OfThread(local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.normalize = Normalizer()


class Encoder:
    """Features of one model, kept as long as it; those of a test set's images as long as the set.

    `asked` takes down what is asked for. `pulse` is called between batches, and by evals that compute
    for long; what it raises ends them.

    Args:
        model: with `encode_image`, `encode_text` and `logit_scale`. On a CPU several
            threads call it at once.
        tokenizer: of its texts; what remembers them (`Tokens`) may serve many models.
        device: where it is.
        caption_losses: of a model that captions.
        precision: of the products in a forward pass.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: Tokenizer,
        device: torch.device,
        caption_losses: CaptionLosses | None = None,
        precision: Precision = Precision.fp32,
    ) -> None:
        self._model, self._tokenizer, self.device = model.eval(), tokenizer, device
        self._caption_losses, self._precision = caption_losses, precision
        self._of_thread = _OfThread()
        self._images: WeakKeyDictionary[TestSet, Features] = WeakKeyDictionary()
        self._texts: Features = np.empty(0, dtype=np.float32)
        self._places: dict[str, int] = {}
        self.asked = Asked()
        self.pulse: Callable[[], None] = lambda: None

    @property
    def num_params(self) -> int:
        """How many parameters the model has."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def image_tower(self) -> torch.nn.Module:
        """What makes features of images, not yet of unit length.

        Raises:
            DataError: the model has no tower of its own for that.
        """
        tower = getattr(self._model, "visual", None)
        if not isinstance(tower, torch.nn.Module):
            raise DataError(f"{type(self._model).__name__} has no image tower")
        return tower

    @property
    def logit_scale(self) -> float:
        """The model's temperature: what dot products are multiplied by."""
        return float(self._model.logit_scale.detach().exp())  # type: ignore[operator]

    def casting(self) -> AbstractContextManager[object]:
        """Return a context in which products are as precise as the encoder's own."""
        return casting(self.device, self._precision)

    def images(self, data: TestSet) -> Features:
        """Return the features of all images of a test set, in order."""
        self.asked.sets[data] = None
        self._see([data])
        return self._images[data]

    def texts(self, texts: Sequence[str]) -> Features:
        """Return the features of texts."""
        self.asked.texts.update(dict.fromkeys(texts))
        self._read(texts)
        return self._texts[[self._places[text] for text in texts]]

    def expect(self, asked: Iterable[Asked]) -> None:
        """Encode what will be asked for: images of all sets in one stream, all texts in one pass."""
        wanted = list(asked)
        self._see(dict.fromkeys(data for one in wanted for data in one.sets))
        self._read([text for one in wanted for text in one.texts])

    def _see(self, sets: Iterable[TestSet]) -> None:
        new = [data for data in sets if data not in self._images]
        if new:
            stream = ImageStream(new)
            features = self._features(self._of_images(stream), stream.num_batched)
            self._images.update(zip(new, stream.apart(features), strict=True))

    def _read(self, texts: Iterable[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._places]
        if new:
            features = self._features(self._of_texts(self._tokenizer(new)), len(new))
            self._texts = np.concatenate([self._texts, features]) if self._places else features
            self._places.update(zip(new, range(len(self._places), len(self._texts)), strict=True))

    @torch.inference_mode()
    def caption_loss(self, data: TestSet, captions: Sequence[str]) -> float | None:
        """Return the mean loss in nats of tokens, of one caption an image; None if it has none."""
        if self._caption_losses is None:
            return None
        sums, counts = 0.0, 0
        for first in range(0, len(captions), BATCH):
            self.pulse()
            tokens = self._tokenizer(list(captions[first : first + BATCH]))
            batch = torch.from_numpy(data.images[first : first + BATCH]).to(self.device)
            images = self._of_thread.normalize(batch)
            chunk = Chunk(images=images, tokens=tokens.to(self.device), lengths=text_lengths(tokens))
            with self.casting():
                losses, lengths = self._caption_losses(chunk)
            sums, counts = sums + float(losses.double().sum()), counts + int(lengths.sum())
        return sums / max(counts, 1)

    @torch.inference_mode()
    def patches(self, images: Pixels) -> torch.Tensor:
        """Return unit vectors of the patches of some images, shape (n, grid, grid, embedding).

        They are the last tokens of a vision transformer, taken through the norm and the projection of
        its pooled token: what a patch says in the space of texts, without training.

        Raises:
            DataError: the image tower is no vision transformer of open_clip's with a plain pooling.
            NotFinite: it diverged.
        """
        tower: Any = self._model.visual
        if not hasattr(tower, "forward_intermediates") or getattr(tower, "attn_pool", None) is not None:
            raise DataError(f"{type(tower).__name__} has no patches that texts can be compared with")
        self.pulse()
        numbers = self._of_thread.normalize(torch.from_numpy(images).to(self.device))
        with self.casting():
            made = tower.forward_intermediates(
                numbers, indices=1, normalize_intermediates=True, intermediates_only=True
            )
            tokens = made["image_intermediates"][-1].permute(0, 2, 3, 1)
            projected = tokens if tower.proj is None else tokens @ tower.proj
        return _finite(torch.nn.functional.normalize(projected.float(), dim=-1))

    def _of_images(self, stream: ImageStream) -> Iterator[torch.Tensor]:
        if self.device.type == "cuda":
            return map(self._encode_images, stream.uploaded(self.device))
        return apart(lambda rows: self._encode_images(stream.batch(rows)), stream.rows)

    def _of_texts(self, tokens: torch.Tensor) -> Iterator[torch.Tensor]:
        if self.device.type == "cuda":
            return map(self._encode_texts, torch.split(tokens, BATCH))
        return apart(self._encode_texts, partial(torch.split, tokens))

    @torch.inference_mode()
    def _encode_images(self, batch: torch.Tensor) -> torch.Tensor:
        """Return features; also in a thread, which is in no context that others are in."""
        model: Any = self._model
        with self.casting():
            features: torch.Tensor = model.encode_image(
                self._of_thread.normalize(batch), normalize=True
            )
        return features

    @torch.inference_mode()
    def _encode_texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return features, as `_encode_images`."""
        model: Any = self._model
        with self.casting():
            features: torch.Tensor = model.encode_text(tokens.to(self.device), normalize=True)
        return features

    @torch.inference_mode()
    def _features(self, batches: Iterator[torch.Tensor], total: int) -> Features:
        """Return the rows of all batches; a GPU goes on to the next one while the last is copied."""
        is_cuda, end = self.device.type == "cuda", 0
        features = torch.empty(0)
        with self.casting():  # around all batches, so that a GPU rounds the weights once
            for batch in batches:
                self.pulse()
                if end == 0:
                    features = torch.empty((total, batch.shape[1]), pin_memory=is_cuda)
                features[end : end + len(batch)].copy_(batch, non_blocking=True)
                end += len(batch)
        if is_cuda:
            torch.cuda.synchronize()
        return _finite(features).numpy()


def encoder_of(
    procedure: Procedure,
    model: torch.nn.Module,
    precision: Precision = Precision.fp32,
    tokens: Tokens | None = None,
) -> Encoder:
    """Return the encoder of a model that `procedure` built, on the GPU if there is one.

    From now on this process computes in `precision`; on a CPU, which would take longer for less, in
    fp32. `tokens` are those of an earlier encoder's texts, of the same procedure.
    """
    device = World().device
    precision = precision if device.type == "cuda" else Precision.fp32
    use_precision(precision)
    captions = partial(procedure.caption_losses, model) if isinstance(procedure, Captioner) else None
    return Encoder(model.to(device), tokens or procedure.tokenizer(), device, captions, precision)


def _finite(features: torch.Tensor) -> torch.Tensor:
    """Return `features`; comparisons with NaN are false, so it would pass for a perfect score."""
    if not features.isfinite().all():
        raise NotFinite("the model's features are no finite numbers; its training diverged")
    return features
