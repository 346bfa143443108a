"""What a run's config declares: how many samples it sees, and in which parts.

A run without `stages` is one part. Each stage of `stages` is a part of its own, with the run's config
and what the stage changes of it. What a learning rate makes of a part is left to `sweeps.runs.stages`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import msgspec

from conf.schema import RunConfig, StageConfig
from sweeps.composing.typed import typed
from sweeps.errors import UsageError, choices
from sweeps.runs.duration import steps_of

T = TypeVar("T")

MAY_CHANGE = ("image_size", "context_length", "patch_dropout")
"""Of the model: its weights go on from one stage to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A stretch of a run under one config; `start` and `end` are samples since the run began."""

    config: RunConfig
    start: int
    end: int

    @property
    def num_steps(self) -> int:
        """How many optimiser steps it takes."""
        return steps_of(self.end - self.start, self.config.global_batch_size)

    def snapped(self, samples: int) -> int:
        """Return the end of the step in which so many samples are reached."""
        batch = self.config.global_batch_size
        return min(self.start + steps_of(samples - self.start, batch) * batch, self.end)


def samples_seen_of(config: RunConfig) -> int:
    """Return the run's declared number of samples.

    Raises:
        UsageError: it is not declared, or declared twice with different values.
    """
    if config.stages:
        return _sum_of_stages(config)
    product = None
    if config.epochs is not None and config.samples_per_epoch is not None:
        product = config.epochs * config.samples_per_epoch
    declared = config.samples_seen if product is None else product
    if declared is None:
        raise UsageError("set samples_seen, or epochs and samples_per_epoch, or stages")
    if config.samples_seen not in (None, declared):
        raise UsageError(
            f"samples_seen={config.samples_seen} is not epochs × samples_per_epoch = "
            f"{config.epochs} × {config.samples_per_epoch} = {declared}; set one of the two"
        )
    return declared


def parts_of(config: RunConfig) -> list[Part]:
    """Return the parts of a run in order; a part ends with a step, the last one where it is declared.

    Raises:
        UsageError: a stage changes what there is not, or is shorter than a step.
    """
    samples = samples_seen_of(config)
    if not config.stages:
        return [Part(config=config, start=0, end=samples)]
    found: list[Part] = []
    start = declared = 0
    for number, stage in enumerate(config.stages):
        declared += stage.samples
        if declared <= start:
            raise UsageError(f"stages[{number}].samples={stage.samples} is less than a step before it")
        endless = Part(config=_changed(config, stage, number), start=start, end=samples)
        found.append(replace(endless, end=endless.snapped(declared)))
        start = found[-1].end
    return found


def _sum_of_stages(config: RunConfig) -> int:
    total = sum(stage.samples for stage in config.stages)
    if config.epochs is not None or config.samples_seen not in (None, total):
        raise UsageError(f"samples_seen is the sum of stages, {total}: do not set it, nor epochs")
    return total


def _changed(config: RunConfig, stage: StageConfig, number: int) -> RunConfig:
    """Return the config that holds in a stage."""
    what = f"stages[{number}]"
    return replace(
        config,
        model=_merged(config.model, stage.model, f"{what}.model", MAY_CHANGE),
        optim=_merged(config.optim, stage.optim, f"{what}.optim"),
        schedule=_merged(config.schedule, stage.schedule, f"{what}.schedule"),
        global_batch_size=stage.global_batch_size or config.global_batch_size,
    )


def _merged(base: T, changes: Mapping[str, Any], what: str, may_change: Collection[str] = ()) -> T:
    """Return a config with some of its fields changed."""
    names = may_change or [field.name for field in fields(base)]  # type: ignore[arg-type]
    for name in changes:
        if name not in names:
            raise UsageError(f"{what} cannot change {name!r}. {choices(name, names)}")
    return typed({**msgspec.to_builtins(base), **changes}, type(base), what) if changes else base
