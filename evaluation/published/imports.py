"""Published results in the table: which files are which, and what of them is new."""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from evaluation.published import clip_benchmark, laion
from evaluation.published.lines import Line, read_lines
from evaluation.results import inbox, store, view
from evaluation.results.filters import filter_of
from evaluation.results.keys import Keys
from evaluation.results.rows import KEY, Key, Row, key_of, refuse_taken
from evaluation.results.store import Snapshot
from sweeps import durable
from sweeps.errors import UsageError
from sweeps.text import plural

log = logging.getLogger(__name__)

Content = frozenset[tuple[str, Any]]

FORMS = {
    "clip_benchmark's CSV": clip_benchmark.COLUMNS,
    "zeroshot_results.csv": laion.RESULTS,
    "trained_models_info.csv": laion.RUNS,
    "arch_info.csv": laion.ARCHITECTURES,
}
"""Columns of the CSV files that are known."""


def rows_in(files: Iterable[Path]) -> list[Row]:
    """Return the rows in JSON and CSV files of clip_benchmark and in the LAION study's tables.

    Raises:
        UsageError: a file is none of these, or damaged; a metric is called like another column; or
            they say nothing but facts about models.
    """
    paths, now = list(files), time.time()
    if folders := [path for path in paths if path.is_dir()]:
        raise UsageError(f"{folders[0]} is a folder; name its files: {folders[0]}/*.json")
    rows = [clip_benchmark.row_of_file(path, now) for path in paths if path.suffix == ".json"]
    tables = [_known(path, read_lines(path)) for path in paths if path.suffix != ".json"]
    facts = laion.facts_of(_with(laion.RUNS, tables), _with(laion.ARCHITECTURES, tables))
    rows += [clip_benchmark.row_of_line(line, now) for line in _with(clip_benchmark.COLUMNS, tables)]
    rows += [laion.row_of_line(line, facts, now) for line in _with(laion.RESULTS, tables)]
    for row in rows:
        refuse_taken(row.metrics, f"{row.checkpoint} on {row.downstream_dataset}")
    if not rows:
        raise UsageError("these files hold facts about models, but no results")
    return rows


def add(folder: Path, rows: Sequence[Row]) -> int:
    """Put rows into the results table that say more than stands there; return how many.

    What was exported from this very table is left out: its rows stand there under their own names.
    """
    own = store.read_keys(folder)
    foreign = [row for row in rows if not _was_exported(row, own)]
    if num_own := len(rows) - len(foreign):
        log.warning("left out, as they were exported from this table: %s", plural(num_own, "row"))
    known = _contents(folder, {row.source for row in foreign})
    new = [one for one in foreign if not _content(_record(one)) <= known.get(key_of(one), frozenset())]
    if new:
        digest = hashlib.sha256(durable.encode([_record(row) for row in new])).hexdigest()
        inbox.append(folder, f"import-{digest[:16]}", new)
    return len(new)


def _contents(folder: Path, sources: Iterable[str]) -> dict[Key, Content]:
    """Return what the rows of some sources in a table say."""

    def read(snapshot: Snapshot) -> list[dict[str, Any]]:
        schema = snapshot.rows.schema
        found, order = view.newest(snapshot, filter_of(schema, {"source": sorted(sources)}))
        records: list[dict[str, Any]] = found.table(schema.names).take(order).to_pylist()
        return records

    key = itemgetter(*KEY)
    return {key(record): _content(record) for record in store.read(folder, read)}


def _was_exported(row: Row, keys: Keys) -> bool:
    """Return whether there is a row of which this one was made: its `pretrained` is a checkpoint."""
    evals = keys.evals.get(row.pretrain_dataset or "", ())
    told = {(name, data.removeprefix(clip_benchmark.HUB)) for name, data, _ in evals}
    return (row.eval, row.downstream_dataset) in told


def _known(path: Path, lines: list[Line]) -> list[Line]:
    columns = lines[0].cells.keys()
    if not any(form <= columns for form in FORMS.values()):
        raise UsageError(f"{path} has not the columns of any of: {', '.join(FORMS)}")
    return lines


def _with(columns: Set[str], tables: Iterable[list[Line]]) -> list[Line]:
    return [line for lines in tables if columns <= lines[0].cells.keys() for line in lines]


def _record(row: Row) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(row)
    metrics = record.pop("metrics")
    return {**record, **metrics}


def _content(record: Mapping[str, Any]) -> Content:
    """Return what a row says, whenever it was put into the table."""
    return frozenset((k, v) for k, v in record.items() if v is not None and k != "scored_at")
