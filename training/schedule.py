"""The learning rate as a pure function of the step inside a stage."""

import math

from conf.schema import StageSchedule


def learning_rate(schedule: StageSchedule, peak: float, step: int) -> float:
    """Return the learning rate of optimiser step `step` (from 0) of a stage whose highest is `peak`.

    The warm-up is linear and reaches `peak` in its last step, as in open_clip.
    """
    if step < schedule.warmup_steps:
        return peak * (step + 1) / schedule.warmup_steps
    if schedule.total_steps is None:
        return peak
    share = (step - schedule.warmup_steps) / (schedule.total_steps - schedule.warmup_steps)
    return peak * _remaining(schedule.shape, share)


def _remaining(shape: str, share: float) -> float:
    """Return the factor on the peak when `share` of the decay has passed."""
    match shape:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * share))
        case "linear":
            return 1 - share
        case "one_minus_sqrt":
            return 1 - math.sqrt(share)
        case "constant":
            return 1.0
        case _:
            raise ValueError(f"no such schedule shape: {shape!r}")
