"""Aligned columns."""

from launcher.text import Colour, table


def test_columns_are_as_wide_as_they_must_be_and_the_last_ones_end_together() -> None:
    shown = table(["model", "hours"], [["a", "1"], ["longer", "1,000"]], right=1)
    assert shown == "model   hours\na           1\nlonger  1,000"


def test_colours_change_no_width() -> None:
    plain = table(["state"], [["done"], ["held"]])
    shown = table(["state"], [["done"], ["held"]], colour_of=lambda cell: Colour.red)
    assert shown.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "") == (
        "\n".join(line.ljust(5) for line in plain.splitlines())
    )
