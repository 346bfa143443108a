"""Test sets, decoded once into memory. Where their files lie: `evaluation.layout`."""

import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.layout import MULTILABEL, instances_path, is_test_set, kind_of, shard_paths
from sweeps.errors import DataError
from training.data.contents import Sample, image_of
from training.data.decode import PILLOW_ERRORS, Pixels, decode
from training.data.images import centre_of, eval_pixels
from training.data.indexing import index_in_memory
from training.data.reader import ShardReader

T = TypeVar("T")

LABEL, CAPTIONS, NUMBERS, MASK = "cls", "txt", "npy", "seg.png"

Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """A question about images of a set, by their numbers from 0 on.

    Winoground's: two `images` and the two `captions` that belong to them, in the same order.
    WinoGAViL's: the candidates, the cue as the only caption, and which of the candidates are
    `associated`, as places in `images`.
    """

    images: tuple[int, ...]
    captions: tuple[str, ...]
    associated: tuple[int, ...] = ()


def _no_numbers() -> Numbers:
    return np.empty(0, dtype=np.int64)


def _no_training_split() -> "TestSet":
    raise DataError("this test set has no training split")


@dataclass(frozen=True, eq=False)
class TestSet:
    """A decoded test set; what it does not have is empty.

    `images`: uint8, shape (n, side, side, 3). `labels`: shape (n,); in a multilabel set (n, classes), 0
    or 1. `captions`: those of each image. `groups`: shape (n, fields). `masks`: the class of each
    pixel, shape (n, side, side). `train`: reads what can be learnt from, once.
    """

    __test__ = False  # for pytest: this is no test

    images: Pixels
    labels: Numbers = field(default_factory=_no_numbers)
    captions: tuple[tuple[str, ...], ...] = ()
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    groups: Numbers = field(default_factory=_no_numbers)
    instances: tuple[Instance, ...] = ()
    masks: Pixels | None = None
    train: Callable[[], "TestSet"] = _no_training_split


def load_test_set(folder: Path, side: int, split: str = "test") -> TestSet:
    """Return the test set in `folder` at a resolution of `side` × `side` pixels.

    Raises:
        DataError: it is incomplete or a sample cannot be decoded.
    """
    samples = list(_samples(folder, split))
    for kind in (LABEL, CAPTIONS, NUMBERS, MASK):
        if 0 < sum(kind in sample for sample in samples) < len(samples):
            raise DataError(f"{folder}: some samples have a .{kind} and others have none")
    labels = _decoded(folder, samples, LABEL, int)
    numbers = _decoded(folder, samples, NUMBERS, _numbers)
    masks = _decoded(folder, samples, MASK, functools.partial(_mask, side=side))
    is_multilabel = kind_of(folder) == MULTILABEL
    return TestSet(
        images=np.stack([_pixels(folder, number, s, side) for number, s in enumerate(samples)]),
        labels=np.array(numbers if is_multilabel else labels, dtype=np.int64),
        captions=tuple(tuple(s[CAPTIONS].decode().splitlines()) for s in samples if CAPTIONS in s),
        classes=_lines(folder / "classnames.txt"),
        templates=_lines(folder / "zeroshot_classification_templates.txt"),
        groups=np.array([] if is_multilabel else numbers, dtype=np.int64),
        instances=_instances(instances_path(folder, split), len(samples)),
        masks=np.stack(masks) if masks else None,
        train=functools.cache(lambda: load_test_set(folder, side, "train")),
    )


def _samples(folder: Path, split: str) -> Iterator[Sample]:
    if not is_test_set(folder, split):
        raise DataError(f"no test set in {folder}: {split}/nshards.txt is missing")
    index = index_in_memory(shard_paths(folder, split))
    reader = ShardReader(index)
    for shard in range(index.num_shards):
        yield from reader.samples(shard)


def _decoded(
    folder: Path, samples: Iterable[Sample], kind: str, decode_one: Callable[[bytes], T]
) -> list[T]:
    """Return the members of one kind, decoded."""
    found = []
    for number, sample in enumerate(samples):
        if kind in sample:
            try:
                found.append(decode_one(sample[kind]))
            except PILLOW_ERRORS as error:  # ValueError is among them
                raise DataError(f"{folder}, sample {number}: {error}") from error
    return found


def _numbers(content: bytes) -> Numbers:
    numbers: Numbers = np.load(io.BytesIO(content), allow_pickle=False).astype(np.int64).reshape(-1)
    return numbers


def _mask(content: bytes, side: int) -> Pixels:
    """Return classes of pixels, cut as the image is; each is that of the nearest pixel."""
    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in ("L", "P"):
            raise ValueError(f"its mask has mode {image.mode}, and not 8 bits a pixel")
        width, height, left, top = centre_of(image.width, image.height, side)
        resized = np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
    return resized[top : top + side, left : left + side]


def _pixels(folder: Path, number: int, sample: Sample, side: int) -> Pixels:
    try:
        return eval_pixels(decode(image_of(sample)), side)
    except ValueError as error:
        raise DataError(f"{folder}, sample {number}: {error}") from error


def _instances(path: Path, num_images: int) -> tuple[Instance, ...]:
    if not path.exists():
        return ()
    try:
        found = tuple(msgspec.json.decode(one, type=Instance) for one in path.read_bytes().splitlines())
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: {error}") from error
    for number, instance in enumerate(found):
        places = range(len(instance.images))
        if not _are_among(instance.images, range(num_images)) or not _are_among(
            instance.associated, places
        ):
            raise DataError(f"{path}, line {number + 1}: it names images that are not there")
    return found


def _are_among(numbers: Sequence[int], valid: range) -> bool:
    return all(number in valid for number in numbers)


def _lines(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return tuple(line.strip() for line in lines)
