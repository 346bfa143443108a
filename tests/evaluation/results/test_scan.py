"""Reading of what is wanted from many files."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.results import arrow, order
from evaluation.results.filters import filter_of
from evaluation.results.frames import frame_of
from evaluation.results.rows import Row
from evaluation.results.scan import scan_of
from tests.evaluation.results.rows import row

ROWS = st.builds(
    row,
    checkpoint=st.sampled_from("abc"),
    lr_scheduler=st.sampled_from(["cosine", "const", None]),
    seed=st.sampled_from([0, 1, None]),
    lr=st.sampled_from([0.1, None]),
    scored_at=st.integers(1, 9).map(float),
    metrics=st.dictionaries(st.sampled_from(["acc1", "loss"]), st.just(0.5)),
)
WHERE = st.sampled_from([{}, {"checkpoint": ["b", "z"]}, {"seed": 1}, {"lr": {"max": 1}, "seed": None}])


def written(path: Path, rows: Sequence[Row]) -> Path:
    """Write a file whose rows lie together in twos."""
    pq.write_table(arrow.table_of(rows), path, row_group_size=2)
    return path


@settings(max_examples=25)
@given(
    shares=st.lists(st.lists(ROWS, max_size=5), max_size=3),
    fresh=st.lists(ROWS, max_size=3),
    where=WHERE,
)
def test_rows_are_the_same_wherever_they_lie(
    shares: list[list[Row]], fresh: list[Row], where: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [written(Path(folder) / f"{n}", share) for n, share in enumerate(shares)]
        of_files = scan_of(paths, arrow.table_of(fresh))
        in_memory = scan_of([], arrow.table_of([*(one for share in shares for one in share), *fresh]))
        frames = [
            frame_of(kept, sorted(kept.schema.names), order.by_key(kept.table(kept.schema.names)))
            for scan in (of_files, in_memory)
            for kept in [scan.kept(filter_of(scan.schema, where))]
        ]
        assert frames[0].equals(frames[1])
        assert frames[0]["checkpoint"].is_monotonic_increasing or not len(frames[0])
