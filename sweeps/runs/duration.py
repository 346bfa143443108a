"""Durations as people write them, turned into optimiser steps by one function."""

import re

from sweeps.errors import UsageError

PATTERN = re.compile(r"(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<unit>%|steps?|samples?)")


def steps_of(samples: int, global_batch_size: int) -> int:
    """Return how many steps train at least `samples` samples."""
    return -(-samples // global_batch_size)


def duration_steps(text: str, *, global_batch_size: int, total_steps: int | None) -> int:
    """Return the steps that `text` (`10%`, `2000 steps`, `1_000_000 samples`) stands for.

    Args:
        text: the duration.
        global_batch_size: samples of one step.
        total_steps: what a percentage is taken of; None where it has no meaning.

    Raises:
        UsageError: `text` is no duration, or a percentage has no meaning here.
    """
    found = PATTERN.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{text!r} is no duration; write 10%, 2000 steps or 1_000_000 samples")
    number = float(found["number"].replace("_", ""))
    unit = found["unit"]
    if unit == "%" and number > 100:
        raise UsageError(f"{text!r} is more than all")
    if unit == "%":
        if total_steps is None:
            raise UsageError(
                f"{text!r}: a constant schedule is shared by all horizons, so its warm-up cannot be a "
                f"percentage of one; write steps or samples"
            )
        return round(number / 100 * total_steps)
    return round(number) if unit.startswith("step") else steps_of(round(number), global_batch_size)
