"""Gradients averaged over ranks, in whatever order and number they come."""

from functools import partial
from pathlib import Path

import torch

from tests.training.ranks import on_ranks
from training import averaging
from training.averaging import GradientAverager
from training.distributed import World

NUM_RANKS, SIDE = 3, 40


def parameters() -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(SIDE, SIDE, dtype=torch.float64)) for _ in range(5)]


def loss_of(weights: list[torch.nn.Parameter], rank: int, step: int) -> torch.Tensor:
    """Return a loss in which some weights stand twice, and some in every second step only."""
    first, *middle, last = weights
    total = (first @ middle[0] * (rank + 1)).square().sum() + (middle[1] @ first).sum()
    return total + (middle[2] * last * rank).sum() if step % 2 else total


def average(world: World) -> None:
    averaging.BUCKET_BYTES = 2 * 8 * SIDE**2
    own, alone = parameters(), parameters()
    averager = GradientAverager(own, world)
    for step in range(3):
        for weight in own + alone:
            weight.grad = None
        loss_of(own, world.rank, step).backward()  # type: ignore[no-untyped-call]
        averager.finish()
        for rank in range(world.size):
            (loss_of(alone, rank, step) / world.size).backward()  # type: ignore[no-untyped-call]
        for weight, other in zip(own, alone, strict=True):
            assert (weight.grad is None) == (other.grad is None)
            if weight.grad is not None and other.grad is not None:
                torch.testing.assert_close(weight.grad, other.grad)


def test_gradients_are_means_over_the_ranks(tmp_path: Path) -> None:
    on_ranks(average, NUM_RANKS, tmp_path)


def add_twice(folder: Path, world: World) -> None:
    weights = parameters()
    GradientAverager(weights, world)
    loss_of(weights, world.rank, 1).backward()  # type: ignore[no-untyped-call]
    try:
        loss_of(weights, world.rank, 1).backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        (folder / f"{world.rank}.txt").write_text(str(error))


def test_what_is_averaged_is_not_added_to(tmp_path: Path) -> None:
    on_ranks(partial(add_twice, tmp_path), 2, tmp_path)
    assert "(40, 40) was added to after it was averaged" in (tmp_path / "1.txt").read_text()
