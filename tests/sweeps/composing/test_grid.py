"""The sweep language."""

from typing import Any

import pytest

from conf.schema import BlockConfig, SweepConfig
from sweeps.composing.grid import Cell, axes_of, cells_of, select
from sweeps.errors import UsageError

AXES = {"model": ["S", "B"], "scale": {"1k": {"samples_seen": 1000, "lr": 0.1}, "2k": {}}}


def cells(**block: Any) -> list[Cell]:
    return cells_of(SweepConfig(name="s", blocks=(BlockConfig(**{"axes": AXES, **block}),)))


def labels(found: list[Cell]) -> list[tuple[str, ...]]:
    return [tuple(cell.labels.values()) for cell in found]


def test_a_block_is_the_product_of_its_axes() -> None:
    assert labels(cells()) == [("S", "1k"), ("S", "2k"), ("B", "1k"), ("B", "2k")]


def test_a_plain_value_sets_its_axis_and_a_coupled_one_all_its_settings() -> None:
    assert cells()[0].settings == (("model", "S"), ("samples_seen", 1000), ("lr", 0.1))
    assert cells()[1].settings == (("model", "S"),)


def test_settings_come_in_the_order_block_axes_rows() -> None:
    row = {"model": "S", "set": {"lr": 0.3}}
    found = cells(set={"lr": 0.2}, cells=(row,))
    assert [value for key, value in found[0].settings if key == "lr"] == [0.2, 0.1, 0.3]
    assert [value for key, value in found[2].settings if key == "lr"] == [0.2, 0.1]


def test_exclude_takes_cells_out_and_include_puts_cells_in() -> None:
    found = cells(
        exclude=({"model": "B", "scale": ["1k", "2k"]},),
        include=({"model": "L", "scale": "1k", "set": {"lr": 9}},),
    )
    assert labels(found) == [("S", "1k"), ("S", "2k"), ("L", "1k")]
    assert found[2].settings == (("model", "L"), ("samples_seen", 1000), ("lr", 0.1), ("lr", 9))


def test_blocks_are_united_and_a_cell_that_two_of_them_list_stands_once() -> None:
    block = BlockConfig(axes={"model": ["S", "B"]})
    other = BlockConfig(axes={"model": ["B", "L"]})
    assert labels(cells_of(SweepConfig(name="s", blocks=(block, other)))) == [("S",), ("B",), ("L",)]


def test_a_cell_with_two_meanings_is_refused() -> None:
    block = BlockConfig(axes={"model": ["S"]})
    other = BlockConfig(axes={"model": ["S"]}, set={"lr": 1})
    with pytest.raises(UsageError, match="model=S twice"):
        cells_of(SweepConfig(name="s", blocks=(block, other)))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"axes": {"model": "S"}}, "write a list of values"),
        ({"axes": {"model": []}}, "write a list of values"),
        ({"exclude": ({"modle": "S"},)}, "'modle' is no axis .* Did you mean model"),
        ({"cells": ({"model": "X"},)}, "model=X is not in this sweep. Choose from: B, S"),
        ({"exclude": ({"model": "S"}, {"model": "S"})}, "matches no cell"),
        ({"include": ({"model": "L"},)}, r"must name every axis; \['scale'\] missing"),
        ({"set": ["lr"]}, "settings are a mapping"),
    ],
)
def test_a_mistake_is_named(block: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cells(**block)


def test_selecting_by_label_or_by_the_same_number() -> None:
    block = BlockConfig(axes={"samples_seen": [1000, 2000], "seed": [0, 1]})
    found = cells_of(SweepConfig(name="s", blocks=(block,)))
    assert labels(select(found, {"samples_seen": ["1_000"], "seed": [1]})) == [("1000", "1")]
    assert len(select(found, {"samples_seen": [1000, 2000]})) == 4


def test_selecting_what_is_not_there_lists_the_choices() -> None:
    with pytest.raises(UsageError, match=r"model=b is not in this sweep.*Choose from: B, S"):
        select(cells(), {"model": ["b"]})


def test_selecting_values_that_no_cell_has_together_is_refused() -> None:
    found = cells(exclude=({"model": "S", "scale": "1k"},))
    with pytest.raises(UsageError, match="no run of this sweep has model=S scale=1k together"):
        select(found, {"model": ["S"], "scale": ["1k"]})


def test_axes_keep_the_order_of_appearance() -> None:
    assert axes_of(cells()) == {"model": ["S", "B"], "scale": ["1k", "2k"]}
