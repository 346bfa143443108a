"""What a step is made of, beside what open_clip's trainer does for it: the model, and the optimiser.

Both sides in turns in this process, on one batch that stays where the model is, as open_clip_train
3.3.0 has it: `CLIP.forward`, `ClipLoss` and AdamW with torch's defaults.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from conf.schema import (
    DataConfig,
    ModelConfig,
    OptimConfig,
    Precision,
    ProcedureConfig,
    ResourceConfig,
    StageSchedule,
    TrainConfig,
)
from training.data.indexing import index_in_memory
from training.data.loader import Batch, StepDataset
from training.data.normalize import Normalizer
from training.data.patterns import expand_shards
from training.distributed import World
from training.openclip import open_clip
from training.optimizer import make_optimizer
from training.precision import casting
from training.procedure import make_procedure
from training.step import Stepper

LR = 1e-4
WARM_UP = 3

Side = Callable[[], tuple[float, float]]
"""Takes a step; returns the seconds of its model and of its optimiser."""


def components(
    model: ModelConfig,
    pattern: str,
    *,
    batch_size: int,
    repeat: int,
    precision: Precision = Precision.fp32,
) -> dict[str, float]:
    """Return open_clip's time over ours, of the model and of the optimiser: medians of steps.

    `compute`: forward and backward pass with all tokens; `compute_cut`: ours without the padding;
    `samples_per_s`: of ours, with all tokens.

    Args:
        model: what is trained.
        pattern: of shards with images and captions.
        batch_size: samples of a step.
        repeat: so many steps of each.
        precision: of the products.
    """
    train = TrainConfig(
        model=model,
        data=DataConfig(name="photos"),
        procedure=ProcedureConfig(_target_="training.procedures.clip.Clip"),
        optim=OptimConfig(lr=LR),
        schedule=StageSchedule(shape="constant"),
        global_batch_size=batch_size,
        precision=precision,
    )
    batch = _batch(train, pattern)
    sides = {
        "open_clip": _theirs(train, batch),
        "isogrid": _ours(train, batch, cuts_padding=False),
        "cut": _ours(train, batch, cuts_padding=True),
    }
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(WARM_UP + repeat):
        for side, step in sides.items():
            times[side].append(step())
    compute, update = (
        {side: statistics.median(pair[part] for pair in times[side][WARM_UP:]) for side in sides}
        for part in (0, 1)
    )
    return {
        "compute": round(compute["open_clip"] / compute["isogrid"], 3),
        "compute_cut": round(compute["open_clip"] / compute["cut"], 3),
        "optimizer": round(update["open_clip"] / update["isogrid"], 3),
        "samples_per_s": round(batch_size / (compute["isogrid"] + update["isogrid"]), 1),
    }


def _batch(train: TrainConfig, pattern: str) -> Batch:
    procedure = make_procedure(train.procedure, train.model)
    index = index_in_memory([Path(path) for path in expand_shards(pattern)])
    data = StepDataset(train, [index], procedure.tokenizer(), procedure.image_size, World())
    batch = data[0]
    assert isinstance(batch, Batch)
    device = World().device
    return Batch(batch.images.to(device), batch.tokens.to(device))


def _ours(train: TrainConfig, batch: Batch, *, cuts_padding: bool) -> Side:
    procedure = make_procedure(train.procedure, train.model)
    model = procedure.build(0).to(World().device)
    resources = ResourceConfig(cut_padding=cuts_padding)
    optimizer = make_optimizer(model, train.optim)
    stepper = Stepper(train, procedure, model, optimizer, resources=resources, world=World())
    return _timed(optimizer, lambda: stepper.take(0, batch, LR))


def _theirs(train: TrainConfig, batch: Batch) -> Side:
    device = World().device
    model = make_procedure(train.procedure, train.model).build(0).to(device)
    loss, images = open_clip.ClipLoss(), Normalizer()(batch.images)
    plain = [p for name, p in model.named_parameters() if _is_plain(name, p)]
    others = [p for name, p in model.named_parameters() if not _is_plain(name, p)]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": others, "weight_decay": 0.2}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.98), eps=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        with casting(device, train.precision):
            total = loss(*model(images, batch.tokens)[:3])
        total.backward()
        optimizer.step()

    return _timed(optimizer, step)


def _timed(optimizer: torch.optim.Optimizer, step: Callable[[], object]) -> Side:
    """Return what takes a step and tells the optimiser's part of it from the rest."""
    marks: list[float] = []
    optimizer.register_step_pre_hook(lambda *_: marks.append(_now()))
    optimizer.register_step_post_hook(lambda *_: marks.append(_now()))

    def timed() -> tuple[float, float]:
        began = _now()
        step()
        taken, update = _now() - began, marks[-1] - marks[-2]
        return taken - update, update

    return timed


def _now() -> float:
    """Return the time in seconds once all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _is_plain(name: str, parameter: torch.nn.Parameter) -> bool:
    return parameter.ndim < 2 or "bn" in name or "ln" in name or "bias" in name or "logit" in name
