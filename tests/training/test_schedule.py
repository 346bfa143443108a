"""The learning rate."""

import pytest

from conf.schema import StageSchedule
from training.schedule import learning_rate


def rates(shape: str, warmup: int, total: int | None, steps: int) -> list[float]:
    schedule = StageSchedule(shape=shape, warmup_steps=warmup, total_steps=total)
    return [round(learning_rate(schedule, 1.0, step), 6) for step in range(steps)]


@pytest.mark.parametrize(
    ("shape", "warmup", "total", "expected"),
    [
        ("cosine", 2, 6, [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447]),
        ("cosine", 0, 2, [1.0, 0.5]),
        ("constant", 4, None, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]),
        ("linear", 0, 4, [1.0, 0.75, 0.5, 0.25]),
        ("one_minus_sqrt", 0, 4, [1.0, 0.5, 0.292893, 0.133975]),
    ],
)
def test_the_course_of_the_learning_rate(
    shape: str, warmup: int, total: int | None, expected: list[float]
) -> None:
    assert rates(shape, warmup, total, len(expected)) == expected


def test_cosine_is_what_open_clip_does() -> None:
    from open_clip_train.scheduler import cosine_lr

    class Optimizer:
        param_groups = ({"lr": 0.0},)

    theirs = cosine_lr(Optimizer(), 1e-3, 7, 100)
    ours = StageSchedule(shape="cosine", warmup_steps=7, total_steps=100)
    for step in range(100):
        assert learning_rate(ours, 1e-3, step) == pytest.approx(theirs(step), rel=1e-12)


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no such schedule shape"):
        rates("square", 0, 4, 1)
