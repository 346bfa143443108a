"""Test sets as evaluators see them. Where their files lie: `evaluation.sets.layout`."""

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.sets.decoded import DecodedSets, Source, decoded_in_memory
from evaluation.sets.layout import CLASSES, MULTILABEL, TEMPLATES, instances_path, kind_of
from sweeps.errors import DataError
from training.data.decode import Pixels

log = logging.getLogger(__name__)

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


def _no_digests() -> NDArray[np.uint64]:
    return np.empty(0, dtype=np.uint64)


def _no_training_split() -> "TestSet":
    raise DataError("this test set has no training split")


@dataclass(frozen=True, eq=False)
class TestSet:
    """A decoded test set; what it does not have is empty.

    `images`: uint8, shape (n, side, side, 3). `labels`: shape (n,); in a multilabel set (n, classes), 0
    or 1. `captions`: those of each image. `groups`: shape (n, fields). `masks`: the class of each
    pixel, shape (n, side, side). `train`: reads what can be learnt from, once. `digests`: equal where
    images are, shape (n,).
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
    digests: NDArray[np.uint64] = field(default_factory=_no_digests)


def load_test_set(
    folder: Path, side: int, split: str = "test", *, kept: DecodedSets | None = None
) -> TestSet:
    """Return the test set in `folder` at a resolution of `side` × `side` pixels.

    Args:
        folder: where it lies.
        side: of its images.
        split: test or train.
        kept: decoded sets, of which this one will be; without, it is decoded into memory.

    Raises:
        DataError: it is incomplete, a template has no {c}, or a sample cannot be decoded.
    """
    classes, templates = _classes(folder / CLASSES), _templates(folder / TEMPLATES)
    source, is_multilabel = Source(folder=folder, side=side, split=split), kind_of(folder) == MULTILABEL
    found = decoded_in_memory(source) if kept is None else kept.open(source)
    rest = found.rest
    return TestSet(
        images=found.images,
        digests=found.digests,
        labels=np.array(rest.numbers if is_multilabel else rest.labels, dtype=np.int64),
        captions=tuple(rest.captions),
        classes=classes,
        templates=templates,
        groups=np.array([] if is_multilabel else rest.numbers, dtype=np.int64),
        instances=_instances(instances_path(folder, split), rest.num_images),
        masks=found.masks,
        train=functools.cache(lambda: load_test_set(folder, side, "train", kept=kept)),
    )


def _instances(path: Path, num_images: int) -> tuple[Instance, ...]:
    if not path.exists():
        return ()
    try:
        found = tuple(msgspec.json.decode(one, type=Instance) for one in path.read_bytes().splitlines())
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: {error}") from error
    for number, instance in enumerate(found):
        places = range(len(instance.images))
        if not places:
            raise DataError(f"{path}, line {number + 1}: it names no images")
        if not _are_among(instance.images, range(num_images)) or not _are_among(
            instance.associated, places
        ):
            raise DataError(f"{path}, line {number + 1}: it names images that are not there")
    return found


def _are_among(numbers: Sequence[int], valid: range) -> bool:
    return all(number in valid for number in numbers)


def _classes(path: Path) -> tuple[str, ...]:
    """Return the names of classes. One may be empty: VTAB's distances in CLEVR have such a class."""
    names = _lines(path)
    for number, name in enumerate(names, 1):
        if not name:
            log.warning("%s, line %d is empty: a class without a name", path, number)
    return names


def _templates(path: Path) -> tuple[str, ...]:
    templates = _lines(path)
    for number, template in enumerate(templates, 1):
        if "{c}" not in template:
            raise DataError(f"{path}, line {number}: {template!r} has no {{c}}, where the class goes")
    return templates


def _lines(path: Path) -> tuple[str, ...]:
    """Return the lines of a file, but for empty ones at its end."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}") from error
    return tuple(line.strip() for line in text.rstrip().splitlines())
