"""How fast a setting trains, by what was measured."""

from dataclasses import replace

import pytest

from sweeps.costs.rates import Rate, Rates, Setting, Speed, published_rates

HERE = Setting(
    model="M", data="D", gpu="A", batch_per_rank=64, num_ranks=8, num_nodes=2, samples_seen=640
)


def rate(per_rank: float, **given: object) -> Rate:
    of = replace(HERE, **given)  # type: ignore[arg-type]
    return Rate(of=of, samples_per_s=per_rank * of.num_ranks)


@pytest.mark.parametrize(
    ("published", "own", "speed"),
    [
        ([], [], None),
        ([rate(9, model="N")], [], None),
        ([rate(9, gpu="B")], [], None),
        ([rate(9, gpu=None)], [], None),
        ([rate(4)], [], (4, 4, 4)),
        ([rate(4, samples_seen=64), rate(5, data="E"), rate(6)], [], (6, 4, 6)),
        ([rate(4, batch_per_rank=256), rate(6, batch_per_rank=32)], [], (6, 4, 6)),
        ([rate(4, num_ranks=64), rate(6, num_ranks=16)], [], (6, 4, 6)),
        ([rate(4, num_nodes=16), rate(6, num_nodes=None)], [], (6, 4, 6)),
        ([rate(4), rate(6, data="E", num_nodes=8)], [], (4, 4, 6)),
        ([rate(4)], [rate(7)], (7, 7, 7)),
        ([rate(4)], [rate(7, data="E")], (7, 7, 7)),
        ([rate(4)], [rate(7, data="E"), rate(8)], (8, 7, 8)),
        ([rate(4)], [rate(7), rate(9), rate(8, samples_seen=1280)], (8, 7, 9)),
        ([rate(4)], [rate(7, batch_per_rank=32)], (4, 4, 7)),
        ([rate(4, batch_per_rank=8)], [rate(7, batch_per_rank=32)], (7, 4, 7)),
        ([rate(4)], [rate(7, num_nodes=8)], (4, 4, 7)),
    ],
    ids=[
        "nothing is known",
        "of another model only",
        "of another GPU only",
        "of cores only",
        "it was measured",
        "same data and length",
        "nearest batch",
        "nearest number of ranks",
        "nearest number of nodes",
        "the rest makes the range",
        "own before published",
        "own, though of other data",
        "own of the same data",
        "median of own, any length",
        "own of another batch is only near",
        "own may be the nearest",
        "own on other nodes is only near",
    ],
)
def test_the_speed_of_a_setting(
    published: list[Rate], own: list[Rate], speed: tuple[float, float, float] | None
) -> None:
    expected = speed and Speed(likely=speed[0], slowest=speed[1], fastest=speed[2])
    assert Rates(published, own).speed(HERE) == expected


def test_one_architecture_varies_by_what_is_published() -> None:
    rates = Rates(published_rates())
    speeds = {
        model: rates.speed(replace(HERE, model=model, gpu="A100-40GB"))
        for model in ("ViT-B-32", "ViT-B-16", "ViT-L-14")
    }
    spread = {model: speed.fastest / speed.slowest for model, speed in speeds.items() if speed}
    assert spread == pytest.approx({"ViT-B-32": 3.73, "ViT-B-16": 1.74, "ViT-L-14": 2.68}, rel=0.01)
