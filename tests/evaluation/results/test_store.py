"""The results table under many writers, compactors and kills."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.results import compaction, inbox, manifest, store
from evaluation.results.manifest import Manifest, Part
from evaluation.results.rows import KEY, Key
from sweeps.folders import CHECKOUT
from tests.evaluation.results.rows import row

SECONDS = "20"
"""So long processes are killed."""


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder, in memory where that is one: processes are killed here, and no machine."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def results() -> Iterator[Path]:
    with folder() as path:
        yield path


def played(module: str, *words: str) -> dict[str, Any]:
    """Return what a module of this folder says of what happened."""
    command = [sys.executable, "-m", f"tests.evaluation.results.{module}", *words]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}  # of Arrow, too: there are processes enough
    done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def checkpoints(results: Path) -> list[str]:
    found: list[str] = store.read_table(results).column("checkpoint").to_pylist()
    return sorted(found)


def test_an_empty_table_has_its_columns(results: Path) -> None:
    table = store.read_table(results)
    assert table.num_rows == 0
    assert table.schema.names[:3] == ["checkpoint", "segment", "eval"]


def test_rows_are_read_from_inbox_and_parts_alike(results: Path) -> None:
    inbox.append(results, "a", [row(checkpoint="a"), row(checkpoint="a2")])
    assert checkpoints(results) == ["a", "a2"]
    assert compaction.compact(results) == 1
    inbox.append(results, "b", [row(checkpoint="b", metrics={"loss": 2.0})])
    table = store.read_table(results)
    assert table.column("acc1").to_pylist() == [0.5, 0.5, None]
    assert table.column("loss").to_pylist() == [None, None, 2.0]


def test_the_keys_of_parts_and_inbox_are_those_of_the_rows(results: Path) -> None:
    for number, evals in enumerate((["a"], ["a", "b"], ["b"], ["a", "b"])):
        inbox.append(results, f"{number}", [row(checkpoint=f"{number}", eval=name) for name in evals])
        if number < 3:
            compaction.compact(results)
    assert set(store.read_keys(results)) == _keys_of_rows(results)
    assert len(store.read_keys(results)) == 6


def _keys_of_rows(results: Path) -> set[Key]:
    table = store.read_table(results)
    return set(zip(*(table.column(name).to_pylist() for name in KEY), strict=True))


def test_a_file_that_a_part_contains_is_not_read_and_deleted_later(results: Path) -> None:
    inbox.append(results, "a", [row(checkpoint="a")])
    compaction.compact(results)
    assert inbox.names(results) == []
    inbox.append(results, "a", [row(checkpoint="a")])  # as if its compactor had been killed
    assert checkpoints(results) == ["a"]
    assert compaction.compact(results) == 0
    assert inbox.names(results) == []
    assert checkpoints(results) == ["a"]


def test_a_table_is_tidied_when_enough_lies_in_the_inbox(results: Path) -> None:
    for number in range(compaction.DUE):
        compaction.keep_tidy(results)
        assert len(inbox.names(results)) == number
        inbox.append(results, f"{number}", [row(checkpoint=f"{number:03d}")])
    compaction.keep_tidy(results)
    assert inbox.names(results) == []
    assert len(checkpoints(results)) == compaction.DUE


def test_small_parts_become_few_larger_ones(results: Path) -> None:
    for number in range(compaction.FAN**2 + 1):
        inbox.append(results, f"{number}", [row(checkpoint=f"{number:03d}")])
        compaction.compact(results)
    sizes = [part.num_rows for part in manifest.newest(results).parts]
    assert sorted(sizes) == [1, compaction.FAN**2]
    assert len(list((results / "parts").iterdir())) == 2 * len(sizes)
    assert checkpoints(results) == [f"{number:03d}" for number in range(sum(sizes))]
    assert set(store.read_keys(results)) == _keys_of_rows(results)


@given(st.lists(st.integers(1, 10**7), max_size=200))
def test_parts_of_any_sizes_are_merged_until_few_are_left(sizes: list[int]) -> None:
    parts = [Part(name=str(number), num_rows=size) for number, size in enumerate(sizes)]
    while group := compaction.mergeable(parts):
        assert len(group) == compaction.FAN
        parts = [part for part in parts if part not in group]
        parts.append(Part(name=f"{len(parts)}'", num_rows=sum(part.num_rows for part in group)))
    small = [part for part in parts if part.num_rows < compaction.LARGEST_ROWS]
    num_tiers = compaction.LARGEST_ROWS.bit_length() // compaction.FAN_BITS
    assert len(small) <= (compaction.FAN - 1) * (num_tiers + 1)
    assert sum(part.num_rows for part in parts) == sum(sizes)


def test_who_comes_second_goes_by_the_manifest_of_the_first(results: Path) -> None:
    ours, theirs = (Part(name=name, num_rows=1) for name in ("ours", "theirs"))

    def change(before: Manifest) -> Manifest | None:
        if not before.parts:
            assert manifest.publish(results, lambda _: Manifest(parts=(theirs,)))
        return Manifest(parts=(*before.parts, ours))

    assert manifest.publish(results, change)
    assert manifest.newest(results).parts == (theirs, ours)
    assert not manifest.publish(results, lambda _: None)


def test_the_same_report_twice_is_one_report(results: Path) -> None:
    for _ in range(2):
        inbox.append(results, "a", [row(checkpoint="a")])
    assert checkpoints(results) == ["a"]


def test_a_report_whose_name_would_hide_it_is_refused(results: Path) -> None:
    with pytest.raises(AssertionError, match="which nobody reads"):
        inbox.append(results, ".hidden", [row()])


def test_old_manifests_and_garbage_are_cleared(results: Path) -> None:
    for number in range(manifest.KEPT + 5):
        inbox.append(results, f"{number}", [row(checkpoint=f"{number:02d}")])
        compaction.compact(results)
    orphans = [results / "parts" / f"orphan.{kind}" for kind in ("parquet", "keys.json")]
    for path in [*orphans, *(results / "parts").iterdir()]:
        path.touch()
        os.utime(path, (1, 1))
    inbox.append(results, "last", [row(checkpoint="99")])
    compaction.compact(results)
    assert not any(path.exists() for path in orphans)
    assert set(store.read_keys(results)) == _keys_of_rows(results)
    assert len(list((results / "manifests").iterdir())) == manifest.KEPT
    assert len(checkpoints(results)) == manifest.KEPT + 6


def test_a_file_that_a_rival_takes_away_while_garbage_is_sought_stops_nobody(results: Path) -> None:
    inbox.append(results, "a", [row(checkpoint="a")])
    compaction.compact(results)
    (results / "parts" / ".b.parquet.0123").symlink_to("gone")  # is listed, and then is not there
    inbox.append(results, "b", [row(checkpoint="b")])
    assert compaction.compact(results) == 1
    assert checkpoints(results) == ["a", "b"]


@settings(max_examples=30)
@given(acts=st.lists(st.sampled_from(["append", "compact", "again"]), max_size=25))
def test_any_order_of_acts_keeps_every_row_once(acts: list[str]) -> None:
    written: list[str] = []
    with folder() as results:
        for act in acts:
            if act == "compact":
                compaction.compact(results)
            else:
                name = written[-1] if act == "again" and written else f"c{len(written)}"
                written = [*dict.fromkeys([*written, name])]
                inbox.append(results, name, [row(checkpoint=name)])
        assert sorted(set(checkpoints(results))) == sorted(written)
        assert set(store.read_keys(results)) == _keys_of_rows(results)


@pytest.mark.slow
def test_at_whatever_step_one_is_killed_or_overtaken_each_row_is_found_once(results: Path) -> None:
    found = played("steps", str(results))
    assert found["killed"] > compaction.FAN
    assert found["overtaken"] > compaction.FAN


@pytest.mark.slow
def test_whoever_is_killed_no_row_is_lost_doubled_halved_or_wrong(results: Path) -> None:
    found = played("crash", str(results / "play"), SECONDS)
    assert found["wrong"] == []
    assert found["inbox"] == 0
    assert min(found[what] for what in ("kills", "manifests", "reads", "doubled")) >= 5, found
    assert found["largest_part"] >= compaction.FAN**2
