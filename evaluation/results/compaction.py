"""Compaction of the results table: rows move from the inbox into parts, small parts into larger ones.

It only moves rows; none is changed or left out. Parts are merged by tiers, eight of a tier into one of
the next, so each row is written a few times in all and parts stay few. Writers are never waited for,
and never wait; of compactors that do the same work at once, one is first and the others discard theirs.
What a manifest names as contained elsewhere is deleted after it is published.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from evaluation.results import inbox, manifest, parts
from evaluation.results.keys import blocks_of, merged
from evaluation.results.manifest import Manifest, Part
from evaluation.results.rows import Row, key_of

DUE = 200
"""So many files in the inbox are worth a compaction."""

STEP_FILES = 1000
"""Inbox files that become one part, so that memory and manifests stay small."""

FAN_BITS = 3
FAN = 2**FAN_BITS
LARGEST_ROWS = 2**18
"""A part of so many rows is merged no more, so that a merge takes seconds and some hundred MiB."""


def keep_tidy(results: Path) -> None:
    """Compact if enough lies in the inbox to be worth it."""
    if len(inbox.names(results)) >= DUE:
        compact(results)


def compact(results: Path) -> int:
    """Move what lies in the inbox now into parts; return how many inbox files were taken.

    Safe beside writers, readers and other compactors; a rival's success is no error.
    """
    _delete_contained(results)
    due, num_taken = set(inbox.names(results)), 0
    while files := _unread(results, due)[:STEP_FILES]:
        num_taken += len(files) if _take(results, files) else 0
        due.difference_update(files)
        _merge_all(results)
    _merge_all(results)
    if num_taken:
        _collect_garbage(results)
    return num_taken


def part_of(results: Path, rows: Sequence[Row]) -> Part:
    """Write rows as a part that no manifest names yet."""
    from evaluation.results import arrow

    ordered = sorted(rows, key=key_of)
    return parts.write(results, arrow.table_of(ordered), blocks_of(map(key_of, ordered)))


def mergeable(candidates: Sequence[Part]) -> list[Part]:
    """Return as many parts of one tier as make one of the next, or none if no tier has so many."""
    tiers = defaultdict[int, list[Part]](list)
    for part in candidates:
        if part.num_rows < LARGEST_ROWS:
            tier = tiers[part.num_rows.bit_length() // FAN_BITS]
            tier.append(part)
            if len(tier) == FAN:
                return tier
    return []


def _unread(results: Path, due: set[str]) -> list[str]:
    lying = due.intersection(inbox.names(results))
    return sorted(lying.difference(manifest.newest(results).consumed))


def _take(results: Path, files: Sequence[str]) -> bool:
    """Make a part of inbox files; return False if a rival was first with one of them."""
    try:
        contents = {name: inbox.read(results, name) for name in files}
    except FileNotFoundError:
        return False
    part = part_of(results, inbox.decoded(results, contents, Row))

    def change(before: Manifest) -> Manifest | None:
        # Listed after the manifest was read: what lies there and is not named in it, no part has.
        lying = set(inbox.names(results))
        if not lying.issuperset(files) or not set(before.consumed).isdisjoint(files):
            return None
        return Manifest(
            parts=(*before.parts, part),
            consumed=(*(name for name in before.consumed if name in lying), *files),
            replaced=_still_there(results, before),
        )

    return _publish(results, part, change)


def _merge_all(results: Path) -> None:
    while _merge(results):
        continue


def _merge(results: Path) -> bool:
    """Merge parts if a tier is full; return False if none is, or a rival was first."""
    group = mergeable(manifest.newest(results).parts)
    if not group:
        return False
    try:
        part = _merged(results, group)
    except FileNotFoundError:
        return False

    def change(before: Manifest) -> Manifest | None:
        if not set(group) <= set(before.parts):
            return None
        kept = tuple(one for one in before.parts if one not in group)
        replaced = (*_still_there(results, before), *(one.name for one in group))
        return Manifest(parts=(*kept, part), consumed=before.consumed, replaced=replaced)

    return _publish(results, part, change)


def _merged(results: Path, group: Sequence[Part]) -> Part:
    """Write the rows of parts as one part that no manifest names yet."""
    from evaluation.results import arrow, order, scan

    keys = merged(chain.from_iterable(parts.keys(results, one.name) for one in group))
    with arrow.memory():
        paths = (parts.path(results, one.name) for one in group)
        rows = scan.scan_of(paths, arrow.BASE_SCHEMA.empty_table())
        table = rows.table(rows.schema.names)
        return parts.write(results, table.take(order.by_key(table)), keys)


def _publish(results: Path, part: Part, change: Callable[[Manifest], Manifest | None]) -> bool:
    """Publish a manifest that names a new part, or delete the part."""
    # A compactor that was suspended for a day finds its part collected as garbage.
    is_there = partial(parts.exists, results, part.name)
    if not manifest.publish(results, lambda before: change(before) if is_there() else None):
        parts.delete(results, [part.name])
        return False
    _delete_contained(results)
    return True


def _still_there(results: Path, before: Manifest) -> tuple[str, ...]:
    return tuple(name for name in before.replaced if parts.exists(results, name))


def _delete_contained(results: Path) -> None:
    """Delete the inbox files and parts whose rows the parts of the newest manifest have."""
    known = manifest.newest(results)
    inbox.delete(results, known.consumed)
    parts.delete(results, known.replaced)


def _collect_garbage(results: Path) -> None:
    manifest.forget_old(results)
    known = manifest.newest(results)
    parts.collect_garbage(results, {*(part.name for part in known.parts), *known.replaced})
