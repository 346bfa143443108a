"""Durations as people write them."""

import pytest

from sweeps.errors import UsageError
from sweeps.runs.duration import duration_steps, steps_of


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("10%", 100),
        ("2.5 %", 25),
        ("2000 steps", 2000),
        ("1 step", 1),
        ("1_000 samples", 16),
        ("64 samples", 1),
    ],
)
def test_a_duration_becomes_steps(text: str, steps: int) -> None:
    assert duration_steps(text, global_batch_size=64, total_steps=1000) == steps


@pytest.mark.parametrize("text", ["", "10", "ten steps", "-1 steps", "10 epochs"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration"):
        duration_steps(text, global_batch_size=64, total_steps=1000)


def test_a_percentage_of_no_horizon_is_refused() -> None:
    with pytest.raises(UsageError, match="shared by all horizons"):
        duration_steps("10%", global_batch_size=64, total_steps=None)


def test_steps_are_rounded_up() -> None:
    assert [steps_of(n, 64) for n in (0, 1, 64, 65)] == [0, 1, 1, 2]
