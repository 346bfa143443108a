"""The results table on disk: an inbox, immutable Parquet parts, and numbered manifests.

    results/inbox/<2 hex>/<name>.jsonl    rows of one scoring attempt, written once
    results/parts/<uuid>.parquet          rows taken from the inbox
    results/parts/<uuid>.keys.json        which rows these are (`evaluation.keys`)
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from evaluation.keys import Block, blocks_of, keys_in
from evaluation.rows import Key, Row, key_of
from sweeps import durable

if TYPE_CHECKING:
    import pyarrow as pa

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


def append(results: Path, name: str, rows: Iterable[Row]) -> None:
    """Put rows into the inbox under `name`; the same name twice is the same report twice."""
    path = results / "inbox" / hashlib.sha256(name.encode()).hexdigest()[:2] / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, b"".join(durable.encode(row) for row in rows))


def read_table(results: Path) -> "pa.Table":
    """Return all rows as they were written: an eval that was reported twice stands there twice."""
    return _until_stable(lambda: _read_once(results))


def read_keys(results: Path) -> set[Key]:
    """Return the key of every row. Neither pandas nor Arrow is needed."""
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
            self.keys.update(key_of(row) for row in _inbox_rows(self._results, [name]))
            self._read.add(name)
        for part in set(manifest.parts) - self._read:
            content = (self._results / "parts" / _keys_name(part)).read_bytes()
            self.keys.update(keys_in(durable.decode(content, tuple[Block, ...])))
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
    part = _write_part(results / "parts", list(_inbox_rows(results, fresh)))
    still_there = tuple(name for name in manifest.consumed if (results / "inbox" / name).exists())
    following = Manifest(parts=(*manifest.parts, part), consumed=(*still_there, *fresh))
    if not _publish(results, number + 1, following):
        for name in (part, _keys_name(part)):
            (results / "parts" / name).unlink()
        return 0
    _collect_garbage(results, number + 1, following)
    return len(fresh)


def num_inbox_files(results: Path) -> int:
    """Return how many files lie in the inbox."""
    return len(_inbox(results))


def _read_once(results: Path) -> "pa.Table":
    from evaluation import arrow

    fresh, manifest = _holding(results)
    parts = [arrow.read(results / "parts" / part) for part in manifest.parts]
    return arrow.joined([*parts, arrow.table_of(_inbox_rows(results, fresh))])


def _write_part(parts: Path, rows: Sequence[Row]) -> str:
    """Write rows as a part that no manifest names yet; return its name."""
    from evaluation import arrow

    part = f"{uuid.uuid4().hex}.parquet"
    arrow.write(parts / part, arrow.table_of(rows))
    durable.replace(parts / _keys_name(part), durable.encode(blocks_of(map(key_of, rows))))
    return part


def _keys_name(part: str) -> str:
    return part.replace(".parquet", ".keys.json")


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


def _delete_consumed(results: Path, inbox: Iterable[str], manifest: Manifest) -> None:
    for name in set(inbox) & set(manifest.consumed):
        (results / "inbox" / name).unlink(missing_ok=True)


def _collect_garbage(results: Path, number: int, manifest: Manifest) -> None:
    """Delete manifests far behind, and parts and temporaries that nobody names any more."""
    for path in (results / "manifests").glob("*.json"):
        if int(path.stem) <= number - KEPT_MANIFESTS:
            path.unlink(missing_ok=True)
    oldest = time.time() - GARBAGE_AGE_S
    named = {name for part in manifest.parts for name in (part, _keys_name(part))}
    for path in [*(results / "parts").iterdir(), *(results / "inbox").glob("*/.*")]:
        if path.name not in named and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
