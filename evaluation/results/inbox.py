"""The inbox of the results table: rows of one scoring attempt a file, written once and never changed.

Writers need nothing but this. The folders below keep many writers out of each other's way. What
becomes of the files is told in `evaluation.results.store`.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from evaluation.results.rows import Row, refuse_taken
from sweeps import durable
from sweeps.errors import DamagedFile

T = TypeVar("T")

SUFFIX = ".jsonl"


def append(results: Path, name: str, rows: Iterable[Row]) -> None:
    """Put rows into the inbox under `name`; the same name twice is the same report twice.

    Raises:
        UsageError: a metric is called like another column.
    """
    assert not name.startswith("."), f"{name} would pass for a temporary file, which nobody reads"
    rows = list(rows)
    for row in rows:
        refuse_taken(row.metrics, f"{row.checkpoint} on {row.downstream_dataset}")
    path = folder(results) / hashlib.sha256(name.encode()).hexdigest()[0] / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, b"".join(durable.encode(row) for row in rows))


def names(results: Path) -> list[str]:
    """Return the names of all files, relative to the inbox."""
    inbox = folder(results)
    if not inbox.is_dir():
        return []
    return [
        f"{below}/{name}"
        for below in [entry.name for entry in os.scandir(inbox) if entry.is_dir()]
        for name in os.listdir(inbox / below)
        if name.endswith(SUFFIX) and not name.startswith(".")
    ]


def read(results: Path, name: str) -> bytes:
    """Return what a file holds: a row a line.

    Raises:
        FileNotFoundError: a compactor deleted it, because a part has its rows.
    """
    return (folder(results) / name).read_bytes()


def decoded(results: Path, contents: Mapping[str, bytes], kind: type[T]) -> list[T]:
    """Return what the lines of files say, given what each file holds, by its name.

    Raises:
        DamagedFile: a line says something else.
    """
    decode, found = msgspec.json.Decoder(kind).decode, list[T]()
    for name, content in contents.items():
        for number, line in enumerate(content.splitlines(), 1):
            try:
                found.append(decode(line))
            except ValueError as error:  # msgspec's, or of what is not UTF-8
                raise DamagedFile(
                    f"{folder(results) / name}, line {number} is damaged, or of another version: "
                    f"{error}. If it is damaged, delete it, and score or import again what it said"
                ) from error
    return found


def delete(results: Path, some: Iterable[str]) -> None:
    """Delete files whose rows are in a part; many at once, as each waits for the disk."""
    with ThreadPoolExecutor(durable.WRITERS) as threads:
        for _ in threads.map(lambda name: (folder(results) / name).unlink(missing_ok=True), some):
            continue


def folder(results: Path) -> Path:
    """Return where the inbox lies."""
    return results / "inbox"
