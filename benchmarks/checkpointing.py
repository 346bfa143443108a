"""What a checkpoint costs training, beside a blocking save: `python -m benchmarks.checkpointing`.

Prints one JSON object. A real model (ViT-S-32-alt: a full state of 519 MB) takes steps on random
images and texts. Rounds alternate: without a save, with one by `torch.save` as open_clip does it, with
one by isogrid's saver. `blocked_ms`: how long a save keeps the training thread. `extra_ms`: how much
longer a round takes with it, until it is durable or the round is over. With one training thread on two
cores a core is free, with as many as there are none is. `bars` says which limits are met.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.bars import Bar
from conf.schema import ModelConfig, OptimConfig, ResourceConfig
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Position
from training.checkpoints.saved import state_path
from training.checkpoints.saver import Saver
from training.checkpoints.state import Tensors, own_state
from training.distributed import World
from training.model import build_model, image_size
from training.optimizer import make_optimizer

MODEL = ModelConfig(name="ViT-S-32-alt")
BATCH, CONTEXT, VOCABULARY = 4, 77, 49_408
STEPS = 6
"""Of a round; its save begins before the second one."""
BLOCKED, EXTRA = 0.02, 0.10
"""Of a blocking save: so much may be blocked, and where a core is free lost in all."""


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as folder:
        bench = Bench(Path(folder))
        found = {n: bench.compare(n, given.rounds) for n in sorted({max(1, cores // 2), cores})}
    free = found[min(found)]
    bars = [
        Bar(name="blocked, of a blocking save", value=free["blocked_share"], limit=BLOCKED),
        Bar(name="blocked, no core free", value=found[cores]["blocked_share"], limit=BLOCKED),
        Bar(name="extra wall, a core free, of a blocking save", value=free["extra_share"], limit=EXTRA),
    ]
    print(
        json.dumps(
            {
                "machine": {"cores": cores, "load": [load_before, os.getloadavg()[0]]},
                "versions": {name: version(name) for name in ("torch", "open_clip_torch")},
                "rounds": given.rounds,
                "state_mb": bench.state_mb,
                "by_training_threads": found,
                "bars": [bar.shown() for bar in bars],
            }
        )
    )


@dataclass(kw_only=True, slots=True)
class Course:
    """What rounds of one kind took, in seconds: each in all, and its save of the training thread."""

    wall: list[float] = field(default_factory=list)
    blocked: list[float] = field(default_factory=list)


class Bench:
    """A model that takes steps, and its saver."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._model = build_model(MODEL, seed=0)
        side = image_size(MODEL)
        self._images = torch.rand(BATCH, 3, side, side)
        self._tokens = torch.randint(1, VOCABULARY, (BATCH, CONTEXT))
        self._optimizer = make_optimizer(self._model, OptimConfig(lr=1e-4))
        self._marks: list[float] = []
        # Around the saver's own hook, in which an update waits for the copy.
        self._optimizer.register_step_pre_hook(self._mark)
        self._saver = Saver(self._optimizer)
        self._optimizer.register_step_pre_hook(self._mark)
        self._step()

    @property
    def state_mb(self) -> float:
        """Megabytes of a full state."""
        state = own_state(self._model, self._optimizer)
        return round(sum(t.numel() * t.element_size() for t in state.values()) / 1e6, 1)

    def compare(self, threads: int, rounds: int) -> dict[str, float]:
        """Return medians of alternating rounds on so many threads, in milliseconds and as shares."""
        torch.set_num_threads(threads)
        kinds = {"none": _nothing, "blocking": self._blocking, "ours": self._ours}
        courses = {kind: Course() for kind in kinds}
        self._round(Course(), self._ours)  # allocates the buffers
        for _ in range(rounds):
            for kind, save in kinds.items():
                self._round(courses[kind], save)
        base = statistics.median(courses["none"].wall)
        blocking, ours = courses["blocking"], courses["ours"]
        whole = statistics.median(blocking.blocked)
        extra = statistics.median(ours.wall) - base
        return {
            "step_ms": _ms(base / STEPS),
            "blocking_blocked_ms": _ms(whole),
            "blocking_extra_ms": _ms(statistics.median(blocking.wall) - base),
            "blocked_ms": _ms(statistics.median(ours.blocked)),
            "extra_ms": _ms(extra),
            "blocked_share": round(statistics.median(ours.blocked) / whole, 4),
            "extra_share": round(extra / whole, 4),
        }

    def _round(self, course: Course, save: Any) -> None:
        began = time.perf_counter()
        self._step()
        saving = time.perf_counter()
        save()
        blocked = time.perf_counter() - saving
        self._step()
        course.blocked.append(blocked + self._marks[-1] - self._marks[-2])
        for _ in range(STEPS - 2):
            self._step()
        course.wall.append(time.perf_counter() - began)
        self._saver.finish()

    def _step(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        images, texts = self._model(self._images, self._tokens)[:2]
        torch.nn.functional.cross_entropy(images @ texts.T, torch.arange(BATCH)).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def _mark(self, *_: Any) -> None:
        self._marks.append(time.perf_counter())

    def _blocking(self) -> None:
        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}
        torch.save(state, self._folder / "blocking.pt")

    def _ours(self) -> None:
        state = own_state(self._model, self._optimizer)
        self._saver.begin(state, self._write)

    def _write(self, copies: Tensors) -> None:
        checkpoint.write(state_path(self._folder, 1), copies, _position())


def _nothing() -> None:
    pass


def _position() -> Position:
    layout = checkpoint.Layout.here(World(), ResourceConfig())
    return Position(
        key="k", samples_seen=1, samples_trained=1, steps=1, train_s=0.0, rank_s=0.0, layout=layout
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


if __name__ == "__main__":
    main()
