"""How things read in a terminal: quantities, aligned columns, colours."""

from collections.abc import Callable, Sequence
from enum import Enum

GAP = "  "


class Colour(Enum):
    """Terminal attributes, by their ECMA-48 numbers."""

    bold = 1
    dim = 2
    red = 31
    green = 32
    yellow = 33
    blue = 34
    magenta = 35
    cyan = 36


def number(value: float) -> str:
    """Return a quantity with three digits that mean something: `1,058,318`, `2.13`, `0.0142`."""
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.3g}"


def duration(hours: float) -> str:
    """Return a duration in the unit that suits it."""
    for unit, size in (("d", 24.0), ("h", 1.0), ("min", 1 / 60)):
        if hours >= 2 * size:
            return f"{hours / size:.1f} {unit}"
    return f"{hours * 3600:.0f} s"


def size(num_bytes: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if num_bytes < 1024:
            return f"{number(num_bytes)} {unit}"
        num_bytes /= 1024
    return f"{number(num_bytes)} TiB"


def coloured(text: str, colour: Colour | None) -> str:
    """Return text that a terminal shows in a colour."""
    return f"\x1b[{colour.value}m{text}\x1b[0m" if colour else text


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: int = 0,
    colour_of: Callable[[str], Colour | None] | None = None,
) -> str:
    """Return rows under a header, in columns as wide as they must be.

    Args:
        header: names of the columns.
        rows: cells, as many in each as there are columns.
        right: so many columns, the last ones, are aligned to the right.
        colour_of: the colour of a cell, by its text; without it the table is plain.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    first_right = len(header) - right

    def line(cells: Sequence[str], colour_of: Callable[[str], Colour | None] | None) -> str:
        padded = (
            cell.rjust(width) if number >= first_right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        if colour_of is None:
            return GAP.join(padded).rstrip()
        return GAP.join(coloured(cell, colour_of(cell.strip())) for cell in padded)

    bold = None if colour_of is None else (lambda _: Colour.bold)
    return "\n".join([line(header, bold), *(line(row, colour_of) for row in rows)])
