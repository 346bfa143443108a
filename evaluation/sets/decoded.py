"""Test sets that were decoded once for all jobs: a file each, which a process maps into its memory.

    head       who made it
    pixels     uint8, shape (images, side, side, 3)
    masks      uint8, shape (images, side, side), where a set has them
    rest       `Rest` as JSON
    length     of the rest, 8 bytes

The hash in `NAME-SPLIT-SIDE-HASH` is of how the tars look (size and time of change) and of what decodes
them, so a set that changes is decoded anew. One process makes a file while others wait, or make others;
where one was killed, the next begins anew (`training.data.parts`). Who opens a file touches it:
`evaluation.sets.unused` deletes those that nobody has used for long.
"""

import contextlib
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.sets.decoding import CAPTIONS, LABEL, MASK, NUMBERS, Facts, Tars
from evaluation.sets.layout import shard_paths
from sweeps import durable
from sweeps.errors import DamagedFile, DataError
from sweeps.text import plural
from training.data import parts
from training.data.decode import Pixels
from training.data.index import HEAD_BYTES, Stamp
from training.data.shown import Bar

T = TypeVar("T")

log = logging.getLogger(__name__)

PREPROCESSING = "1: shorter side to size, bicubic antialiased, centre"
LIBRARIES = ("torch", "pillow", "simplejpeg")
"""Those whose version may change a pixel."""

LENGTH_BYTES = 8
MIB = 2**20

Tell = Callable[[int, int], None]
"""Told how many images of how many are decoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What is decoded: one split of the test set in `folder`, to `side` × `side` pixels."""

    folder: Path
    side: int
    split: str = "test"

    @property
    def name(self) -> str:
        """The file's name.

        Raises:
            DataError: there is no such split, or a tar is missing.
        """
        made_of = [PREPROCESSING, *(version(library) for library in LIBRARIES), *self._stamps()]
        key = sha256(durable.encode(made_of)).hexdigest()[:12]
        return f"{self.folder.resolve().name}-{self.split}-{self.side}px-{key}"

    def _stamps(self) -> list[Stamp]:
        try:
            return [Stamp.of(path.stat()) for path in shard_paths(self.folder, self.split)]
        except FileNotFoundError as error:
            raise DataError(f"no test set in {self.folder}: {error.filename} is missing") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """What a set holds besides pixels, of each image; what it does not hold is empty."""

    num_images: int
    side: int
    has_masks: bool
    digests: bytes
    labels: list[int] = field(default_factory=list)
    captions: list[tuple[str, ...]] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedSet:
    """One split of a test set. `digests`: a number for each image, equal where its pixels are."""

    images: Pixels
    digests: NDArray[np.uint64]
    masks: Pixels | None
    rest: Rest


def decoded_in_memory(source: Source) -> DecodedSet:
    """Return a set without a file.

    Raises:
        DataError: as `DecodedSets.open`.
    """
    content = BytesIO()
    _write(content, source, Tars(source.folder, source.split), lambda *_: None)
    return _viewed(np.frombuffer(content.getbuffer(), dtype=np.uint8))


class DecodedSets:
    """The files of decoded sets in a folder.

    Args:
        folder: is made where it is missing.
        alive: called now and then while a set is decoded, by this process or another one.
    """

    def __init__(self, folder: Path, alive: Callable[[], None] = lambda: None) -> None:
        self._folder, self._alive = folder, alive

    def open(self, source: Source) -> DecodedSet:
        """Return a set, mapped into memory; make its file where there is none.

        Raises:
            DataError: it is incomplete, or a sample cannot be decoded.
            DamagedFile: its file holds something else.
        """
        file = self._folder / source.name
        while (content := _mapped(file)) is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            if part := parts.claim(file, None, self._alive):
                with parts.beating(part):
                    self._make(part, file, source)
        try:
            return _viewed(content)
        except (msgspec.DecodeError, ValueError) as error:
            raise DamagedFile(f"{file} is damaged; delete it, and it is made anew") from error

    def is_being_made(self, source: Source) -> bool:
        """Return whether a process makes the file: who asks may make others meanwhile.

        Raises:
            DataError: there is no such split, or a tar is missing.
        """
        return durable.newest_generation(self._folder, f"{source.name}.part") > 0

    def _make(self, part: Path, file: Path, source: Source) -> None:
        parts.remove_earlier(part, file)
        bar = Bar(f"{source.folder.name}: decoded", "images")

        def tell(done: int, total: int) -> None:
            bar(done, total)
            self._alive()

        try:
            if file.exists():  # since before the part was claimed
                return
            tars = Tars(source.folder, source.split)
            mib = len(tars) * source.side**2 * 3 / MIB
            log.info("%s: %s will take %.0f MiB", file, plural(len(tars), "image"), mib)
            with part.open("r+b") as content:
                _write(content, source, tars, tell)
                content.flush()
                os.fsync(content.fileno())
            durable.move(part, file)
        except FileNotFoundError:
            log.warning("another process took this one for dead, and makes %s", file)
        finally:
            part.unlink(missing_ok=True)


def _write(content: BinaryIO, source: Source, tars: Tars, tell: Tell) -> None:
    content.seek(HEAD_BYTES)
    facts: list[Facts] = []
    for pixels, known in tars.decoded(source.side):
        content.write(pixels.data)
        facts.append(known)
        tell(len(facts), len(tars))
    masks = _of_all([one.mask for one in facts], MASK, source)
    content.writelines(mask.data for mask in masks)
    rest = durable.encode(
        Rest(
            num_images=len(facts),
            side=source.side,
            has_masks=bool(masks),
            digests=b"".join(one.digest for one in facts),
            labels=_of_all([one.label for one in facts], LABEL, source),
            captions=_of_all([one.captions for one in facts], CAPTIONS, source),
            numbers=_numbers(facts, source),
        )
    )
    content.write(rest + len(rest).to_bytes(LENGTH_BYTES, "little"))


def _of_all(values: Sequence[T | None], kind: str, source: Source) -> list[T]:
    """Return what all images have, or nothing if none has it."""
    there = [value for value in values if value is not None]
    if 0 < len(there) < len(values):
        raise DataError(f"{source.folder}: some samples have a .{kind} and others have none")
    return there


def _numbers(facts: Sequence[Facts], source: Source) -> list[list[int]]:
    found = _of_all([one.numbers for one in facts], NUMBERS, source)
    if len(lengths := sorted({len(some) for some in found})) > 1:
        few = plural(lengths[0], "number")
        raise DataError(f"{source.folder}: a .{NUMBERS} has {few}, and another {lengths[-1]}")
    return found


def _mapped(file: Path) -> Pixels | None:
    """Return a file's bytes, mapped into memory, and note that it is used; None if there is none."""
    try:
        with contextlib.suppress(PermissionError):  # another user's, who notes it where he uses it
            os.utime(file)
        if not file.stat().st_size:
            return np.empty(0, dtype=np.uint8)  # it is damaged; nothing that is empty can be mapped
        return np.memmap(file, dtype=np.uint8, mode="c")  # torch warns of what is read-only
    except FileNotFoundError:
        return None


def _viewed(content: Pixels) -> DecodedSet:
    """Return the set in a file's bytes, without a copy of them."""
    length = int.from_bytes(content[-LENGTH_BYTES:].tobytes(), "little")
    rest = durable.decode(content[-LENGTH_BYTES - length : -LENGTH_BYTES].tobytes(), Rest)
    plane = (rest.side, rest.side)
    images, left = _split(content[HEAD_BYTES:], (rest.num_images, *plane, 3))
    masks, _ = _split(left, (rest.num_images if rest.has_masks else 0, *plane))
    return DecodedSet(
        images=images,
        digests=np.frombuffer(rest.digests, dtype=np.uint64),
        masks=masks if rest.has_masks else None,
        rest=rest,
    )


def _split(content: Pixels, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """Return an array that some bytes begin with, and what follows it."""
    size = math.prod(shape)
    return content[:size].reshape(shape), content[size:]
