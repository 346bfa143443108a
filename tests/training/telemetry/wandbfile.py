"""Reads the file that wandb writes offline: LevelDB's log format, a protobuf record in each entry.

Format: https://github.com/google/leveldb/blob/main/doc/log_format.md, behind a header of wandb's own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE_HEADER, BLOCK, HEADER = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def run_of(folder: Path) -> Any:
    """Return the record that says what the run is."""
    return next(record.run for record in _records(folder) if record.HasField("run"))


def history_of(folder: Path) -> list[dict[str, Any]]:
    """Return what was logged."""
    entries = [record.history.item for record in _records(folder) if record.HasField("history")]
    return [{".".join(i.nested_key) or i.key: json.loads(i.value_json) for i in e} for e in entries]


def _records(folder: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    for entry in _entries(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(entry)
        yield record


def _entries(content: bytes) -> Iterator[bytes]:
    place, entry = FILE_HEADER, b""
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        length = int.from_bytes(content[place + 4 : place + 6], "little")
        kind = content[place + 6]
        entry += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (FULL, LAST):
            yield entry
            entry = b""
