"""Write data sets in the field's two WebDataset layouts.

Training: what img2dataset writes and open_clip reads: `00000.tar` with `000000000.jpg`, `.txt` and
`.json`. Evaluation: what CLIP_benchmark reads: `test/0.tar` with an image, `.cls` and `.txt`, beside
`classnames.txt`, `zeroshot_classification_templates.txt` and `test/nshards.txt`.

The webdataset package would write the same, but imports torch, for which a login node would wait longer
than for the writing.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLES_PER_SHARD = 10_000
"""img2dataset's keys are the shard's number and four digits of the sample's."""


@dataclass(frozen=True, slots=True)
class EvalSample:
    """One image of a test set: encoded bytes, its extension, class and captions."""

    image: bytes
    extension: str
    label: int
    captions: tuple[str, ...]


def write_training_set(
    folder: Path, pairs: Iterable[tuple[bytes, str]], num_samples: int, num_shards: int
) -> None:
    """Write (JPEG, caption) pairs into `num_shards` tar files of equal size (the last may be less)."""
    per_shard = -(-num_samples // num_shards)
    if per_shard > SAMPLES_PER_SHARD:
        raise ValueError(f"{per_shard} samples a shard are more than {SAMPLES_PER_SHARD}")
    iterator = iter(pairs)
    for shard in range(num_shards):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as tar:
            for number in range(min(per_shard, num_samples - shard * per_shard)):
                image, caption = next(iterator)
                key = f"{shard:05d}{number:04d}"
                meta = {"caption": caption, "key": key, "status": "success"}
                add_member(tar, f"{key}.jpg", image)
                add_member(tar, f"{key}.txt", caption.encode())
                add_member(tar, f"{key}.json", json.dumps(meta).encode())


def write_eval_set(
    folder: Path, samples: Iterable[EvalSample], classes: Sequence[str], templates: Sequence[str]
) -> None:
    """Write a test set that serves zero-shot classification and retrieval."""
    (folder / "test").mkdir()
    with tarfile.open(folder / "test" / "0.tar", "w") as tar:
        for number, sample in enumerate(samples):
            key = f"s{number:07d}"
            add_member(tar, f"{key}.{sample.extension}", sample.image)
            add_member(tar, f"{key}.cls", str(sample.label).encode())
            add_member(tar, f"{key}.txt", "\n".join(sample.captions).encode())
    _write_lines(folder / "classnames.txt", classes)
    _write_lines(folder / "zeroshot_classification_templates.txt", templates)
    _write_lines(folder / "test" / "nshards.txt", ["1"])


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Put a file into an open tar; equal contents make equal tars."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
