"""How a table is written for others."""

import io
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class TableFormat(Enum):
    """Form of a table in a file."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


def encoded(frame: "pd.DataFrame", form: TableFormat) -> bytes:
    """Return a table in some form."""
    match form:
        case TableFormat.csv:
            return frame.to_csv(index=False).encode()
        case TableFormat.json:
            rows = frame.to_json(orient="records", double_precision=15)
            return b'{"rows":' + rows.encode() + b"}\n"
        case TableFormat.parquet:
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            return buffer.getvalue()
