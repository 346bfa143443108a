"""Training beside open_clip's trainer, on this machine: `python -m benchmarks.training`.

Prints one JSON object: a figure for each part, both sides from this invocation, alternating; and
`bars`, which says which limits are met. `--parts` names the parts. open_clip's trainer comes from PyPI
into a virtual environment of its own. isogrid trains as it does by default, without the padding
of texts, but where a part says that it takes all tokens: features are equal either way.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.captioned import write_shards
from benchmarks.components import components
from benchmarks.loading import loading, result_of
from benchmarks.openclip import Task
from benchmarks.sharing import units
from benchmarks.speed import rates, starts
from conf.schema import ModelConfig

TINY_SIDE = 32
TINY: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": TINY_SIDE,
        "patch_size": 8,
        "layers": 4,
        "width": 128,
        "head_width": 32,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 4},
}
FULL_TEXTS = "resources.cut_padding=false"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A comparison, and the bar for its ratio: at least `least`, at most `most`.

    Without either, what is measured has bars of its own.
    """

    measure: Callable[["Bench"], dict[str, Any]]
    least: float | None = None
    most: float | None = None

    def is_met(self, found: Mapping[str, Any]) -> bool:
        """Whether what was measured lies within the bar."""
        if self.least is not None:
            return bool(found["ratio"] >= self.least)
        if self.most is not None:
            return bool(found["ratio"] <= self.most)
        return all(bar["met"] for bar in found["bars"])


class Bench:
    """The data, and folders to work in."""

    def __init__(self, folder: Path, repeat: int) -> None:
        self._folder, self._repeat = folder, repeat
        self._shards = write_shards(folder / "data", num_shards=10, per_shard=200, side=256)

    def tiny(self) -> dict[str, Any]:
        """Train a tiny model at 32 px with CLIP's vocabulary of 49,408 tokens; and its parts apart."""
        task = self._tiny(2560)
        torch.set_num_threads(task.threads)
        model = ModelConfig(name=task.model, config=TINY)
        apart = components(model, self._shards, batch_size=task.batch_size, repeat=10)
        return {
            **rates(task, self._folder / "tiny", self._repeat),
            "components": {**apart, "loader": self._loader()},
        }

    def small(self) -> dict[str, Any]:
        """Train ViT-S-32-alt at 224 px with all 77 tokens."""
        return rates(self._small(), self._folder / "small", self._repeat, FULL_TEXTS)

    def small_cut(self) -> dict[str, Any]:
        """Train it without the padding of texts."""
        return rates(self._small(), self._folder / "cut", self._repeat)

    def start(self) -> dict[str, Any]:
        """Take the first step after a resume."""
        return starts(self._tiny(2000), self._folder / "start", self._repeat)

    def sharing(self) -> dict[str, Any]:
        """Share a trunk."""
        found = units()
        return {**found, "ratio": found["isogrid"] / found["alone"]}

    def pipeline(self) -> dict[str, Any]:
        """Load data, and look samples up."""
        return result_of([sys.executable, "-m", "benchmarks.pipeline"], [])

    def checkpoints(self) -> dict[str, Any]:
        """Save in the midst of steps."""
        return result_of([sys.executable, "-m", "benchmarks.checkpointing"], [])

    def _loader(self) -> float:
        """Return our images per second over open_clip's, one worker each."""
        found = loading(self._shards, samples=1920, workers=1, side=TINY_SIDE, repeat=self._repeat)
        ours, theirs = (float(found[side]["per_s"]) for side in ("isogrid", "open_clip"))
        return round(ours / theirs, 3)

    def _tiny(self, num_samples: int) -> Task:
        return Task(model="tiny-49k", shards=self._shards, num_samples=num_samples, config=TINY)

    def _small(self) -> Task:
        return Task(model="ViT-S-32-alt", shards=self._shards, num_samples=384)


PARTS = {
    "pipeline": Part(measure=Bench.pipeline),
    "tiny": Part(measure=Bench.tiny, least=1.5),
    "small": Part(measure=Bench.small, least=0.98),
    "small_cut": Part(measure=Bench.small_cut, least=1.25),
    "start": Part(measure=Bench.start, most=1.0),
    "checkpoints": Part(measure=Bench.checkpoints),
    "sharing": Part(measure=Bench.sharing, most=9.4 / 15),
}


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        bench = Bench(Path(name), given.repeat)
        found = {part: PARTS[part].measure(bench) for part in given.parts}
    bars = {part: PARTS[part].is_met(found[part]) for part in given.parts}
    print(json.dumps({"parts": found, "bars": bars, "load": [load_before, os.getloadavg()[0]]}))


if __name__ == "__main__":
    main()
