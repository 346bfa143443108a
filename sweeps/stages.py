"""The stages of one run: stretches with one training config each, and where they start and end.

A cosine run is one stage. A constant learning rate with a cooldown is two: a trunk, whose config does
not know the horizon and is therefore shared by all horizons, and the cooldown that branches off it.
How stages are cut into segments is left to `sweeps.expansion`.
"""

from dataclasses import dataclass

from conf.schema import RunConfig, ScheduleName, StageSchedule, TrainConfig
from sweeps.duration import duration_steps, steps_of
from sweeps.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A stretch of a run; `start` and `end` are samples since the beginning of the run."""

    train: TrainConfig
    start: int
    end: int


def samples_seen_of(config: RunConfig) -> int:
    """Return the run's declared number of samples.

    Raises:
        UsageError: it is not declared, or declared twice with different values.
    """
    product = None
    if config.epochs is not None and config.samples_per_epoch is not None:
        product = config.epochs * config.samples_per_epoch
    declared = config.samples_seen if product is None else product
    if declared is None:
        raise UsageError("set samples_seen, or epochs and samples_per_epoch")
    if config.samples_seen not in (None, declared):
        raise UsageError(
            f"samples_seen={config.samples_seen} is not epochs × samples_per_epoch = "
            f"{config.epochs} × {config.samples_per_epoch} = {declared}; set one of the two"
        )
    return declared


def stages_of(config: RunConfig) -> list[Stage]:
    """Return the stages of a run in order."""
    samples = samples_seen_of(config)
    match config.schedule.name:
        case ScheduleName.cosine:
            return [_cosine(config, samples)]
        case ScheduleName.constant:
            return [_trunk(config, samples)]
        case ScheduleName.constant_cooldown:
            return _trunk_and_cooldown(config, samples)


def milestones_of(config: RunConfig) -> list[int]:
    """Return the samples seen at which a run's checkpoints are kept, the last being its end.

    A milestone between two steps moves up to the later one.
    """
    samples, batch = samples_seen_of(config), config.global_batch_size
    snapped = {steps_of(m, batch) * batch for m in _declared_milestones(config, samples)}
    return [*sorted(m for m in snapped if 0 < m < samples), samples]


def _declared_milestones(config: RunConfig, samples: int) -> list[int]:
    checkpoints = config.checkpoints
    if checkpoints.milestones:
        return list(checkpoints.milestones)
    if checkpoints.first_milestone is not None:
        return _powers(checkpoints.first_milestone, checkpoints.milestone_factor, samples)
    if config.samples_per_epoch is not None:
        return list(range(config.samples_per_epoch, samples, config.samples_per_epoch))
    return []


def _powers(first: int, factor: float, samples: int) -> list[int]:
    found = [first]
    while found[-1] * factor < samples:
        found.append(round(found[-1] * factor))
    return found


def _train(config: RunConfig, schedule: StageSchedule) -> TrainConfig:
    return TrainConfig(
        model=config.model,
        data=config.data,
        procedure=config.procedure,
        optim=config.optim,
        schedule=schedule,
        global_batch_size=config.global_batch_size,
        precision=config.precision,
        seed=config.seed,
    )


def _cosine(config: RunConfig, samples: int) -> Stage:
    total = steps_of(samples, config.global_batch_size)
    schedule = StageSchedule(shape="cosine", warmup_steps=_warmup(config, total), total_steps=total)
    return Stage(train=_train(config, schedule), start=0, end=samples)


def _trunk(config: RunConfig, end: int) -> Stage:
    schedule = StageSchedule(shape="constant", warmup_steps=_warmup(config, None))
    return Stage(train=_train(config, schedule), start=0, end=end)


def _trunk_and_cooldown(config: RunConfig, samples: int) -> list[Stage]:
    batch = config.global_batch_size
    total = steps_of(samples, batch)
    steps = duration_steps(config.schedule.cooldown, global_batch_size=batch, total_steps=total)
    if not 0 < steps < total:
        raise UsageError(
            f"schedule.cooldown={config.schedule.cooldown!r} is {steps} of the run's {total} steps; "
            f"it must leave some for the trunk"
        )
    branch = (total - steps) * batch
    schedule = StageSchedule(shape=config.schedule.cooldown_shape.value, total_steps=steps)
    return [
        _trunk(config, branch),
        Stage(train=_train(config, schedule), start=branch, end=samples),
    ]


def _warmup(config: RunConfig, total_steps: int | None) -> int:
    return duration_steps(
        config.schedule.warmup,
        global_batch_size=config.global_batch_size,
        total_steps=total_steps,
    )
