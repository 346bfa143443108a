"""Photograph-like JPEGs with captions of a stated length distribution, in tar shards.

Captions are of lognormal length, cut to 5 … 75 tokens: median 15, mean about 18, one in ten above 31,
as measured on web alt-texts. Each word is one token of CLIP's vocabulary.
"""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.synthetic.wds import add_member

MEDIAN_TOKENS, LOG_DEVIATION = 15.0, 0.57
FEWEST, MOST = 5, 75
WORDS = ("a", "photo", "of", "the", "dog", "house", "red", "car", "on", "street", "with", "blue", "sky")


def write_shards(folder: Path, *, num_shards: int, per_shard: int, side: int, seed: int = 0) -> str:
    """Write shards of `side`² JPEGs with captions; return their brace pattern."""
    folder.mkdir(parents=True)
    stream = np.random.default_rng(seed)
    for shard in range(num_shards):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as tar:
            for number in range(per_shard):
                key = f"{shard:05d}{number:04d}"
                add_member(tar, f"{key}.jpg", _jpeg(_picture(side, stream)))
                add_member(tar, f"{key}.txt", _caption(stream).encode())
    sizes = {f"{shard:05d}.tar": per_shard for shard in range(num_shards)}
    (folder / "sizes.json").write_text(json.dumps(sizes))
    return f"{folder}/{{00000..{num_shards - 1:05d}}}.tar"


def _picture(side: int, stream: np.random.Generator) -> NDArray[np.uint8]:
    """Return smooth colours with some grain: such an image of 256² takes about 20 kB, as photos do."""
    coarse = stream.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    grain = stream.normal(0, 6, (side, side, 1))
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=90)
    return content.getvalue()


def _caption(stream: np.random.Generator) -> str:
    length = round(float(stream.lognormal(np.log(MEDIAN_TOKENS), LOG_DEVIATION)))
    return " ".join(stream.choice(WORDS, min(max(length, FEWEST), MOST)))
