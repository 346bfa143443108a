"""Nodes that are not to be used for a while: `ROOT/quarantine/`, shared by all sweeps under the root.

One file a node and cluster, rewritten whole. Supervisors put nodes in; launchers have the scheduler
avoid those that are in, and delete what has expired. A node that was seen to fail is in at once; one
that is merely suspected, only when different work items suspected it, because what fails on one item
alone may well be the user's own code.
"""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps import durable
from sweeps.errors import DamagedFile

MOST_SHARE = 4
"""At most one in so many nodes is avoided; the oldest entries give way, or jobs would never start."""

ENOUGH_SUSPICIONS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A node of the cluster `where`, why it is here, since and until when (seconds since 1970).

    `items`: the work items that failed there, the last one last. `is_certain`: it was seen to fail.
    """

    where: str
    node: str
    reason: str
    items: tuple[str, ...]
    is_certain: bool
    since: float
    until: float

    @property
    def is_in_force(self) -> bool:
        """Whether the node is to be avoided, until it expires."""
        return self.is_certain or len(self.items) >= ENOUGH_SUSPICIONS


def put(folder: Path, entry: Entry) -> None:
    """Add an entry; what is known of the node and has not expired is taken together with it."""
    folder.mkdir(exist_ok=True)
    path = _path(folder, entry)
    known = durable.read(path, Entry)
    if known is not None and known.until > entry.since:
        entry = replace(
            entry,
            items=tuple(dict.fromkeys((*known.items, *entry.items))),
            is_certain=entry.is_certain or known.is_certain,
        )
    durable.replace(path, durable.encode(entry))


def in_force(folder: Path, now: float) -> list[Entry]:
    """Return the nodes to be avoided now, the newest first; a damaged file excludes nothing."""
    entries = [entry for entry in _entries(folder) if entry.is_in_force and entry.until > now]
    return sorted(entries, key=lambda entry: (-entry.since, entry.node))


def excluded(entries: Iterable[Entry], where: str, nodes: Collection[str]) -> tuple[str, ...]:
    """Return which of the `nodes` of a cluster jobs are kept from, by the first of the entries."""
    found = [entry.node for entry in entries if entry.where == where and entry.node in nodes]
    return tuple(found[: len(nodes) // MOST_SHARE])


def forget_expired(folder: Path, now: float) -> None:
    """Delete expired entries: for a launcher, of which there is one at a time."""
    for entry in _entries(folder):
        if entry.until <= now:
            _path(folder, entry).unlink(missing_ok=True)


def _entries(folder: Path) -> list[Entry]:
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    found = (_read(folder / name) for name in names if name.endswith(".json") and name[0] != ".")
    return [entry for entry in found if entry is not None]


def _read(path: Path) -> Entry | None:
    try:
        return durable.read(path, Entry)
    except DamagedFile:
        return None


def _path(folder: Path, entry: Entry) -> Path:
    return folder / f"{entry.where}.{entry.node}.json"
