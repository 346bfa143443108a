"""The results table on disk: an inbox, immutable Parquet parts, and numbered manifests.

    results/inbox/<2 hex>/<name>.jsonl    rows of one scoring attempt, written once
    results/parts/<uuid>.parquet          rows taken from the inbox
    results/manifests/<n>.json            which parts hold, and which inbox files they already contain

Any number of writers, compactors and readers may work at once and be killed at any time. A writer
only ever creates inbox files. A compactor writes a part under a new name and publishes the next
manifest by `link(2)`; if a rival was first, it discards its part. Inbox files named in a manifest are
deleted in a later pass only. A reader lists the inbox first, then reads the newest manifest, and
starts again if a file vanished meanwhile. What the rows mean is left to `evaluation.results`.
"""

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sweeps import durable

T = TypeVar("T")

MANIFEST = re.compile(r"(\d+)\.json")
KEPT_MANIFESTS = 20
GARBAGE_AGE_S = 24 * 3600.0
READ_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The parts that hold, and the inbox files whose rows they contain."""

    parts: tuple[str, ...] = ()
    consumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Metrics of one eval on one checkpoint, with all that a fit needs to know of the checkpoint.

    The names are those of the published LAION tables where they have one. `gflops_per_sample`: forward,
    of one image and one text. `samples_trained` is `samples_seen` rounded up to whole steps.
    """

    checkpoint: str
    segment: str
    eval: str
    eval_version: int
    downstream_dataset: str
    model: str
    pretrain_dataset: str
    samples_seen: int
    samples_trained: int
    steps: int
    global_batch_size: int
    lr: float
    warmup: int
    lr_scheduler: str
    seed: int
    precision: str
    gflops_per_sample: float | None
    gflops_total: float | None
    num_params: int
    train_s: float
    gpu_hours: float
    commit: str
    scored_at: float
    metrics: dict[str, float]
    schema: int = 1


KEY = ("checkpoint", "eval", "downstream_dataset", "eval_version")
"""Columns that tell rows apart; of rows with equal ones the newest counts."""

Key = tuple[str, str, str, int]

BASE_SCHEMA = pa.schema(
    [
        (name, {int: pa.int64(), float: pa.float64()}.get(kind, pa.string()))
        for name, kind in {
            **{f: t for f, t in Row.__annotations__.items() if f != "metrics"},
            "gflops_per_sample": float,
            "gflops_total": float,
        }.items()
    ]
)
"""Columns that every row has; each metric is a further float column."""


def append(results: Path, name: str, rows: Iterable[Row]) -> None:
    """Put rows into the inbox under `name`; the same name twice is the same report twice."""
    path = results / "inbox" / hashlib.sha256(name.encode()).hexdigest()[:2] / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, b"".join(durable.encode(row) for row in rows))


def read_table(results: Path) -> pa.Table:
    """Return all rows as they were written: an eval that was reported twice stands there twice."""
    return _until_stable(lambda: _read_once(results))


def read_keys(results: Path) -> set[Key]:
    """Return the key of every row. Nothing here imports pandas, which making Arrow tables does."""
    return KeyReader(results).refresh()


class KeyReader:
    """Follows the keys in a table that grows; each file is read once, as none ever changes."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._read: set[str] = set()
        self.keys: set[Key] = set()

    def refresh(self) -> set[Key]:
        """Take in what was written since; return the keys of all rows."""
        _until_stable(self._refresh_once)
        return self.keys

    def _refresh_once(self) -> None:
        fresh, manifest = _holding(self._results)
        for name in set(fresh) - self._read:
            self.keys.update(_key(row) for row in _inbox_rows(self._results, [name]))
            self._read.add(name)
        for part in set(manifest.parts) - self._read:
            table = pq.read_table(self._results / "parts" / part, columns=list(KEY))
            self.keys.update(zip(*(table.column(name).to_pylist() for name in KEY), strict=True))
            self._read.add(part)


def compact(results: Path) -> int:
    """Move the inbox into a new part; return how many inbox files it took.

    Safe beside writers, readers and other compactors; a rival's success is no error.
    """
    inbox = _inbox(results)
    number, manifest = _newest(results)
    _delete_consumed(results, inbox, manifest)
    fresh = sorted(set(inbox) - set(manifest.consumed))
    if not fresh:
        return 0
    part = f"{uuid.uuid4().hex}.parquet"
    _write_part(results / "parts" / part, _inbox_table(results, fresh))
    still_there = tuple(name for name in manifest.consumed if (results / "inbox" / name).exists())
    following = Manifest(parts=(*manifest.parts, part), consumed=(*still_there, *fresh))
    if not _publish(results, number + 1, following):
        (results / "parts" / part).unlink()
        return 0
    _collect_garbage(results, number + 1, following)
    return len(fresh)


def num_inbox_files(results: Path) -> int:
    """Return how many files lie in the inbox."""
    return len(_inbox(results))


def _read_once(results: Path) -> pa.Table:
    fresh, manifest = _holding(results)
    parts = [pq.read_table(results / "parts" / part) for part in manifest.parts]
    return pa.concat_tables([*parts, _inbox_table(results, fresh)], promote_options="permissive")


def _holding(results: Path) -> tuple[list[str], Manifest]:
    """Return the inbox files that no part contains, and the newest manifest; in this order."""
    inbox = _inbox(results)
    manifest = _newest(results)[1]
    return sorted(set(inbox) - set(manifest.consumed)), manifest


def _until_stable(read: Callable[[], T]) -> T:
    for _ in range(READ_ATTEMPTS - 1):
        try:
            return read()
        except FileNotFoundError:
            continue
    return read()


def _inbox(results: Path) -> list[str]:
    """Return the names of all inbox files, relative to the inbox."""
    inbox = results / "inbox"
    if not inbox.is_dir():
        return []
    folders = [entry.name for entry in os.scandir(inbox) if entry.is_dir()]
    return [
        f"{folder}/{name}"
        for folder in folders
        for name in os.listdir(inbox / folder)
        if name.endswith(".jsonl") and not name.startswith(".")
    ]


def _newest(results: Path) -> tuple[int, Manifest]:
    """Return number and content of the newest manifest."""
    folder = results / "manifests"
    names = os.listdir(folder) if folder.is_dir() else []
    numbers = [int(found[1]) for name in names if (found := MANIFEST.fullmatch(name))]
    if not numbers:
        return 0, Manifest()
    manifest = durable.decode((folder / f"{max(numbers)}.json").read_bytes(), Manifest)
    return max(numbers), manifest


def _publish(results: Path, number: int, manifest: Manifest) -> bool:
    folder = results / "manifests"
    folder.mkdir(parents=True, exist_ok=True)
    return durable.publish(folder / f"{number}.json", durable.encode(manifest))


def _inbox_rows(results: Path, names: Iterable[str]) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(Row)
    for name in names:
        for line in (results / "inbox" / name).read_bytes().splitlines():
            yield decoder.decode(line)


def _inbox_table(results: Path, names: Iterable[str]) -> pa.Table:
    """Return the rows of inbox files; metrics become columns."""
    records: list[dict[str, Any]] = []
    for row in _inbox_rows(results, names):
        record = msgspec.to_builtins(row)
        records.append({**record, **record.pop("metrics")})
    extra = sorted({key for record in records for key in record} - set(BASE_SCHEMA.names) - {"metrics"})
    schema = pa.schema([*BASE_SCHEMA, *[(name, pa.float64()) for name in extra]])
    return pa.Table.from_pylist(records, schema=schema)


def _key(row: Row) -> Key:
    return (row.checkpoint, row.eval, row.downstream_dataset, row.eval_version)


def _write_part(path: Path, table: pa.Table) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, buffer.getvalue().to_pybytes())


def _delete_consumed(results: Path, inbox: Iterable[str], manifest: Manifest) -> None:
    for name in set(inbox) & set(manifest.consumed):
        (results / "inbox" / name).unlink(missing_ok=True)


def _collect_garbage(results: Path, number: int, manifest: Manifest) -> None:
    """Delete manifests far behind, and parts and temporaries that nobody names any more."""
    for path in (results / "manifests").glob("*.json"):
        if int(path.stem) <= number - KEPT_MANIFESTS:
            path.unlink(missing_ok=True)
    oldest = time.time() - GARBAGE_AGE_S
    for path in [*(results / "parts").iterdir(), *(results / "inbox").glob("*/.*")]:
        if path.name not in manifest.parts and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
