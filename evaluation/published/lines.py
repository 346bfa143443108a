"""CSV files line by line, with errors that say where."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of a file: column → what stands there; nothing, or NaN, is what is not known."""

    path: Path
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return what stands in a column.

        Raises:
            UsageError: nothing does.
        """
        if not self.cells[column]:
            raise UsageError(f"{self.path}, line {self.number}: {column} is empty")
        return self.cells[column]

    def real(self, column: str) -> float | None:
        """Return the number in a column, if it is known.

        Raises:
            UsageError: what stands there is no number, or not finite.
        """
        text = self.cells[column]
        try:
            value = float(text or "nan")
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise UsageError(f"{self.path}, line {self.number}: {column}={text!r} is no number")
        return None if math.isnan(value) else value

    def whole(self, column: str) -> int | None:
        """Return the number in a column, if it is known, as a whole number; see `real`."""
        value = self.real(column)
        return None if value is None else round(value)


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a CSV file whose first one names the columns.

    Raises:
        UsageError: it cannot be read, is empty, or a line has more or fewer columns than the first.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if len(rows) < 2:
        raise UsageError(f"{path} has no lines below the names of its columns")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise UsageError(f"{path}, line {number}: {len(row)} columns where {width} are expected")
    return [
        Line(path=path, number=number, cells=dict(zip(rows[0], row, strict=True)))
        for number, row in enumerate(rows[1:], 2)
    ]
