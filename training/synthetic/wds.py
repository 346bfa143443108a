"""Write data sets in the field's two WebDataset layouts, with the webdataset package.

Training: what img2dataset writes and open_clip reads: `00000.tar` with `000000000.jpg`, `.txt` and
`.json`. Evaluation: what CLIP_benchmark reads: `test/0.tar` with an image, `.cls` and `.txt`, beside
`classnames.txt`, `zeroshot_classification_templates.txt` and `test/nshards.txt`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import webdataset

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
        with webdataset.TarWriter(str(folder / f"{shard:05d}.tar"), mtime=0) as tar:
            for number in range(min(per_shard, num_samples - shard * per_shard)):
                image, caption = next(iterator)
                key = f"{shard:05d}{number:04d}"
                meta = {"caption": caption, "key": key, "status": "success"}
                tar.write({"__key__": key, "jpg": image, "txt": caption, "json": meta})


def write_eval_set(
    folder: Path, samples: Iterable[EvalSample], classes: Sequence[str], templates: Sequence[str]
) -> None:
    """Write a test set that serves zero-shot classification and retrieval."""
    (folder / "test").mkdir()
    with webdataset.TarWriter(str(folder / "test" / "0.tar"), mtime=0) as tar:
        for number, sample in enumerate(samples):
            tar.write(
                {
                    "__key__": f"s{number:07d}",
                    sample.extension: sample.image,
                    "cls": str(sample.label),
                    "txt": "\n".join(sample.captions),
                }
            )
    _write_lines(folder / "classnames.txt", classes)
    _write_lines(folder / "zeroshot_classification_templates.txt", templates)
    _write_lines(folder / "test" / "nshards.txt", ["1"])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
