"""The stages of one run: stretches with one training config each, and where they start and end.

A cosine run is one stage. A constant learning rate with a cooldown is two: a trunk, whose config does
not know the horizon and is therefore shared by all horizons, and the cooldown that branches off it.
A run whose config declares `stages` has one of these, or both, for each (`sweeps.runs.declared`). How
stages are cut into segments is left to `sweeps.runs.expansion`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from conf.schema import RunConfig, ScheduleName, StageSchedule, TrainConfig
from sweeps.errors import UsageError
from sweeps.runs.declared import Part, parts_of, samples_seen_of
from sweeps.runs.duration import duration_steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A stretch of a run; `start` and `end` are samples since the beginning of the run."""

    train: TrainConfig
    start: int
    end: int


def stages_of(config: RunConfig) -> list[Stage]:
    """Return the stages of a run in order."""
    return [stage for part in parts_of(config) for stage in _stages(part)]


def milestones_of(config: RunConfig) -> list[int]:
    """Return the samples seen at which a run's checkpoints are kept, the last being its end.

    A milestone between two steps moves up to the later one. Where a declared stage ends there is one.
    """
    samples = samples_seen_of(config)
    wanted, parts = _declared_milestones(config, samples), parts_of(config)
    snapped = {part.snapped(m) for part in parts for m in wanted if part.start < m <= part.end}
    return sorted({*snapped, *(part.end for part in parts)})


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


def _stages(part: Part) -> list[Stage]:
    first, *others = _course(part)
    if part.start == 0:
        return [first, *others]
    return [replace(first, train=replace(first.train, fresh_optimizer=True)), *others]


def _course(part: Part) -> Iterator[Stage]:
    """Yield the one or two stages that the learning rate makes of a part."""
    match part.config.schedule.name:
        case ScheduleName.cosine:
            yield _cosine(part)
        case ScheduleName.constant:
            yield _trunk(part, part.end)
        case ScheduleName.constant_cooldown:
            yield from _trunk_and_cooldown(part)


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


def _cosine(part: Part) -> Stage:
    config, total = part.config, part.num_steps
    schedule = StageSchedule(shape="cosine", warmup_steps=_warmup(config, total), total_steps=total)
    return Stage(train=_train(config, schedule), start=part.start, end=part.end)


def _trunk(part: Part, end: int) -> Stage:
    schedule = StageSchedule(shape="constant", warmup_steps=_warmup(part.config, None))
    return Stage(train=_train(part.config, schedule), start=part.start, end=end)


def _trunk_and_cooldown(part: Part) -> Iterator[Stage]:
    config, total = part.config, part.num_steps
    batch, cooldown = config.global_batch_size, config.schedule.cooldown
    steps = duration_steps(cooldown, global_batch_size=batch, total_steps=total)
    if not 0 < steps < total:
        raise UsageError(
            f"schedule.cooldown={cooldown!r} is {steps} of the run's {total} steps; "
            f"it must leave some for the trunk"
        )
    branch = part.start + (total - steps) * batch
    schedule = StageSchedule(shape=config.schedule.cooldown_shape.value, total_steps=steps)
    yield _trunk(part, branch)
    yield Stage(train=_train(config, schedule), start=branch, end=part.end)


def _warmup(config: RunConfig, total_steps: int | None) -> int:
    return duration_steps(
        config.schedule.warmup,
        global_batch_size=config.global_batch_size,
        total_steps=total_steps,
    )
