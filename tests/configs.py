"""Small configs for tests of pure code; every field can be given."""

from pathlib import Path
from typing import Any

from conf.schema import (
    DataConfig,
    EvalConfig,
    EvalDatasetConfig,
    EvalSpec,
    ModelConfig,
    OptimConfig,
    ProcedureConfig,
    RunConfig,
    ScheduleConfig,
    ScheduleName,
    StageSchedule,
    TrainConfig,
)
from sweeps.composing.compose import compose_request
from sweeps.composing.grid import Cell
from sweeps.folders import Root, make_folders
from sweeps.runs import frozen
from sweeps.runs.expansion import Expansion, expand
from sweeps.runs.frozen import FrozenSweep
from tests.commands import OWN_CONF

EVAL = EvalConfig(
    name="tiny",
    datasets={"shapes": EvalDatasetConfig(path="data/shapes-test")},
    evals=(
        EvalSpec(
            _target_="evaluation.evaluators.retrieval.Retrieval", name="retrieval", dataset="shapes"
        ),
    ),
)


def run_config(**given: Any) -> RunConfig:
    """Return a run of 640 samples in steps of 64, cosine schedule."""
    defaults: dict[str, Any] = {
        "model": ModelConfig(name="M"),
        "data": DataConfig(name="D", shards="d/{0..1}.tar"),
        "procedure": ProcedureConfig(_target_="training.procedures.clip.Clip"),
        "optim": OptimConfig(lr=1e-3),
        "schedule": ScheduleConfig(name=ScheduleName.cosine),
        "eval": EVAL,
        "global_batch_size": 64,
        "samples_seen": 640,
    }
    return RunConfig(**{**defaults, **given})


def train_config(**given: Any) -> TrainConfig:
    """Return the science of one cosine stage of 10 steps."""
    run = run_config()
    defaults: dict[str, Any] = {
        "model": run.model,
        "data": run.data,
        "procedure": run.procedure,
        "optim": run.optim,
        "schedule": StageSchedule(shape="cosine", warmup_steps=1, total_steps=10),
        "global_batch_size": 64,
    }
    return TrainConfig(**{**defaults, **given})


def expansion_of(*configs: RunConfig) -> Expansion:
    """Return the sweep of some runs, with their number as the only axis."""
    cells = [Cell(labels={"number": str(number)}, settings=()) for number in range(len(configs))]
    return expand("test", cells, configs)


def launched(root: Path, *words: str) -> Root:
    """Make a root under which a sweep of tests/conf was launched, and nothing has begun."""
    request = compose_request([OWN_CONF, *words])
    expansion = expand(request.sweep, request.cells, request.configs)
    make_folders(Root(root))
    sweep = FrozenSweep(expansion=expansion, overrides=(), launch=request.launch, conf_digest="")
    frozen.freeze(Root(root), sweep)
    return Root(root)
