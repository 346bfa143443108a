"""The results table on disk, and how it is read.

    results/inbox/       rows as they were reported          evaluation.results.inbox
    results/parts/       rows taken from the inbox           evaluation.results.parts
    results/manifests/   which parts hold                    evaluation.results.manifest

Any number of writers, compactors and readers may work at once and be killed at any time. A writer only
ever creates inbox files. A compactor (`results.compaction`) writes a part under a new name and
publishes the next manifest by `link(2)`. A reader lists the inbox, then reads the newest manifest, and
starts again if a file vanished meanwhile. Where a file system shows a client of its an old listing, a
row may be read twice, as it is where it was reported twice. What rows mean is left to
`evaluation.results.view`: of those with equal keys the newest counts.
"""

import errno
import time
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from evaluation.results import inbox, manifest, parts
from evaluation.results.keys import Block, Keys, blocks_of, repeated
from evaluation.results.manifest import Manifest
from evaluation.results.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

PATIENCE_S = 120.0
"""So long a reader that misses a file waits for a manifest without it: NFS may show an old one."""

PAUSE_S = 0.01

VANISHED = {errno.ENOENT, errno.ESTALE}
"""ESTALE: another client deleted a file that is open (NFS)."""


def read_keys(results: Path) -> Keys:
    """Return the key of every row. Neither pandas nor Arrow is needed."""
    return KeyReader(results).refresh()


class KeyReader:
    """Follows the keys in a table that grows; each file is read once, as none ever changes."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._read: set[str] = set()
        self.keys = Keys()

    def refresh(self) -> Keys:
        """Take in what was written since; return the keys of all rows."""
        _until_stable(self._results, self._refresh_once)
        return self.keys

    def _refresh_once(self) -> None:
        fresh, known = _holding(self._results)
        for name in set(fresh) - self._read:
            self.keys.add(_blocks_in(self._results, {name: inbox.read(self._results, name)}))
            self._read.add(name)
        for name in {part.name for part in known.parts} - self._read:
            self.keys.add(parts.keys(self._results, name))
            self._read.add(name)


class Snapshot:
    """The table as it is at one moment: its `rows`, whose columns are to be read within `read`."""

    def __init__(self, results: Path, reported: Mapping[str, bytes], known: Manifest) -> None:
        from evaluation.results import arrow
        from evaluation.results.scan import scan_of

        self._results, self._reported, self._known = results, reported, known
        paths = (parts.path(results, part.name) for part in known.parts)
        self.rows = scan_of(paths, arrow.table_of(inbox.decoded(results, reported, Row)))

    def repeated(self) -> set[str]:
        """Return the checkpoints of which some eval was reported more than once."""
        of_parts = (parts.keys(self._results, part.name) for part in self._known.parts)
        return repeated(chain(_blocks_in(self._results, self._reported), chain.from_iterable(of_parts)))


def read(results: Path, use: Callable[[Snapshot], T]) -> T:
    """Return what `use` makes of the table, which is called again if a file vanished meanwhile."""
    from evaluation.results import arrow

    reported: dict[str, bytes] = {}

    def once() -> T:
        fresh, known = _holding(results)
        for name in set(fresh) - set(reported):
            reported[name] = inbox.read(results, name)
        return use(Snapshot(results, {name: reported[name] for name in fresh}, known))

    with arrow.memory():
        return _until_stable(results, once)


def read_table(results: Path) -> "pa.Table":
    """Return all rows as they were written: an eval that was reported twice stands there twice."""
    return read(results, lambda snapshot: snapshot.rows.table(snapshot.rows.schema.names))


class _KeyOfRow(msgspec.Struct):
    """What is read of a row to know its key."""

    checkpoint: str
    eval: str
    downstream_dataset: str
    eval_version: int


def _blocks_in(results: Path, reported: Mapping[str, bytes]) -> list[Block]:
    rows = inbox.decoded(results, reported, _KeyOfRow)
    return blocks_of((r.checkpoint, r.eval, r.downstream_dataset, r.eval_version) for r in rows)


def _holding(results: Path) -> tuple[list[str], Manifest]:
    """Return the inbox files that no part contains, and the manifest that holds.

    The inbox is listed twice, as a file that was consumed, deleted and forgotten by the manifests in
    between is neither there nor named.
    """
    while True:
        listed = set(inbox.names(results))
        known = manifest.newest(results)
        fresh = listed.difference(known.consumed)
        if fresh.issubset(inbox.names(results)):
            return sorted(fresh), known


def _until_stable(results: Path, attempt: Callable[[], T]) -> T:
    """Return what `attempt` returns once no file vanishes while it reads."""
    known, since = Manifest(), time.monotonic()
    while True:
        try:
            return attempt()
        except OSError as error:
            newest = manifest.newest(results)
            if newest != known:
                known, since = newest, time.monotonic()
            if error.errno not in VANISHED or time.monotonic() - since > PATIENCE_S:
                raise
        time.sleep(PAUSE_S)
